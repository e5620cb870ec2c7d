"""`mmrec export`: a trained run as a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.inference.bundle.export import ExportOptions, export_run
from mmrec.inference.bundle.index import IndexKind


def export(args: Sequence[str]) -> None:
    """Write a trained run as a bundle, a folder that answers without raw data here and in other programs."""
    parser = ArgumentParser(prog="mmrec export", description=export.__doc__, exit_on_error=False)
    parser.add_argument("run", type=Path, help="folder of a run, for example runs/toy/sasrec/seed1; or a checkpoint")
    parser.add_argument("--to", type=Path, required=True, help="the bundle; an earlier bundle is replaced as a whole")
    parser.add_argument("--index", type=IndexKind, default="exact", help="index over the item vectors")
    parser.add_argument("--k", type=int, default=10, help="length of the lists whose recall is measured")
    parser.add_argument("--images", type=bool, default=False, help="copy the items' images into the bundle")
    options = parser.parse_args(list(args))
    made = export_run(options.run, options.to, ExportOptions(index=options.index, k=options.k, images=options.images))
    size = sum(file.stat().st_size for file in options.to.rglob("*") if file.is_file())
    print(f"{options.to}: {len(made.files) + 1} files, {size / 1e6:.1f} MB; mmrec serve {options.to}")
    if made.index is not None:
        print(f"index {made.index['kind']}: recall@{made.index['k']} {made.index['recall']:.4f}")
    for part, reason in made.absent.items():
        print(f"without {part}: {reason}")
