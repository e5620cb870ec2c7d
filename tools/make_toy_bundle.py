"""Train MM-RACL-KAL on the toy shop and put its bundle into the package, for `mmrec serve --demo`.

    python tools/make_toy_bundle.py

Made again when the layout of bundles changes. It adds less than 1 MB to the wheel: the forms for other programs are
left out, and the images too, which `mmrec.Toy` draws anew.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl

from mmrec.cli import lightning
from mmrec.inference.bundle.export import export_run
from mmrec.inference.bundle.manifest import FILE, BundleManifest, hash_files
from mmrec.utils.files import hash_file
from mmrec.utils.shipped import toy_bundle

LEFT_OUT = ("*.pt2", "*.onnx", "index.faiss", "item_vectors.npy", "static_items.npy")
WHY = "left out to keep the wheel small; `mmrec export` writes it"
CONFIG = "lightning_configs/run/toy_mm_racl_kal.yaml"


def main() -> None:
    """Train in a temporary folder, export, and take the graphs out."""
    to = toy_bundle()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        lightning.run(["fit", "--config", CONFIG, "--tracking.wandb", "false", "--explain", "false"])
        manifest = export_run(Path("runs/toy/mm_racl_kal/seed1"), to)
    make_small(to, manifest)
    size = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    print(f"{to}: {size / 1e6:.1f} MB")


def make_small(folder: Path, manifest: BundleManifest) -> None:
    """Remove what an answer does not need: the forms for other programs, and the index over few vectors."""
    for pattern in LEFT_OUT:
        for file in folder.glob(pattern):
            file.unlink()
            del manifest.files[file.name]
            manifest.absent[file.stem] = WHY
    _forget_images(folder / "data")
    for file in folder.rglob(".checked.json"):
        file.unlink()  # what opening the folder leaves
    manifest.files.clear()
    manifest.files.update((name, value) for name, value in hash_files(folder).items() if name != FILE)
    replace(manifest, index=None).save(folder)


def _forget_images(dataset: Path) -> None:
    """Remove the paths of the images, which lie in a temporary folder, and record the new checksum."""
    items, record = dataset / "items.parquet", dataset / "manifest.json"
    before = hash_file(items)
    pl.read_parquet(items).with_columns(image=pl.lit(None, pl.String)).write_parquet(items)
    record.write_text(record.read_text(encoding="utf-8").replace(before, hash_file(items)), encoding="utf-8")


if __name__ == "__main__":
    main()
