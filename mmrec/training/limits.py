"""Limits of the trainer on the batches of a split."""

from __future__ import annotations


def cut_short(limit: int | float) -> bool:
    """Whether a limit, for example `limit_test_batches`, leaves batches out: 1 is one batch, 1.0 is all of them."""
    return isinstance(limit, int) or limit != 1.0
