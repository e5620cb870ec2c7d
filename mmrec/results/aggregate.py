"""Results that compare, side by side: one board for each dataset and protocol, one entry for each model."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmrec.results.curves import Points, read_curves
from mmrec.results.load import Result, find_results, plain_name


@dataclass(frozen=True)
class Run:
    """One result.

    Args:
        result: as `SaveResults` wrote it.
        folder: the run's, None where the result was copied alone.
    """

    result: Result
    folder: Path | None

    @cached_property
    def curves(self) -> dict[str, Points]:
        """What it logged by epoch, see `read_curves`."""
        return {} if self.folder is None else read_curves(self.folder)


@dataclass(frozen=True)
class Model:
    """The runs of a model, one for each seed.

    Args:
        name: as in the runs' folders, without the identity that tables give it.
        runs: by seed.
        colour: its place among the page's colours, from 0.
    """

    name: str
    runs: tuple[Run, ...]
    colour: int

    def values(self, *path: str) -> list[float]:
        """Return a number of the results, seed by seed; results that lack it are left out.

        Args:
            path: keys from the result down, `"metrics", "ndcg@10"`.
        """
        found: list[float] = []
        for run in self.runs:
            value: Any = run.result
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, int | float):
                found.append(float(value))
        return found

    def mean(self, *path: str) -> float | None:
        """Return the mean over seeds, None where no result has the number."""
        values = self.values(*path)
        return statistics.fmean(values) if values else None

    def deviation(self, *path: str) -> float | None:
        """Return the standard deviation over seeds (n - 1), None for fewer than two."""
        values = self.values(*path)
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Board:
    """Models that compare: of one dataset, the same interactions and one protocol.

    Args:
        dataset: its name.
        data_hash: of its ordered interactions.
        protocol: see `RecDataModule.protocol`, and the number of instances.
        models: best first, by `main`.
        metrics: names that any of the results has, in the order of the first that has it.
        main: the metric that ranks: NDCG@10, in the protocol's own name.
    """

    dataset: str
    data_hash: str
    protocol: dict[str, Any]
    models: tuple[Model, ...]
    metrics: tuple[str, ...]
    main: str

    @property
    def runs(self) -> list[Run]:
        """All runs, best model first."""
        return [run for model in self.models for run in model.runs]


def gather(folder: Path) -> list[Board]:
    """Read all results below a folder, see `find_results`; boards by dataset, the one with the most runs first.

    Raises:
        UserError: there are none, or one cannot be read.
    """
    groups: dict[str, list[Run]] = {}
    for path, result in find_results(folder):
        key = json.dumps([result["dataset"], result["data_hash"], result["protocol"]], sort_keys=True)
        groups.setdefault(key, []).append(Run(result, path if path.is_dir() else None))
    boards = [_board(runs) for runs in groups.values()]
    return sorted(boards, key=lambda board: (-len(board.runs), board.dataset, board.data_hash))


def _board(runs: list[Run]) -> Board:
    first = runs[0].result
    metrics = tuple(dict.fromkeys(name for run in runs for name in run.result["metrics"]))
    main = next((name for name in metrics if name.startswith("ndcg@10")), metrics[0] if metrics else "ndcg@10")
    models = [Model(name, tuple(own), 0) for name, own in _by_name(runs).items()]
    models.sort(key=lambda model: (-(model.mean("metrics", main) or 0.0), model.name))
    ranked = tuple(Model(model.name, model.runs, place) for place, model in enumerate(models))
    return Board(first["dataset"], first["data_hash"], first["protocol"], ranked, metrics, main)


def _by_name(runs: list[Run]) -> dict[str, list[Run]]:
    """Group runs by model, by seed within one; models of one name in several folders are told apart by these.

    A short trial and the run itself may lie in different folders below `runs`, and are no two seeds of one model.
    """
    folders: dict[str, dict[Path | None, list[Run]]] = {}
    for run in sorted(runs, key=lambda run: run.result["seed"]):
        place = None if run.folder is None else run.folder.parent
        folders.setdefault(plain_name(run.result["model"]), {}).setdefault(place, []).append(run)
    return {
        model if len(of_model) == 1 else f"{model} ({place or 'copied'})": own
        for model, of_model in folders.items()
        for place, own in of_model.items()
    }
