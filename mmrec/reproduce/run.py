"""One run of a table: its folder, its state, and the command that continues it.

The folder of a run is `<runs>/<dataset>/<row>-<key>/seed<k>/`. The key stands for config, data and code
(`mmrec.reproduce.identity`), so the folder belongs to this run alone. `seed<k>.log` next to it holds the run's output.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mmrec.training.callbacks.save_results import TRAINING
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json

State = Literal["new", "interrupted", "done"]
MARKER = "run.json"
"""File that is written last: description of the run, its key and its seconds."""
BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"
"""Checkpoints of a run."""
MARKED = {"key": str, "seconds": float, "seed": int, "profile": str, "dataset": str, "config": str}


@dataclass(frozen=True)
class Run:
    """A run of a table.

    Args:
        folder: folder of the run.
        key: key of its identity.
        args: arguments of `lightning fit`, folder and seed included.
        about: further content of the marker: profile, tables that need the run, dataset, config, seed, and the parts of
            the identity.
    """

    folder: Path
    key: str
    args: tuple[str, ...]
    about: dict[str, Any]

    @property
    def log(self) -> Path:
        """File with the output of the run, over all attempts."""
        return self.folder.with_suffix(".log")

    @property
    def state(self) -> State:
        """The state of the run; an interrupted run continues after its last epoch, or after the end of its fit.

        A folder that was copied from another run, for example of another seed, counts as new, and so does one without
        a checkpoint to continue from.
        """
        marker = read_marker(self.folder)
        if marker is not None and (marker["key"], marker["seed"]) != (self.key, self.about["seed"]):
            return "new"
        if marker is not None and (self.folder / "result.json").is_file():
            return "done"
        return "interrupted" if self._fitted or (self.folder / LAST).is_file() else "new"

    @property
    def _fitted(self) -> bool:
        """Whether the fit has ended with a checkpoint to test."""
        return all((self.folder / name).is_file() for name in (TRAINING, BEST))

    def __str__(self) -> str:
        """Return the names in its folder: dataset, row and seed."""
        return "/".join(self.folder.parts[-3:])

    def command(self) -> list[str]:
        """Return the command of the process that executes it, see `mmrec.cli.table_run`."""
        order = {**asdict(self), "folder": str(self.folder)}
        return [sys.executable, "-m", "mmrec.cli.table_run", json.dumps(order)]

    @classmethod
    def of_order(cls, order: str) -> Run:
        """Return the run that the last word of a command describes."""
        content = json.loads(order)
        return cls(Path(content["folder"]), content["key"], tuple(content["args"]), content["about"])

    def next_args(self) -> list[str]:
        """Return the arguments of `lightning` that finish the run; remove the folder if it cannot be continued."""
        if self.state == "new":
            shutil.rmtree(self.folder, ignore_errors=True)
            return ["fit", *self.args]
        if self._fitted:
            return ["test", *self.args]
        return ["fit", *self.args, "--ckpt_path", "last"]

    def mark(self, seconds: float) -> None:
        """Mark it as finished."""
        text = json.dumps({"key": self.key, "seconds": round(seconds, 1), **self.about}, indent=2)
        write_whole(self.folder / MARKER, text + "\n")


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Return the marker of a finished run, None for another folder."""
    file = folder / MARKER
    advice = "remove it, and the run is repeated"
    return dict(read_json(file, MARKED, advice)) if file.is_file() else None
