"""Encoding on several devices by Lightning's `predict`: one process per device, each with a shard of the parts."""

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
    """Return the number of processes: as given, or for "auto" one per GPU, and one without a GPU."""
    return devices if devices != "auto" else max(1, torch.cuda.device_count())


def encode_on_devices(folder: Path, encoder: FeatureEncoder, parts: Sequence[Part], devices: int) -> None:
    """Encode parts in several processes, on one GPU each if there are GPUs; each writes the blocks of its shard.

    Process r of n encodes the parts r, r + n, ...; a block does not depend on the process that encodes it.

    Args:
        folder: the folder of the blocks.
        encoder: an encoder that has not loaded its network; each process gets a copy. With device "auto" it uses the
            process's own GPU.
        parts: the parts to encode.
        devices: number of processes.

    Raises:
        UserError: this process is itself one of several, or any error of the encoder.
    """
    if "LOCAL_RANK" in os.environ:
        raise UserError(
            f"encoder_devices is {devices}, but this is already one of several processes: run `mmrec prepare` "
            "with this config first, on its own"
        )
    before = {name: os.environ.get(name) for name in ("MASTER_ADDR", "MASTER_PORT")}
    trainer = lightning.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=devices,
        strategy="ddp_spawn",  # the other launcher would run the whole command in each process
        plugins=[LightningEnvironment()],  # also under a job scheduler, the processes are our own
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
    )
    try:
        trainer.predict(_Shard(folder, encoder, parts), return_predictions=False)
    except ProcessRaisedException as error:  # of the process's exception only the traceback remains, as text
        name, _, message = str(error).strip().splitlines()[-1].partition(": ")
        if name == f"{UserError.__module__}.{UserError.__qualname__}":
            raise UserError(message) from None
        raise
    finally:  # Lightning leaves its port behind, which the training that follows would use
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class _Shard(lightning.LightningModule):
    """The parts of one process, as a model that predicts. Its batches are parts whose block has been written."""

    def __init__(self, folder: Path, encoder: FeatureEncoder, parts: Sequence[Part]) -> None:
        super().__init__()
        self.folder, self.encoder, self.parts = folder, encoder, parts

    def predict_dataloader(self) -> _Encoding:
        """Return an iterable that encodes the shard."""
        own = self.parts[self.trainer.global_rank :: self.trainer.world_size]
        return _Encoding(self.folder, self.encoder, own)

    def predict_step(self, batch: Part, batch_idx: int) -> int:
        """Return the number of items; they are already encoded, with the encoder's own device and precision."""
        return len(batch.items)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Return the part unchanged."""
        return batch


class _Encoding:
    def __init__(self, folder: Path, encoder: FeatureEncoder, parts: Sequence[Part]) -> None:
        self.folder, self.encoder, self.parts = folder, encoder, parts

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Part]:
        return encode_to(self.folder, self.encoder, self.parts)
