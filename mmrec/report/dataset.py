"""What preparation has made, for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from mmrec.data.catalog import Catalog
from mmrec.data.features import Features
from mmrec.report.compare import wide_console


def show_dataset(catalog: Catalog, features: Features | None, console: Console | None = None) -> None:
    """Print the counts, what was dropped and why, and the shares that tell how far a split can be trusted."""
    console = console or wide_console()
    manifest = catalog.manifest
    table = Table(title=f"{manifest.dataset} in {catalog.folder}", show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in manifest.summary():
        table.add_row(name, value)
    if features is not None:
        for modality in ("text", "image"):
            entry = features.manifest[modality]
            table.add_row(
                f"{modality} features ({features.encoder})",
                f"{entry['present']:,} of {catalog.n_items - 1:,} items, width {entry['dim']}",
            )
    console.print(table)
