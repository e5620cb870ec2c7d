"""What encoders with a network share: device, precision, batches as large as memory allows."""

from __future__ import annotations

import importlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmrec.data.features.encoders.base import PART_ITEMS, Block, FeatureEncoder, Modality, Part, hash_file
from mmrec.data.features.encoders.inputs import read_parts
from mmrec.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger(__name__)

BatchSize = int | Literal["auto"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
CPU_BATCH = 32  # on a CPU more gains nothing, and memory that runs out kills the process instead of raising


@dataclass(frozen=True)
class Network:
    """A loaded network.

    Args:
        embed: takes a modality and a list of texts or prepared pictures, returns (n, T) or (n, M) on any device.
        prepare: makes the network's input of a decoded picture; None for a network of texts alone.
    """

    embed: Callable[[Modality, list[Any]], Tensor]
    prepare: Callable[[Image.Image], Any] | None = None


class NeuralEncoder(FeatureEncoder, ABC):
    """Runs a network over parts, batch by batch. Subclasses load it.

    Args:
        batch_size: items at a time, at most 128. Where a GPU's memory does not hold them, it goes on with half as many.
            "auto" begins with 128 on a GPU and takes 32 on a CPU.
        device: "auto" (a GPU where there is one), or a torch device such as "cuda:1".
        precision: "auto" is bf16 autocast on a GPU (fp16 where it has no bf16) and fp32 elsewhere.

    Raises:
        UserError: the batch size is out of its range.
    """

    name: str

    def __init__(self, batch_size: BatchSize, device: str, precision: Precision) -> None:
        if batch_size != "auto" and not 1 <= batch_size <= PART_ITEMS:
            raise UserError(
                f"{type(self).__name__}: batch_size is {batch_size}, it must be auto or between 1 and {PART_ITEMS}"
            )
        self.batch_size = batch_size
        self.device = device
        self.precision = precision

    @abstractmethod
    def load(self, device: torch.device) -> Network:
        """Return the network on a device, ready for inference. Raises UserError if it cannot be had."""

    def text_tower(self) -> Callable[[Sequence[str]], NDArray[np.float32]]:
        """Load the network and return its side for texts: n strings to (n, T)."""
        import torch

        device = choose_device(self.device, type(self).__name__)
        network = self.load(device)

        def texts(strings: Sequence[str]) -> NDArray[np.float32]:
            made = []
            for start in range(0, len(strings), CPU_BATCH):
                with torch.inference_mode(), _autocast(device, self.precision):
                    made.append(network.embed("text", list(strings[start : start + CPU_BATCH])).float().cpu().numpy())
            return np.concatenate(made)

        return texts

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block for each part, in their order.

        Raises:
            UserError: the device or the weights cannot be used, or one item alone does not fit into memory.
        """
        import torch

        device = choose_device(self.device, type(self).__name__)
        network = self.load(device)
        size = self.batch_size
        if size == "auto":
            size = PART_ITEMS if device.type == "cuda" else CPU_BATCH
        for inputs in read_parts(parts, network.prepare):
            if inputs.modality == "text":
                inputs = inputs.longest_first()
            batches: list[NDArray[np.float32]] = []
            start = 0
            while start < len(inputs.values):
                batch = inputs.values[start : start + size]
                with torch.inference_mode(), _autocast(device, self.precision):
                    vectors = _embed(network, inputs.modality, batch)
                if vectors is not None:
                    batches.append(vectors)
                    start += len(batch)
                    continue
                if len(batch) == 1:
                    raise UserError(
                        f"{self.name}: {device} has not enough memory for one {inputs.modality}; free some of it, or "
                        "set the encoder's device to cpu or to another GPU"
                    )
                size = len(batch) // 2
                if device.type == "cuda":
                    torch.cuda.empty_cache()
                log.warning("%s: %s ran out of memory, going on with batches of %d", self.name, device, size)
            stacked = np.concatenate(batches) if batches else np.empty((0, 0), dtype=np.float32)
            yield Block(inputs.rows, stacked, inputs.rejected)


def _embed(network: Network, modality: Modality, batch: list[Any]) -> NDArray[np.float32] | None:
    """Return the vectors of a batch, or None where memory has run out.

    A function of its own, so that neither the exception nor its frames keep tensors alive when the caller tries again.
    """
    try:
        vectors: NDArray[np.float32] = network.embed(modality, batch).float().cpu().numpy()
    except RuntimeError as error:  # torch.OutOfMemoryError, or the words of cuBLAS and of the CPU's allocator
        if not any(words in str(error) for words in ("out of memory", "ALLOC_FAILED", "not enough memory")):
            raise
        return None
    return vectors


def choose_device(name: str, encoder: str) -> torch.device:
    """Return a usable device: the named one, or for "auto" this process's GPU, or the CPU.

    Raises:
        UserError: it cannot be used.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"{encoder}: device {name!r} cannot be used ({str(error).splitlines()[0]})") from error
    return torch.device(name)


def optional_package(module: str, encoder: str) -> Any:
    """Import a package that only some encoders need.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{encoder} cannot import {module} ({error}): pip install 'mmrec[encoders]'") from error


def checkpoint_hash(path: Path, encoder: str) -> str:
    """Return the sha256 of a local weights file. Raises UserError if there is none."""
    if not path.is_file():
        raise UserError(f"{encoder}: checkpoint {path} does not exist; give a weights file")
    return hash_file(path)


def one_line(error: Exception) -> str:
    """Return the beginning of an error's message as one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    import torch

    if precision == "auto":
        if device.type != "cuda":
            precision = "fp32"
        else:
            precision = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")
