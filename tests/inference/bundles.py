"""Bundles for tests."""

from pathlib import Path

import pytest

from mmrec.data.datamodule import RecDataModule
from mmrec.inference.bundle import export as exporting
from mmrec.inference.bundle.export import ExportOptions, export_model
from tests.contracts.conftest import build


def write_bundle(name: str, data: RecDataModule, folder: Path, options: ExportOptions | None = None) -> Path:
    """Write the bundle of a model that is not trained, without its graphs, which take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "write_graphs", lambda *_: {})
        export_model(build(name, data).eval(), data, folder, options or ExportOptions())
    return folder
