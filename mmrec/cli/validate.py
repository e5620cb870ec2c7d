"""`mmrec validate`: the raw data of a configuration, checked."""

from __future__ import annotations

from collections.abc import Sequence

from mmrec.cli.data_section import read_data
from mmrec.data.prepare.pipeline import assemble
from mmrec.results.dataset import show_dataset


def validate(args: Sequence[str]) -> None:
    """Check the raw data of a configuration as `prepare` does, and write nothing."""
    data = read_data("validate", validate.__doc__, args)
    manifest = assemble(data.source, data.options, data.root, write=False).manifest
    if data.encoder is not None:
        data.encoder.revision()  # raises for missing arrays, and for missing files of weights
    show_dataset(manifest, f"{data.source.name}: checked, nothing written", None)
