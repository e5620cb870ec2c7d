"""One run of a table: where it is, how far it has come, and the command that takes it on from there.

A run's folder is `<runs>/<dataset>/<row>-<key>/seed<k>/`, and the key stands for its config, data and code
(`mmrec.cli.run_identity`): what is in it belongs to this run and no other. Beside it, `seed<k>.log` has what it printed.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mmrec.utils.files import write_whole

State = Literal["new", "interrupted", "done"]
MARKER = "run.json"
"""Written last: what the run was, its key and how many seconds it took."""


@dataclass(frozen=True)
class Run:
    """A run of a table.

    Args:
        folder: of the run.
        key: of its identity.
        args: what `lightning fit` is given, folder and seed included.
        about: what else the marker says: profile, tables that asked for it, dataset, config, seed, and the parts of the
            identity.
    """

    folder: Path
    key: str
    args: tuple[str, ...]
    about: dict[str, Any]

    @property
    def log(self) -> Path:
        """What the run prints, over all attempts."""
        return self.folder.with_suffix(".log")

    @property
    def state(self) -> State:
        """How far it has come: an interrupted run goes on from its last epoch, or from the end of its fit.

        A folder that was copied from another run, of another seed say, has come nowhere.
        """
        marker = read_marker(self.folder)
        if marker is not None and (marker["key"], marker["seed"]) != (self.key, self.about["seed"]):
            return "new"
        if marker is not None and (self.folder / "result.json").is_file():
            return "done"
        left = ("checkpoints/last.ckpt", "training.json")
        return "interrupted" if any((self.folder / name).is_file() for name in left) else "new"

    def __str__(self) -> str:
        """Return its folder's names: dataset, row and seed."""
        return "/".join(self.folder.parts[-3:])

    def command(self) -> list[str]:
        """Return the command of the process that executes it, see `mmrec.cli.table_run`."""
        order = {**asdict(self), "folder": str(self.folder)}
        return [sys.executable, "-m", "mmrec.cli.table_run", json.dumps(order)]

    @classmethod
    def of_order(cls, order: str) -> Run:
        """Return the run of the last word of a command."""
        content = json.loads(order)
        return cls(Path(content["folder"]), content["key"], tuple(content["args"]), content["about"])

    def next_args(self) -> list[str]:
        """Return what `lightning` must be given to finish it, and clear away what cannot be gone on from."""
        if self.state == "new":
            shutil.rmtree(self.folder, ignore_errors=True)
            return ["fit", *self.args]
        if (self.folder / "training.json").is_file():  # written when a fit has ended
            return ["test", *self.args]
        return ["fit", *self.args, "--ckpt_path", "last"]

    def mark(self, seconds: float) -> None:
        """Mark it as finished."""
        text = json.dumps({"key": self.key, "seconds": round(seconds, 1), **self.about}, indent=2)
        write_whole(self.folder / MARKER, text + "\n")


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Return the marker of a finished run, None of another folder."""
    file = folder / MARKER
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None
