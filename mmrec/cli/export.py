"""`mmrec export`: a trained run as a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.inference.bundle.export import ExportOptions, export_run


def export(args: Sequence[str]) -> None:
    """Write a trained run as a bundle, a folder that answers without raw data here and in other programs."""
    parser = ArgumentParser(prog="mmrec export", description=export.__doc__, exit_on_error=False)
    parser.add_argument("run", type=Path, help="folder of a run, for example runs/toy/sasrec/seed1; or a checkpoint")
    parser.add_argument("--to", type=Path, required=True, help="the bundle; an earlier bundle is replaced as a whole")
    parser.add_class_arguments(ExportOptions)
    options = parser.parse_args(list(args))
    how = ExportOptions(**{name: getattr(options, name) for name in ExportOptions.__dataclass_fields__})
    made = export_run(options.run, options.to, how)
    size = sum(file.stat().st_size for file in options.to.rglob("*") if file.is_file())
    print(f"{options.to}: {len(made.files) + 1} files, {size / 1e6:.1f} MB; mmrec serve {options.to}")
    if made.index is not None:
        print(f"index {made.index['kind']}: recall@{made.index['k']} {made.index['recall']:.4f}")
    for part, reason in made.absent.items():
        print(f"without {part}: {reason}")
