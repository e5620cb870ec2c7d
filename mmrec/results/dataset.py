"""A prepared dataset in the terminal: counts, what was read and dropped, and how far its split can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console

from mmrec.data.features.store import Features
from mmrec.data.prepare.manifest import Manifest
from mmrec.data.schema import Rejected
from mmrec.results.published import paper_row, reported
from mmrec.results.table import Cell, Column, Table
from mmrec.results.writers.terminal import write
from mmrec.utils.console import wide_console

Line = tuple[str, str]


def show_dataset(manifest: Manifest, title: str, features: Features | None, console: Console | None = None) -> None:
    """Print a dataset.

    Args:
        manifest: manifest of a prepared dataset, or of one that was only checked.
        title: title of the table.
        features: encoded items, None if they are not encoded.
        console: where to print.
    """
    row = paper_row(manifest)
    figures = reported(1, row)
    rows: list[tuple[Cell, ...]] = []
    rules = []
    for section in (_counts(manifest), _reading(manifest), _spread(manifest), _trust(manifest), _features(features)):
        rules.append(len(rows))
        for name, value in section:
            paper = f"{figures[name]:,.0f}" if name in figures else ""
            rows.append((Cell(name), Cell(value), *([Cell(paper)] if figures else [])))
    columns = (Column("", words=True), Column("here"), *([Column(f"paper: {row}")] if figures else []))
    write(Table(title, columns, tuple(rows), rules=tuple(rules)), console or wide_console())


def _counts(manifest: Manifest) -> Iterator[Line]:
    yield "users", f"{manifest.n_users:,}"
    yield "items", f"{manifest.n_items - 1:,}"
    yield "interactions", f"{manifest.n_interactions:,}"
    yield from ((f"  {name}", f"{count:,}") for name, count in manifest.splits.items())
    yield "split", str(manifest.options["split"])
    yield "data hash", manifest.data_hash[:12]


def _reading(manifest: Manifest) -> Iterator[Line]:
    yield "interactions read", f"{manifest.rows_read:,}"
    yield "item records read", f"{manifest.item_rows_read:,}"
    for kind, bad in manifest.rejected.items():
        yield f"  rejected: {kind}", f"{bad['count']:,} (first {Rejected(**bad).example})"
    if manifest.repeated_items:
        yield "  item records beyond the first of their id", f"{manifest.repeated_items:,}"
    for kind, note in manifest.notes.items():
        yield f"  {kind}", f"{note['count']:,} (for example {note['example']})"
    for name, count in manifest.dropped.items():
        if count:
            yield f"  interactions dropped: {name}", f"{count:,}"


def _spread(manifest: Manifest) -> Iterator[Line]:
    statistics = manifest.statistics
    yield "density", f"{statistics['density']:.4%}"
    for name in ("user", "item"):
        spread = statistics[f"per_{name}"]
        quantiles = " / ".join(f"{spread[key]:,}" for key in ("min", "q05", "median", "q95", "max"))
        yield f"interactions of one {name}: mean", f"{spread['mean']:,.1f}"
        yield "  min / 5 % / median / 95 % / max", quantiles
    if manifest.timed:
        first, last = (datetime.fromtimestamp(time, UTC).date().isoformat() for time in statistics["period"])
        yield "period", f"{first} to {last}"
    else:
        yield "period", "an order without times"
    for kind, share in statistics["coverage"].items():
        yield f"{kind}: share of items / of interactions", f"{share['items']:.1%} / {share['interactions']:.1%}"


def _trust(manifest: Manifest) -> Iterator[Line]:
    statistics = manifest.statistics
    yield "events at the time of the one before", f"{statistics['tie_share']:.1%}"
    for rule, share in statistics["leak_share"].items():
        yield f"test older than the newest training event: {rule}", f"{share:.1%}"
    for name, count in statistics["without_history"].items():
        if count:
            yield f"{name} events without a history, not ranked", f"{count:,}"


def _features(features: Features | None) -> Iterator[Line]:
    if features is None:
        return
    for modality in ("text", "image"):
        entry = features.manifest[modality]
        present = f"{entry['present']:,} of {features.manifest['n_items'] - 1:,} items, width {entry['dim']}"
        yield f"{modality} features ({features.encoder})", present
