"""The files of a table or figure: Markdown, CSV and LaTeX, and for a figure PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrec.data.prepare.manifest import Manifest
from mmrec.errors import UserError
from mmrec.reproduce.collect import collect
from mmrec.reproduce.comparison import main_table, records, tested, tests_table
from mmrec.reproduce.data_statistics import statistics_records, statistics_table
from mmrec.reproduce.figures import draw, save
from mmrec.reproduce.spec import Cell, Profile, Spec
from mmrec.reproduce.stamp import stamp
from mmrec.results.table import Table
from mmrec.results.writers.csv import csv, records_table
from mmrec.results.writers.latex import PREAMBLE, latex
from mmrec.results.writers.markdown import markdown
from mmrec.utils.files import write_whole


def render(spec: Spec, profile: Profile, cells: Sequence[Cell], out: Path) -> list[Path]:
    """Write all files of a table or figure of models.

    `<name>.md`, `<name>.csv` (unrounded) and `<name>.tex` hold every dataset of the profile. A spec whose name begins
    with "figure" also has `<name>.png` and `<name>.svg`, with the dataset in their names if there are several.

    Args:
        spec: the table or figure.
        profile: the profile of the runs.
        cells: the finished runs; rows without one are shown empty.
        out: folder of the files.

    Returns:
        the files written.

    Raises:
        UserError: no run has finished, a result cannot be read, or two runs of a dataset differ in protocol or data.
    """
    datasets = collect(spec, cells)
    if not datasets:
        raise UserError(f"{spec.name}: no run of profile {profile.name} has finished, so it cannot be written")
    tables, content, figures = {}, [], []
    for dataset, rows in datasets.items():
        line = "; ".join(f"{name}: {value}" for name, value in stamp(rows, profile))
        tests = tested(spec, rows)
        tables[f"{spec.name}_{dataset}"] = main_table(spec, dataset, rows, tests, line)
        if len(tests) > 1:
            tables[f"{spec.name}_{dataset}_differences"] = tests_table(spec, dataset, rows, tests)
        content += records(spec, dataset, rows, tests)
        figure = draw(spec, rows, line) if spec.name.startswith("figure") else None
        if figure is not None:
            figures += save(figure, out / (spec.name if len(datasets) == 1 else f"{spec.name}_{dataset}"))
    return _write(spec, tables, content, out) + figures


def render_statistics(spec: Spec, profile: Profile, found: Sequence[Manifest], out: Path) -> list[Path]:
    """Write the files of a table of datasets and return them; see `render`.

    Args:
        spec: the table.
        profile: its profile.
        found: manifests of the profile's datasets.
        out: folder of the files.
    """
    return _write(spec, {spec.name: statistics_table(spec, profile, found)}, statistics_records(spec, found), out)


def _write(spec: Spec, tables: dict[str, Table], content: list[dict[str, Any]], out: Path) -> list[Path]:
    """Write the text files; the keys of the tables are the names that LaTeX refers to them by."""
    files = [out / f"{spec.name}.{ending}" for ending in ("md", "csv", "tex")]
    write_whole(files[0], "\n".join([f"# {_name(spec)}\n", *map(markdown, tables.values())]))
    write_whole(files[1], csv(records_table(spec.title, content)))
    write_whole(files[2], "\n".join([PREAMBLE, *(latex(table, label) for label, table in tables.items())]))
    return files


def _name(spec: Spec) -> str:
    """Return the printed name of a table: Table 2, Figure 3."""
    word = spec.name.rstrip("0123456789")
    return f"{word.capitalize()} {spec.name.removeprefix(word)}".rstrip()
