"""The one aggregation of results: the runs of a model over seeds, and the models that may be compared."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmrec.results.labels import label
from mmrec.results.load import Run
from mmrec.results.measures import Measure, metric


@dataclass(frozen=True)
class Model:
    """The runs of one model on one dataset, one for each seed.

    Args:
        label: name as printed.
        runs: the runs, by seed in ascending order; may be empty.
        name: name in folders and options, for example "sasrec".
        colour: position among the colours of the page, from 0.
    """

    label: str
    runs: tuple[Run, ...]
    name: str = ""
    colour: int = 0

    def values(self, measure: Measure) -> dict[int, float]:
        """Return a measure by seed, of the runs that have it."""
        read = {run.seed: measure.read(run) for run in self.runs}
        return {seed: value for seed, value in read.items() if value is not None}

    def mean(self, measure: Measure) -> float | None:
        """Return the mean over seeds, None if no run has the measure."""
        values = self.values(measure).values()
        return statistics.fmean(values) if values else None

    def deviation(self, measure: Measure) -> float | None:
        """Return the standard deviation over seeds (n - 1), None for fewer than two."""
        values = self.values(measure).values()
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def uncommitted(self) -> bool:
        """Whether a run used code with uncommitted changes, or code of unknown version."""
        return any((run.result.get("git") or {"dirty": True})["dirty"] for run in self.runs)


@dataclass(frozen=True)
class Board:
    """Models that may be compared: of one dataset, the same interactions and one protocol.

    Args:
        dataset: name of the dataset.
        data_hash: hash of its ordered interactions.
        protocol: see `RecDataModule.protocol`, with the number of test instances.
        models: the models, best first by `main`.
        metrics: names of metrics that any of the results has, in the order of the first that has them.
        main: name of the metric that ranks the models: NDCG@10, as the protocol names it.
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

    @property
    def protocol_words(self) -> str:
        """The protocol as printed, for example "leave one out, full ranking, history removed"."""
        given = self.protocol
        candidates = "full ranking" if given["candidates"] == "all" else f"candidates {given['candidates']}"
        return (
            f"{given['instances']:,} test instances, split {given['split'].replace('_', ' ')}, {candidates}, "
            f"history {'removed' if given['mask_history'] else 'kept'}"
        )


def boards(runs: Sequence[Run]) -> list[Board]:
    """Group results into boards, the one with the most runs first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        key = [run.result["dataset"], run.result["data_hash"], run.result["protocol"]]
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(run)
    made = [_board(group) for group in groups.values()]
    return sorted(made, key=lambda board: (-len(board.runs), board.dataset, board.data_hash, board.main))


def _board(runs: list[Run]) -> Board:
    first = runs[0].result
    metrics = tuple(dict.fromkeys(name for run in runs for name in run.result["metrics"]))
    main = next((name for name in metrics if name.partition("_")[0] == "ndcg@10"), metrics[0] if metrics else "ndcg@10")
    models = sorted(_models(runs), key=lambda model: (-(model.mean(metric(main)) or 0.0), model.label))
    ranked = tuple(replace(model, colour=place) for place, model in enumerate(models))
    return Board(first["dataset"], first["data_hash"], first["protocol"], ranked, metrics, main)


def _models(runs: list[Run]) -> list[Model]:
    """Group runs by model and folder: a short trial in another folder is not a further seed of the run itself."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        place = "copied" if run.folder is None else str(run.folder.parent)
        groups.setdefault((run.name, place), []).append(run)
    folders = Counter(name for name, _ in groups)
    labels = Counter(label(own[0]) for own in groups.values())
    made = []
    for (name, place), own in groups.items():
        shown = label(own[0])
        if folders[name] > 1:
            shown = f"{shown} ({place})"
        elif labels[shown] > 1:
            shown = f"{shown} ({name})"
        made.append(Model(shown, tuple(own), name))
    return made
