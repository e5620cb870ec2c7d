"""What makes a table or a figure, read from `experiments/tables/<name>.yaml` and `experiments/profiles.yaml`.

A table file has the keys

| key | |
|---|---|
| `title` | as printed above it |
| `kind` | layout: `statistics`, `comparison`, `sweep` or `efficiency` |
| `paper_table` | number of the table in `experiments/paper_numbers.csv`; left out where the paper prints no numbers |
| `metrics` | columns |
| `baseline` | name of the row that paired tests compare the others with; left out for no tests |
| `rows` | each with `name`, `label`, `run` and, if need be, `ablation`, `options` and `value` |
| `profiles` | by name: the `datasets`, and whatever differs from the profile of that name in `profiles.yaml` |

and a profile has `datasets`, `seeds`, `options` and `best` (`{rows: 4, seeds: [2, 3]}`). Options are keys of a config.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mmrec.errors import UserError, require_folder_name
from mmrec.reproduce.columns import COLUMNS
from mmrec.utils.files import read_mapping
from mmrec.utils.shipped import FOLDER, experiments_folder, find_config

Kind = Literal["statistics", "comparison", "sweep", "efficiency"]
Options = tuple[tuple[str, str], ...]
ROW_KEYS = {"name", "label", "run", "ablation", "options", "value"}
PROFILE_KEYS = {"datasets", "seeds", "options", "best"}
COUNTS = ("users", "items", "interactions")
"""What the statistics of a dataset are."""
SPEC_KEYS = {"title", "kind", "paper_table", "metrics", "baseline", "rows", "profiles"}


@dataclass(frozen=True)
class Row:
    """One row of a table, one point of a figure.

    Args:
        name: stable key, say "sasrec" or "base_m_ra".
        label: as printed, say "SASRec" or "Base + M + RA".
        run: stem of `lightning_configs/run` without the dataset: "sasrec" is `run/<dataset>_sasrec.yaml`.
        ablation: stem of `lightning_configs/ablation` laid over it, or None.
        options: further options of the command line, ("model.init_args.neighbours", "5").
        value: the swept value, None where nothing is swept.
    """

    name: str
    label: str
    run: str
    ablation: str | None
    options: Options
    value: float | None


@dataclass(frozen=True)
class Profile:
    """On what, how often and how long a table is run.

    Args:
        name: "smoke", "ml1m" or "paper".
        datasets: prefixes of run configs: "toy", "movielens", "amazon_fashion", "movielens_25m".
        seeds: of every row.
        options: of every run, ("trainer.max_epochs", "3").
        best: how many of the best rows, by validation, get which further seeds; (0, ()) for none.
    """

    name: str
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    options: Options
    best: tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Spec:
    """One table or figure.

    Args:
        name: of its file, "table1" to "figure5".
        title: as printed above it.
        kind: layout.
        paper_table: number of the table in `experiments/paper_numbers.csv`, None where the paper prints no numbers.
        metrics: columns, say ("hr@10", "ndcg@10").
        rows: in the order in which they are printed.
        baseline: name of the row that paired tests by user compare the others with; None for no tests.
        profiles: by name.
    """

    name: str
    title: str
    kind: Kind
    paper_table: int | None
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    baseline: str | None
    profiles: dict[str, Profile]

    def profile(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            UserError: the table has none of that name.
        """
        if name not in self.profiles:
            raise UserError(f"--profile {name}: {self.name} has no such profile, but {', '.join(self.profiles)}")
        return self.profiles[name]


@dataclass(frozen=True)
class Cell:
    """One finished run of a row.

    Args:
        row: which.
        dataset: prefix of its run config.
        seed: of the run.
        folder: of the run: `result.json`, `test_ranks.parquet`, `metrics.csv`, `config.yaml`, `training.json`.
    """

    row: Row
    dataset: str
    seed: int
    folder: Path


def read_specs(names: Sequence[str]) -> list[Spec]:
    """Read tables by the names of the shipped ones, or by file; "all" stands for all that are shipped.

    Raises:
        UserError: there is no such table, or one cannot be read.
    """
    shipped = {file.stem: file for file in sorted((experiments_folder() / "tables").glob("*.yaml"))}
    files: dict[Path, None] = {}
    for name in names:
        if name == "all":
            # Tables before figures: these share many runs with them.
            files |= dict.fromkeys(sorted(shipped.values(), key=lambda file: (not file.stem.startswith("table"), file)))
        elif name in shipped:
            files[shipped[name]] = None
        elif Path(name).is_file():
            files[Path(name)] = None
        else:
            raise UserError(f"{name}: no such file here, and no table of that name, but {', '.join(shipped)}, all")
    stems = [file.stem for file in files]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise UserError(f"two tables are named {twice}, and so would be their files: rename one")
    return [read_spec(file) for file in files]


