"""Matrix products of fp32 tensors at reduced precision: the factors in bf16 or TF32, the sums in fp32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import torch

LossPrecision = Literal["reduced", "full"]
"""Precision of the matrix products of a loss over many items: factors in bf16 or TF32, or everything in fp32."""

_loss_precision: LossPrecision = "reduced"


def set_loss_precision(precision: LossPrecision) -> None:
    """Choose the precision of the losses over many items, for this process."""
    global _loss_precision
    _loss_precision = precision


def loss_precision() -> AbstractContextManager[None]:
    """Return the context in which the losses over many items compute their matrix products.

    At reduced precision a gradient is wrong by one or two thousandths of its length. That is far less than the
    difference between two batches.
    """
    return reduced_precision(_loss_precision == "reduced")


def factor_dtype(device: torch.device) -> torch.dtype:
    """Return the type to which a loss over many items converts the factors of its products.

    Under `reduced_precision` PyTorch converts fp32 factors by itself, but on a CPU only where the CPU has matrix units
    (AMX), and again in every product. A CPU that has only bf16 instructions (AVX-512 BF16) is twice as fast when it
    gets bf16 factors.
    """
    if device.type != "cpu" or _loss_precision == "full":
        return torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def reduced_precision(reduced: bool) -> Iterator[None]:
    """Compute products of fp32 matrices with factors in bf16 (CPU) or TF32 (GPU) and sums in fp32.

    CPUs with matrix units for bf16 (AMX) are several times faster this way; other CPUs compute in fp32. A loss uses
    this instead of autocast, because autocast also rounds the sums: over thousands of exponentials that loses what
    remains of 8 bits of mantissa. A search uses it to find candidates, which it then compares in fp32.

    Args:
        reduced: whether to reduce the precision; False leaves the user's own settings.
    """
    mkldnn = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # set at run time
    units = ((mkldnn, "bf16"), (torch.backends.cuda.matmul, "tf32"))
    before = [unit.fp32_precision for unit, _ in units]
    try:
        for unit, precision in units if reduced else ():
            unit.fp32_precision = precision
        yield
    finally:
        for (unit, _), precision in zip(units, before, strict=True):
            unit.fp32_precision = precision
