"""`mmrec config`: the shipped configurations, listed or printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.errors import UserError
from mmrec.utils.shipped import configs_folder
from mmrec.utils.suggest import did_you_mean


def config(args: Sequence[str]) -> None:
    """List the shipped configurations, or print one of them: `mmrec config my_shop > my_shop.yaml`."""
    parser = ArgumentParser(prog="mmrec config", description=config.__doc__, exit_on_error=False)
    parser.add_argument(
        "name", type=str | None, nargs="?", help="name of a file, with its folder where two share a name"
    )
    name = parser.parse_args(list(args)).name
    files = {path.relative_to(configs_folder()).with_suffix("").as_posix(): path for path in _files()}
    if name is None:
        print("\n".join(files))
        return
    name = name.removesuffix(".yaml")
    found = [name] if name in files else [key for key in files if key.endswith(f"/{name}")]
    if len(found) != 1:
        close = did_you_mean(name, [*files, *(key.rpartition("/")[2] for key in files)])
        unknown = f"is not a shipped configuration{close}; `mmrec config` lists them"
        raise UserError(f"mmrec config {name}: " + (f"is one of {', '.join(found)}" if found else unknown))
    sys.stdout.write(files[found[0]].read_text(encoding="utf-8"))


def _files() -> list[Path]:
    return sorted(configs_folder().rglob("*.yaml"))
