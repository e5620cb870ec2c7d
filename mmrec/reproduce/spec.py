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
from mmrec.utils.json_files import mismatch, unknown_key
from mmrec.utils.shipped import configs_folder, experiments_folder

Kind = Literal["statistics", "comparison", "sweep", "efficiency"]
Options = tuple[tuple[str, str], ...]
RENAMED = {"run": "model"}
"""Old keys and their new names."""
COUNTS = ("users", "items", "interactions")
"""Columns of a table of datasets."""
OPTIONS = ({str: Any}, None)
ROW = {
    "name": str, "label": str, "model": str, "ablation": (str, None), "options": OPTIONS, "value": (float, None),
}  # fmt: skip
PROFILE = {
    "datasets": ([str], None), "seeds": ([int], None), "options": OPTIONS,
    "best": ({"rows": int, "seeds": [int]}, None),
}  # fmt: skip
TABLE = {
    "title": str, "kind": str, "paper_table": (int, None), "metrics": [str], "baseline": (str, None),
    "rows": ([ROW], None), "profiles": {str: PROFILE},
}  # fmt: skip
"""Shapes of the files, see `mmrec.utils.json_files`."""


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
        name: "smoke", "ml1m", "hm" or "paper".
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
        name: name of its file, "table1" to "figure5" or "ladder".
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
    content = _read(file, TABLE)
    shared = _read(profiles or experiments_folder() / "profiles.yaml", {str: PROFILE})
    kind, names = content["kind"], [row["name"] for row in content.get("rows") or []]

    def require_value(fits: bool, key: str, words: str) -> None:
        if not fits:
            raise UserError(f"{file}: {key} must be {words}, but is {content.get(key)!r}")

    require_value(kind in get_args(Kind), "kind", f"one of {', '.join(get_args(Kind))}")
    known = COUNTS if kind == "statistics" else COLUMNS
    fits = bool(content["metrics"]) and set(content["metrics"]) <= set(known)
    require_value(fits, "metrics", f"among {', '.join(known)}")
    require_value(len(set(names)) == len(names), "rows", "of different names")
    require_value((kind == "statistics") == (not names), "rows", "left out for statistics, and named for other kinds")
    require_value(content.get("baseline") in (None, *names), "baseline", f"the name of a row ({', '.join(names)})")
    rows = tuple(_row(f"{file}: rows.{row['name']}", row, kind) for row in content.get("rows") or [])
    made = {
        name: _profile(f"{file}: profiles.{name}", name, shared.get(name, {}), own)
        for name, own in content["profiles"].items()
    }
    return Spec(
        file.stem, content["title"], kind, content.get("paper_table"), tuple(content["metrics"]), rows,
        content.get("baseline"), made,
    )  # fmt: skip


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


def _read(file: Path, shape: Any) -> dict[str, Any]:
    """Read a YAML file of a shape, see `mmrec.utils.json_files`, in which keys that the shape lacks are refused."""
    content = read_mapping(file, "keys, see docs/paper.md")
    if words := unknown_key(content, shape):
        key = words.partition(" ")[0].rpartition(".")[2]
        raise UserError(f"{file}: {words}" + (f"; {key} is now called {RENAMED[key]}" if key in RENAMED else ""))
    if words := mismatch(content, shape):
        raise UserError(f"{file}: {words}")
    return content


def _row(place: str, row: Mapping[str, Any], kind: str) -> Row:
    try:
        require_folder_name(row["name"], f"{place}.name")
    except InvalidArgument as error:
        raise UserError(str(error)) from None
    if kind == "sweep" and row.get("value") is None:
        raise UserError(f"{place}.value is missing: every row of a sweep has a number")
    _require_config(f"{place}.model", "model", row["model"])
    if row.get("ablation") is not None:
        _require_config(f"{place}.ablation", "ablation", row["ablation"])
    value = row.get("value")
    return Row(
        row["name"],
        row["label"],
        row["model"],
        row.get("ablation"),
        _options(row),
        None if value is None else float(value),
    )


def _profile(place: str, name: str, base: Mapping[str, Any], own: Mapping[str, Any]) -> Profile:
    merged = {**base, **own}
    for key in ("datasets", "seeds"):
        if not merged.get(key):
            raise UserError(f"{place}.{key} is missing")
    for dataset in merged["datasets"]:
        _require_config(f"{place}.datasets", "data", dataset)
    best = merged.get("best")
    return Profile(
        name, tuple(merged["datasets"]), tuple(merged["seeds"]),
        tuple({**dict(_options(base)), **dict(_options(own))}.items()),
        (0, ()) if best is None else (best["rows"], tuple(best["seeds"])),
    )  # fmt: skip


def _options(section: Mapping[str, Any]) -> Options:
    given = section.get("options") or {}
    return tuple((key, value if isinstance(value, str) else json.dumps(value)) for key, value in given.items())


def _require_config(place: str, kind: str, name: str) -> None:
    if not (configs_folder() / kind / f"{name}.yaml").is_file() and not Path(name).is_file():
        known = ", ".join(sorted(one.stem for one in (configs_folder() / kind).glob("*.yaml")))
        raise UserError(f"{place}: {name} is not a shipped {kind} config, nor a file; there are {known}")
