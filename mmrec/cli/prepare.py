"""`mmrec prepare`: the data of a configuration, prepared without training."""

from __future__ import annotations

from collections.abc import Sequence

from mmrec.cli.data_section import read_data
from mmrec.results.dataset import show_dataset


def prepare(args: Sequence[str]) -> None:
    """Prepare the data of a configuration and encode its items, without training."""
    data = read_data("prepare", prepare.__doc__, args)
    catalog = data.catalog
    show_dataset(catalog.manifest, f"{data.source.name} in {catalog.folder}", data.features)
