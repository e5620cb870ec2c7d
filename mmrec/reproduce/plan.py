"""The runs of tables: shared between tables where they are the same, and more seeds for the best rows."""

from __future__ import annotations

import json
from argparse import ArgumentError
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

from mmrec.reproduce.identity import Identify, Identity
from mmrec.reproduce.run import Run
from mmrec.reproduce.spec import Cell, Profile, Row, Spec, run_args
from mmrec.results.curves import read_parts

QUIET = ("--explain", "false", "--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false")
CHOOSES = "valid/ndcg@10"
"""Metric that chooses checkpoints and the best rows; it has no suffix, since tables show full ranking alone."""


@dataclass(frozen=True)
class Variant:
    """A row on a dataset, apart from its seed.

    Args:
        row: the row.
        dataset: name of its data config.
        identity: identity of its runs.
        args: arguments of `lightning fit`.
    """

    row: Row
    dataset: str
    identity: Identity
    args: tuple[str, ...]


class Plan:
    """The runs of some tables in one profile.

    Args:
        specs: the tables.
        profile: name of the profile.
        runs: folder of all runs.
        identify: returns the identity of a run by its arguments.

    Raises:
        UserError: a table has no such profile, or a raw data file is missing.
        ArgumentError: an option of a row is unknown or wrong.
    """

    def __init__(self, specs: Sequence[Spec], profile: str, runs: Path, identify: Identify) -> None:
        self.specs = specs
        self.profiles = {spec.name: spec.profile(profile) for spec in specs}
        self.runs = runs
        self.variants = {spec.name: _variants(spec, self.profiles[spec.name], identify) for spec in specs}

    @cached_property
    def _folders(self) -> dict[str, Path]:
        """Folders by key: an existing one, else one named after the first row that needs it."""
        folders: dict[str, Path] = {}
        for variant in (one for found in self.variants.values() for one in found):
            key, base = variant.identity.key, self.runs / variant.identity.dataset
            if key not in folders:
                folders[key] = next(iter(sorted(base.glob(f"*-{key}"))), base / f"{variant.row.name}-{key}")
        return folders

    def first(self) -> list[Run]:
        """Return the runs of all rows with the seeds of the profile, each once."""
        return _each_once(
            self._run(spec, variant, seed)
            for spec in self.specs
            for seed in self.profiles[spec.name].seeds
            for variant in self.variants[spec.name]
        )

    def further(self) -> list[Run]:
        """Return the runs of the best rows with the further seeds, each once, of tables whose first runs are done.

        The best rows of each table and dataset are chosen by the mean over the seeds of the best validation NDCG@10. A
        row without training is left out: every seed gives the same result.
        """
        return _each_once(
            self._run(spec, variant, seed)
            for spec in self.specs
            for seed in self.profiles[spec.name].best[1]
            for variant in self._best(spec)
        )

    def undecided(self) -> int:
        """Return the largest number of further runs that are not yet in `further`."""
        chosen = {}  # by rows, because two tables with the same rows choose the same
        for spec in self.specs:
            if not self._decided(spec):
                profile = self.profiles[spec.name]
                rows, seeds = profile.best
                chosen[frozenset(self._keys(spec))] = min(rows, len(spec.rows)) * len(seeds) * len(profile.datasets)
        return sum(chosen.values())

    def cells(self, spec: Spec) -> list[Cell]:
        """Return the finished runs of a table, in the order of its rows."""
        profile = self.profiles[spec.name]
        further = {variant.identity.key for variant in self._best(spec)}
        found = []
        for variant in self.variants[spec.name]:
            seeds = [*profile.seeds, *(profile.best[1] if variant.identity.key in further else ())]
            runs = [(seed, self._run(spec, variant, seed)) for seed in dict.fromkeys(seeds)]
            found += [Cell(variant.row, variant.dataset, s, run.folder) for s, run in runs if run.state == "done"]
        return found

    def _run(self, spec: Spec, variant: Variant, seed: int) -> Run:
        folder = self._folders[variant.identity.key]
        tables = [one.name for one in self.specs if variant.identity.key in self._keys(one)]
        args = (
            *variant.args, *QUIET, "--seed_everything", str(seed), "--runs", str(self.runs), "--name", folder.name,
            "--tracking.job_type", _job_type(spec, variant.row), "--tracking.tags", json.dumps(tables),
        )  # fmt: skip
        about = {
            "profile": self.profiles[spec.name].name, "tables": tables, "config": variant.row.model,
            "dataset": variant.dataset, "seed": seed, "identity": asdict(variant.identity),
        }  # fmt: skip
        return Run(folder / f"seed{seed}", variant.identity.key, args, about)

    def _keys(self, spec: Spec) -> set[str]:
        return {variant.identity.key for variant in self.variants[spec.name]}

    def _decided(self, spec: Spec) -> bool:
        profile = self.profiles[spec.name]
        runs = (self._run(spec, variant, seed) for variant in self.variants[spec.name] for seed in profile.seeds)
        return all(run.state == "done" for run in runs)

    def _best(self, spec: Spec) -> list[Variant]:
        profile = self.profiles[spec.name]
        count = profile.best[0]
        if not count or not self._decided(spec):
            return []
        best: list[Variant] = []
        for dataset in profile.datasets:
            scores: dict[Variant, float] = {}
            for variant in self.variants[spec.name]:
                if variant.dataset == dataset:
                    values = [validation(self._run(spec, variant, seed).folder) for seed in profile.seeds]
                    known = [value for value in values if value is not None]
                    if known:
                        scores[variant] = mean(known)
            best += sorted(scores, key=scores.__getitem__, reverse=True)[:count]
        return best


def validation(folder: Path) -> float | None:
    """Return the best validation NDCG@10 of a run, over all its parts if it was resumed; None without training."""
    return max((value for part in read_parts(folder) for _, value in part.get(CHOOSES, ())), default=None)


def _variants(spec: Spec, profile: Profile, identify: Identify) -> list[Variant]:
    made = []
    for dataset in profile.datasets:
        for row in spec.rows:
            args = run_args(dataset, row, profile.options)
            try:
                made.append(Variant(row, dataset, identify(args), args))
            except ArgumentError as error:
                raise ArgumentError(None, f"{spec.name}, row {row.name}: {error.message}") from error
    return made


def _job_type(spec: Spec, row: Row) -> str:
    """Return the job type of a run in W&B."""
    if spec.kind == "sweep":
        return "sensitivity"
    return "efficiency" if spec.kind == "efficiency" else "train" if row.ablation is None else "ablation"


def _each_once(runs: Iterable[Run]) -> list[Run]:
    found: dict[Path, Run] = {}
    for run in runs:
        found.setdefault(run.folder, run)
    return list(found.values())
