"""The data of the contract tests."""

from __future__ import annotations

from functools import cache
from tempfile import TemporaryDirectory

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.sources import Toy


@cache
def toy_data() -> RecDataModule:
    """Return the toy shop, prepared once per process in a temporary folder."""
    folder = TemporaryDirectory(prefix="mmrec_toy_")
    data = RecDataModule(
        Toy(f"{folder.name}/raw"),
        prepare=PrepareOptions(split="leave_one_out", require_text=False, require_image=False),
        encoder=HandcraftedEncoder(),
        root=f"{folder.name}/data",
        max_length=8,
        batch_size=64,
    )
    data.temporary_folder = folder  # type: ignore[attr-defined]  # removed with the data
    return data
