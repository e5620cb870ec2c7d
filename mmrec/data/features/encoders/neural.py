"""The common base of encoders with a network: device, precision, batches as large as memory allows."""

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

from mmrec.data.features.encoders.base import PART_ITEMS, Block, FeatureEncoder, Modality, Part
from mmrec.data.features.encoders.inputs import read_parts
from mmrec.errors import UserError, require_whole_number
from mmrec.utils.files import hash_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger(__name__)

BatchSize = int | Literal["auto"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
CPU_BATCH = 32  # larger batches gain nothing on a CPU, and exceeding its memory kills the process instead of raising


@dataclass(frozen=True)
class Network:
    """A loaded network.

    Args:
        embed: takes a modality and a list of texts or prepared images, returns (n, T) or (n, M) on any device.
        prepare: turns a decoded image into the network's input; None for a network of texts alone.
    """

    embed: Callable[[Modality, list[Any]], Tensor]
    prepare: Callable[[Image.Image], Any] | None = None


class NeuralEncoder(FeatureEncoder, ABC):
    """An encoder that runs a network over parts, batch by batch; subclasses load the network.

    Args:
        batch_size: items per batch, at most 128; halved when a GPU's memory is exceeded. "auto" is 128 on a GPU and 32
            on a CPU.
        device: "auto" (a GPU if there is one), or a torch device such as "cuda:1".
        precision: "auto" is bf16 autocast on a GPU (fp16 where it has no bf16) and fp32 elsewhere.

    Raises:
        InvalidArgument: the batch size is out of range.
    """

    name: str

    def __init__(self, batch_size: BatchSize, device: str, precision: Precision) -> None:
        if batch_size != "auto":
            require_whole_number("batch_size", batch_size, at_least=1, at_most=PART_ITEMS)
        self.batch_size = batch_size
        self.device = device
        self.precision = precision

    @abstractmethod
    def load(self, device: torch.device) -> Network:
        """Return the network on a device, ready for inference. Raises UserError if it cannot be loaded."""

    def text_tower(self) -> Callable[[Sequence[str]], NDArray[np.float32]]:
        """Load the network and return its text encoder: n strings to (n, T)."""
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
        """Yield one block per part, in their order.

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
            values = inputs.values
            if not values and inputs.modality == "text":
                values = ["text"]  # encoded for its width alone
            batches: list[NDArray[np.float32]] = []
            start = 0
            while start < len(values):
                batch = values[start : start + size]
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
                log.warning("%s: %s ran out of memory, continuing with batches of %d", self.name, device, size)
            stacked = np.concatenate(batches) if batches else np.empty((0, 0), dtype=np.float32)
            yield Block(inputs.rows, stacked[: len(inputs.rows)], inputs.rejected)


def _embed(network: Network, modality: Modality, batch: list[Any]) -> NDArray[np.float32] | None:
    """Return the vectors of a batch, or None if memory has run out.

    A separate function, so that neither the exception nor its frames keep tensors alive when the caller tries again.
    """
    try:
        vectors: NDArray[np.float32] = network.embed(modality, batch).float().cpu().numpy()
    except RuntimeError as error:  # torch.OutOfMemoryError, or the words of cuBLAS and of the CPU's allocator
        if not any(words in str(error) for words in ("out of memory", "ALLOC_FAILED", "not enough memory")):
            raise
        return None
    return vectors


def choose_device(name: str, encoder: str) -> torch.device:
    """Return a usable device: the named one, or for "auto" this process's GPU or else the CPU.

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
    """Import and return a package that only some encoders need.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{encoder} cannot import {module} ({error}): pip install 'mmrec[encoders]'") from error


def checkpoint_hash(path: Path, encoder: str) -> str:
    """Return the sha256 of a local weights file. Raises UserError if it does not exist."""
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
