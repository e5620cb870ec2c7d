"""Encoding on several devices by Lightning's `predict`: a process for each device, a share of the parts for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]  # exported at run time
from torch.multiprocessing.spawn import ProcessRaisedException

from mmrec.data.features.encoders.base import FeatureEncoder, Part
from mmrec.data.features.encoders.blocks import encode_to
from mmrec.errors import UserError

Devices = int | Literal["auto"]


def count_devices(devices: Devices) -> int:
    """Return the number of processes: as given, or for "auto" one for each GPU, and one without any."""
    return devices if devices != "auto" else max(1, torch.cuda.device_count())


def encode_on_devices(folder: Path, encoder: FeatureEncoder, parts: Sequence[Part], devices: int) -> None:
    """Encode parts in as many processes, on a GPU each where there are any; each writes the blocks of its share.

    Process r of n takes the parts r, r + n, ...: which process encodes a part changes nothing in its block.

    Args:
        folder: where the blocks go.
        encoder: not loaded yet; a copy goes to each process. With device "auto" it takes the process's own GPU.
        parts: what to encode.
        devices: number of processes.

    Raises:
        UserError: this process is itself one of several, or whatever the encoder raises.
    """
    if "LOCAL_RANK" in os.environ:
        raise UserError(
            f"data.encoder_devices is {devices}, but this is already one of several processes: run `mmrec prepare` "
            "with this config first, on its own"
        )
    before = {name: os.environ.get(name) for name in ("MASTER_ADDR", "MASTER_PORT")}
    trainer = lightning.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=devices,
        strategy="ddp_spawn",  # the other launcher would run the whole command again in each process
        plugins=[LightningEnvironment()],  # whatever job scheduler there is, the processes are our own
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
    )
    try:
        trainer.predict(_Share(folder, encoder, parts), return_predictions=False)
    except ProcessRaisedException as error:  # of the exception in the process only its traceback is left, as text
        name, _, message = str(error).strip().splitlines()[-1].partition(": ")
        if name == f"{UserError.__module__}.{UserError.__qualname__}":
            raise UserError(message) from None
        raise
    finally:  # Lightning leaves its port behind, where the training that follows would take it for its own
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class _Share(lightning.LightningModule):
    """One process's share. Its batches are parts whose block has been written."""

    def __init__(self, folder: Path, encoder: FeatureEncoder, parts: Sequence[Part]) -> None:
        super().__init__()
        self.folder, self.encoder, self.parts = folder, encoder, parts

    def predict_dataloader(self) -> _Encoding:
        """Return what encodes the share while it is iterated over."""
        mine = self.parts[self.trainer.global_rank :: self.trainer.world_size]
        return _Encoding(self.folder, self.encoder, mine)

    def predict_step(self, batch: Part, batch_idx: int) -> int:
        """Return the number of items: the encoder, with its own device, precision and batches, has encoded them."""
        return len(batch.items)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave the part where it is."""
        return batch


class _Encoding:
    def __init__(self, folder: Path, encoder: FeatureEncoder, parts: Sequence[Part]) -> None:
        self.folder, self.encoder, self.parts = folder, encoder, parts

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Part]:
        return encode_to(self.folder, self.encoder, self.parts)
