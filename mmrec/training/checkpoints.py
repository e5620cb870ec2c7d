"""Checkpoints that are whole or absent, and that belong to the folder they lie in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from mmrec.errors import UserError
from mmrec.utils.files import write_whole


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint next to its file and renames it.

    Lightning writes to the system's folder of temporary files first. Where that is on another filesystem, the move is a
    copy, which an interruption tears.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint."""
        write_whole(Path(path), lambda file: torch.save(checkpoint, file))


class _OwnCheckpoint(ModelCheckpoint):
    """One checkpoint file that belongs to the folder it lies in.

    A run that goes on in a folder that was moved or copied finds its files there, not where they lay before.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best value so far, with the file of this run's folder."""

        def own(path: str) -> str:
            return os.path.join(str(self.dirpath), os.path.basename(path)) if path else path

        paths = {name: own(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        best = {own(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath})


class BestCheckpoint(_OwnCheckpoint):
    """Keeps the checkpoint of the best validation, as `checkpoints/best.ckpt` of the run's folder.

    Args:
        monitor: metric that is highest for the best model.
    """

    def __init__(self, monitor: str = "valid/ndcg@10") -> None:
        super().__init__(monitor=monitor, mode="max", filename="best", enable_version_counter=False)


class LastCheckpoint(_OwnCheckpoint):
    """Keeps the checkpoint of the newest epoch, as `checkpoints/last.ckpt` of the run's folder, to resume from."""

    def __init__(self) -> None:
        super().__init__(filename="last", enable_version_counter=False)


class StopEarly(EarlyStopping):
    """Stops training when validation has not improved for some epochs; a run that has stopped stays so when resumed.

    Args:
        monitor: metric that is highest for the best model.
        patience: number of validations without an improvement after which training stops.
    """

    def __init__(self, monitor: str = "valid/ndcg@10", patience: int = 10) -> None:
        super().__init__(monitor=monitor, mode="max", patience=patience)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best value so far, with the patience of this fit."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """End a resumed fit that had stopped before it was interrupted."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint of a run, its tensors mapped from the file.

    Raises:
        UserError: the file does not exist, is damaged, or is not a checkpoint of Lightning.
    """
    if not file.is_file():
        raise UserError(f"{file}: no such checkpoint; the run has not finished its first epoch")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # unpickling has a wealth of errors for files that are not checkpoints
        raise UserError(f"{file}: not a readable checkpoint ({type(error).__name__}); train again") from error
    if not isinstance(content, dict) or not {"state_dict", "pytorch-lightning_version"} <= content.keys():
        raise UserError(f"{file}: not a checkpoint of a run; name one, for example RUN/checkpoints/best.ckpt")
    return content
