"""Products of fp32 matrices that round what they multiply: what mixed precision means inside a loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def rounded_products(rounded: bool) -> Iterator[None]:
    """Let matrix products round their inputs, to bf16 on a CPU and to TF32 on a GPU; their sums stay in fp32.

    Processors with matrix units for bf16 are several times faster so; others go on in fp32. A loss takes this in place
    of autocast, which would round the logits themselves: sums over thousands of exponentials lose what 8 bits of
    mantissa leave.

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
