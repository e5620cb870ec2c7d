"""Train MM-RACL-KAL on the toy shop and put its bundle into the package, for `mmrec serve --demo`.

    python tools/make_toy_bundle.py

Made again when the layout of bundles changes. The exported graphs are left out, and the images too, which the toy shop
draws anew: the bundle adds less than 1 MB to the wheel.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mmrec.cli import lightning
from mmrec.inference.bundle.export import export_run
from mmrec.utils.shipped import toy_bundle

LEFT_OUT = "left out to keep the wheel small; `mmrec export` writes it"
CONFIG = "lightning_configs/run/toy_mm_racl_kal.yaml"


def main() -> None:
    """Train in a temporary folder, export, and take the graphs out."""
    to = toy_bundle()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        lightning.run(["fit", "--config", CONFIG, "--tracking.wandb", "false", "--explain", "false"])
        manifest = export_run(Path("runs/toy/mm_racl_kal/seed1"), to)
    for file in [*to.glob("*.pt2"), *to.glob("*.onnx")]:
        file.unlink()
        del manifest.files[file.name]
        manifest.absent[file.stem] = LEFT_OUT
    manifest.save(to)
    size = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    print(f"{to}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
