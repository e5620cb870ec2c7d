"""Descriptions of tables and figures, read from `experiments/tables/<name>.yaml` and `experiments/profiles.yaml`.

A table file has the keys

| key | |
|---|---|
| `title` | as printed above it |
| `kind` | layout: `statistics`, `comparison`, `sweep` or `efficiency` |
| `paper_table` | number of the table in `experiments/paper_numbers.csv`; absent if the paper prints no numbers |
| `metrics` | columns |
| `baseline` | name of the row that paired tests compare the others with; absent for no tests |
| `rows` | each with `name`, `label`, `model` and, where needed, `ablation`, `options` and `value` |
| `profiles` | by name: the `datasets`, and what differs from the profile of that name in `profiles.yaml` |

and a profile has `datasets`, `seeds`, `options` and `best` (`{rows: 4, seeds: [2, 3]}`). Options are keys of a config.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mmrec.errors import InvalidArgument, UserError, require_folder_name
from mmrec.reproduce.columns import COLUMNS
from mmrec.utils.files import read_mapping
from mmrec.utils.shipped import configs_folder, experiments_folder

Kind = Literal["statistics", "comparison", "sweep", "efficiency"]
Options = tuple[tuple[str, str], ...]
ROW_KEYS = {"name", "label", "model", "ablation", "options", "value"}
RENAMED = {"run": "model"}
"""Old keys and their new names."""
PROFILE_KEYS = {"datasets", "seeds", "options", "best"}
COUNTS = ("users", "items", "interactions")
"""Columns of a table of datasets."""
SPEC_KEYS = {"title", "kind", "paper_table", "metrics", "baseline", "rows", "profiles"}


@dataclass(frozen=True)
class Row:
    """One row of a table, one point of a figure.

    Args:
        name: stable key, for example "sasrec" or "base_m_ra".
        label: printed name, for example "SASRec" or "Base + M + RA".
        model: name of a model config, for example "sasrec" for `lightning_configs/model/sasrec.yaml`, or a file.
        ablation: name of a config in `lightning_configs/ablation`, or a file, that changes the model; or None.
        options: further options of the command line, for example ("model.init_args.neighbours", "5").
        value: the swept value, None outside sweeps.
    """

    name: str
    label: str
    model: str
    ablation: str | None
    options: Options
    value: float | None


@dataclass(frozen=True)
class Profile:
    """The datasets, seeds and options that a table is run with.

    Args:
        name: "smoke", "ml1m" or "paper".
        datasets: names of data configs ("toy", "movielens", "amazon_fashion", "movielens_25m"), or files.
        seeds: seeds of every row.
        options: options of every run, for example ("trainer.max_epochs", "3").
        best: number of rows, the best by validation, that get further seeds, and these seeds; (0, ()) for none.
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
        name: name of its file, "table1" to "figure5".
        title: title as printed.
        kind: layout.
        paper_table: number of the table in `experiments/paper_numbers.csv`, None if the paper prints no numbers.
        metrics: keys of the columns, for example ("hr@10", "ndcg@10").
        rows: rows in the order in which they are printed.
        baseline: name of the row that paired tests by user compare the others with; None for no tests.
        profiles: profiles by name.
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
            UserError: the table has no profile of that name.
        """
        if name not in self.profiles:
            raise UserError(f"--profile {name}: {self.name} has no such profile, but {', '.join(self.profiles)}")
        return self.profiles[name]


@dataclass(frozen=True)
class Cell:
    """One finished run of a row.

    Args:
        row: the row.
        dataset: name of its data config.
        seed: seed of the run.
        folder: folder of the run: `result.json`, `test_ranks.parquet`, `metrics.csv`, `config.yaml`, `training.json`.
    """

    row: Row
    dataset: str
    seed: int
    folder: Path


def read_specs(names: Sequence[str]) -> list[Spec]:
    """Read tables by the names of the shipped ones, or from files; "all" stands for all shipped tables.

    Raises:
        UserError: a table does not exist or cannot be read.
    """
    shipped = {file.stem: file for file in sorted((experiments_folder() / "tables").glob("*.yaml"))}
    files: dict[Path, None] = {}
    for name in names:
        if name == "all":
            # Tables before figures, which share many runs with them.
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
        file: file of the table.
        profiles: file of the profiles that its own extend; by default the shipped one.

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


def run_args(dataset: str, row: Row, options: Options = ()) -> tuple[str, ...]:
    """Return the arguments of `lightning fit` for a row on a dataset, apart from seed and folder.

    Args:
        dataset: name of a data config.
        row: the row; its own options come last and so override.
        options: options of a profile.
    """
    args = ["--data", dataset, "--model", row.model]
    if row.ablation is not None:
        shipped = configs_folder() / "ablation" / f"{row.ablation}.yaml"
        args += ["--config", str(shipped) if shipped.is_file() else row.ablation]
    for key, value in (*options, *row.options):
        args += [f"--{key}", value]
    return tuple(args)


def data_args(dataset: str, options: Options) -> tuple[str, ...]:
    """Return the arguments that prepare a dataset without features, with the data options of a profile."""
    own = [(f"--{key}", value) for key, value in options if key.startswith("data.")]
    return ("--data", dataset, *(word for option in own for word in option))


def _row(section: _Section, needs_value: bool) -> Row:
    section.know(ROW_KEYS)
    name, value = section.text("name"), section.content.get("value")
    try:
        require_folder_name(name, f"{section.place}name")
    except InvalidArgument as error:
        raise UserError(str(error)) from None
    if not isinstance(value, int | float | None) or (needs_value and value is None):
        raise section.wrong("value", "a number" + (", as every row of a sweep has one" if needs_value else ""))
    return Row(
        name=name,
        label=section.text("label"),
        model=section.text("model"),
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
    for dataset in profile.datasets:
        _require_config(f"{file}: profiles.{profile.name}.datasets", "data", dataset)
    for row in rows:
        _require_config(f"{file}: rows.{row.name}.model", "model", row.model)
        if row.ablation is not None:
            _require_config(f"{file}: rows.{row.name}.ablation", "ablation", row.ablation)


def _require_config(place: str, kind: str, name: str) -> None:
    if not (configs_folder() / kind / f"{name}.yaml").is_file() and not Path(name).is_file():
        known = ", ".join(sorted(one.stem for one in (configs_folder() / kind).glob("*.yaml")))
        raise UserError(f"{place}: {name} is not a shipped {kind} config, nor a file; there are {known}")


REQUIRED: Any = object()


@dataclass(frozen=True)
class _Section:
    """A mapping in a YAML file, with its place for messages.

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
        if unknown and (new := RENAMED.get(unknown[0])) in keys:
            raise UserError(f"{self.place}{unknown[0]} is now called {new}: rename it")
        if unknown:
            raise UserError(f"{self.place}{unknown[0]} is not a key here; the keys are {', '.join(sorted(keys))}")

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
            raise UserError(f"{self.place}{key} is missing: it must be {words}")
        value = self.content.get(key, default)
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise self.wrong(key, words)
        return value