def read_spec(file: Path, profiles: Path | None = None) -> Spec:
    """Read a table.

    Args:
        file: of the table.
        profiles: what its profiles begin with; by default those that are shipped.

    Raises:
        UserError: a key is missing, unknown or has a wrong value, or a config that it names does not exist.
    """
    shared = _Section.of(profiles or experiments_folder() / "profiles.yaml")
    section = _Section.of(file)
    section.know(SPEC_KEYS)
    kind = section.text("kind")
    if kind not in get_args(Kind):
        raise section.wrong("kind", f"one of {', '.join(get_args(Kind))}")
    rows = tuple(_row(part, needs_value=kind == "sweep") for part in section.parts("rows"))
    metrics = section.several("metrics", str)
    known = COUNTS if kind == "statistics" else COLUMNS
    if not set(metrics) <= set(known):
        raise section.wrong("metrics", f"among {', '.join(known)}")
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise section.wrong("rows", "of different names")
    if (kind == "statistics") != (not rows):
        raise section.wrong("rows", "left out for statistics, and named for every other kind")
    baseline = section.text("baseline", None)
    if baseline is not None and baseline not in names:
        raise section.wrong("baseline", f"the name of a row ({', '.join(names)})")
    given = section.part("profiles")
    made = {name: _profile(name, given.part(name), shared) for name in given.content}
    for profile in made.values():
        _require_configs(file, rows, profile)
    return Spec(
        name=file.stem,
        title=section.text("title"),
        kind=kind,
        paper_table=section.whole("paper_table", None),
        metrics=metrics,
        rows=rows,
        baseline=baseline,
        profiles=made,
    )


def run_config(dataset: str, run: str) -> str:
    """Return the config of a run, as the command line is given it."""
    return f"{FOLDER}/run/{dataset}_{run}.yaml"


def ablation_config(name: str) -> str:
    """Return the config of an ablation, as the command line is given it."""
    return f"{FOLDER}/ablation/{name}.yaml"


def _row(section: _Section, needs_value: bool) -> Row:
    section.know(ROW_KEYS)
    name, value = section.text("name"), section.content.get("value")
    require_folder_name(name, f"{section.place}name")
    if not isinstance(value, int | float | None) or (needs_value and value is None):
        raise section.wrong("value", "a number" + (", as every row of a sweep has one" if needs_value else ""))
    return Row(
        name=name,
        label=section.text("label"),
        run=section.text("run"),
        ablation=section.text("ablation", None),
        options=section.options(),
        value=None if value is None else float(value),
    )


def _profile(name: str, section: _Section, shared: _Section) -> Profile:
    base = shared.part(name) if name in shared.content else _Section(shared.place, {})
    for part in (base, section):
        part.know(PROFILE_KEYS)
    merged = _Section(section.place, {**base.content, **section.content})
    best = merged.part("best") if "best" in merged.content else None
    if best is not None:
        best.know({"rows", "seeds"})
    return Profile(
        name=name,
        datasets=merged.several("datasets", str),
        seeds=merged.several("seeds", int),
        options=tuple({**dict(base.options()), **dict(section.options())}.items()),
        best=(0, ()) if best is None else (best.whole("rows"), best.several("seeds", int)),
    )


def _require_configs(file: Path, rows: Sequence[Row], profile: Profile) -> None:
    for row in rows:
        configs = [run_config(dataset, row.run) for dataset in profile.datasets]
        configs += [] if row.ablation is None else [ablation_config(row.ablation)]
        for config in configs:
            if find_config(config) is None:
                raise UserError(f"{file}: rows.{row.name} needs {config} in profile {profile.name}: no such file")


REQUIRED: Any = object()


@dataclass(frozen=True)
class _Section:
    """A mapping of a YAML file, and where it stands, for messages.

    Args:
        place: file and keys that lead to it.
        content: the mapping.
    """

    place: str
    content: Mapping[str, Any]

    @classmethod
    def of(cls, file: Path) -> _Section:
        return cls(f"{file}: ", read_mapping(file, "keys, see docs/paper.md"))

    def wrong(self, key: str, words: str) -> UserError:
        return UserError(f"{self.place}{key} must be {words}, but is {self.content.get(key)!r}")

    def know(self, keys: set[str]) -> None:
        unknown = [str(key) for key in self.content if key not in keys]
        if unknown:
            raise UserError(f"{self.place}{unknown[0]} is no key of this place; there are {', '.join(sorted(keys))}")

    def text(self, key: str, default: Any = REQUIRED) -> Any:
        return self._value(key, str, "a text", default)

    def whole(self, key: str, default: Any = REQUIRED) -> Any:
        return self._value(key, int, "a whole number", default)

    def several(self, key: str, kind: type) -> tuple[Any, ...]:
        words = {str: "a list of texts", int: "a list of whole numbers"}[kind]
        values = self._value(key, list, words, REQUIRED)
        if not values or not all(isinstance(value, kind) for value in values):
            raise self.wrong(key, words)
        return tuple(values)

    def part(self, key: str) -> _Section:
        return _Section(f"{self.place}{key}.", self._value(key, dict, "a mapping of keys", REQUIRED))

    def parts(self, key: str) -> list[_Section]:
        entries = self._value(key, list, "a list of mappings", [])
        if not all(isinstance(entry, dict) for entry in entries):
            raise self.wrong(key, "a list of mappings")
        return [
            _Section(f"{self.place}{key}.{entry.get('name', number)}.", entry) for number, entry in enumerate(entries)
        ]

    def options(self) -> Options:
        given = self._value("options", dict, "a mapping of config keys to values", {})
        return tuple((key, value if isinstance(value, str) else json.dumps(value)) for key, value in given.items())

    def _value(self, key: str, kind: type, words: str, default: Any) -> Any:
        if key not in self.content and default is REQUIRED:
            raise UserError(f"{self.place}{key} is missing: it is {words}")
        value = self.content.get(key, default)
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise self.wrong(key, words)
        return value
