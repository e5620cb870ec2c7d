"""The files of a table or figure: Markdown, CSV and LaTeX, and for a figure PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.errors import UserError
from mmrec.reproduce.collect import collect
from mmrec.reproduce.comparison import differences_table, main_table, records, tested
from mmrec.reproduce.data_statistics import manifests, statistics_records, statistics_table
from mmrec.reproduce.figures import draw, save
from mmrec.reproduce.spec import Cell, Profile, Spec
from mmrec.reproduce.stamp import stamp
from mmrec.results.table import Table, escaped, latex, markdown
from mmrec.utils.files import write_whole


def render(spec: Spec, profile: Profile, cells: Sequence[Cell], out: Path) -> list[Path]:
    """Write all files of a table or figure.

    `<name>.md`, `<name>.csv` (unrounded) and `<name>.tex` hold every dataset of the profile; a figure, which is what
    is named so, also has `<name>.png` and `<name>.svg`, with the dataset in their names where there are several.

    Args:
        spec: what to write.
        profile: under which it was run.
        cells: the finished runs; rows without one are shown empty. None for statistics, which prepare the data.
        out: folder of the files.

    Returns:
        the files written.

    Raises:
        UserError: no run has finished, a result cannot be read, or two runs of a dataset differ in protocol or data.
    """
    if spec.kind == "statistics":
        found = manifests(profile)
        return _write(spec, {spec.name: statistics_table(spec, profile, found)}, statistics_records(spec, found), out)
    datasets = collect(spec, cells)
    if not datasets:
        raise UserError(f"{spec.name}: no run of profile {profile.name} has finished, so there is nothing to show")
    tables, rows, figures = {}, [], []
    for dataset, runs in datasets.items():
        line = "; ".join(f"{name}: {value}" for name, value in stamp(runs, profile))
        tests = tested(spec, runs)
        tables[f"{spec.name}_{dataset}"] = main_table(spec, dataset, runs, tests, line)
        if tests:
            tables[f"{spec.name}_{dataset}_differences"] = differences_table(spec, dataset, runs, tests)
        rows += records(spec, dataset, runs, tests)
        figure = draw(spec, runs, line) if spec.name.startswith("figure") else None
        if figure is not None:
            figures += save(figure, out / (spec.name if len(datasets) == 1 else f"{spec.name}_{dataset}"))
    return _write(spec, tables, rows, out) + figures


def _write(spec: Spec, tables: dict[str, Table], rows: list[dict[str, Any]], out: Path) -> list[Path]:
    """Write what can be read as text; tables by the name that LaTeX refers to them by."""
    text = [f"# {_name(spec)}\n", *(f"## {escaped(table.title)}\n\n{markdown(table)}" for table in tables.values())]
    floats = ["% needs the package booktabs\n", *(latex(table, label) for label, table in tables.items())]
    files = [out / f"{spec.name}.{ending}" for ending in ("md", "csv", "tex")]
    write_whole(files[0], "\n".join(text))
    write_whole(files[1], pl.DataFrame(rows, infer_schema_length=None).write_csv())
    write_whole(files[2], "\n".join(floats))
    return files


def _name(spec: Spec) -> str:
    """Print a name: Table 2, Figure 3."""
    word = spec.name.rstrip("0123456789")
    return f"{word.capitalize()} {spec.name.removeprefix(word)}".rstrip()
