"""Products of fp32 matrices that round what they multiply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import torch

Products = Literal["rounded", "exact"]


@contextmanager
def rounded_products(rounded: bool) -> Iterator[None]:
    """Let matrix products round their inputs, to bf16 on a CPU and to TF32 on a GPU; their sums stay in fp32.

    Processors with matrix units for bf16 (AMX) are several times faster so; others go on in fp32. A loss takes this in
    place of autocast, which would round its sums as well: over thousands of exponentials they lose what 8 bits of
    mantissa leave. A search takes it to find candidates, which it then compares exactly.

    Args:
        rounded: whether to; if not, products are left as the user has set them.
    """
    mkldnn = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # set at run time
    units = ((mkldnn, "bf16"), (torch.backends.cuda.matmul, "tf32"))
    before = [unit.fp32_precision for unit, _ in units]
    try:
        for unit, precision in units if rounded else ():
            unit.fp32_precision = precision
        yield
    finally:
        for (unit, _), precision in zip(units, before, strict=True):
            unit.fp32_precision = precision


_of_softmax: Products = "rounded"


def set_softmax_products(products: Products) -> None:
    """Choose for this process how the losses over many items multiply, see `--softmax_products`."""
    global _of_softmax
    _of_softmax = products


def factor_dtype(device: torch.device) -> torch.dtype:
    """Return the type in which a loss over many items multiplies what it has rounded anyway.

    Under `rounded_products` PyTorch rounds factors of fp32 by itself, but on a CPU with matrix units alone, and anew in
    every product. Processors that have only instructions for bf16 (AVX-512 BF16) are twice as fast too when they are
    handed it.
    """
    if device.type != "cpu" or _of_softmax == "exact":
        return torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def softmax_products() -> AbstractContextManager[None]:
    """Return what the products of a loss over many items run under: rounded factors, unless exact ones were chosen.

    The gradient is off by one or two thousandths of its length then, far below what another batch would change.
    """
    return rounded_products(_of_softmax == "rounded")
