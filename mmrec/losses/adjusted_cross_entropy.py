r"""L_rec of eq. 18 with adjusted logits: scores are added to them, and some items are excluded.

    z_pi = h_p·e_i + s_pi + w r_{b(p), i}
    L = 1/P Σ_p (log Σ_{i not excluded} exp(z_pi) - z_p,target)

The scores s are zero for most items, so they are given as entries. r is a fixed table of a few rows; position p takes
row b(p).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mmrec.nn.kernels.adjusted_cross_entropy import Entries, Levels, blocked_adjusted_cross_entropy


def adjusted_cross_entropy(
    hidden: Tensor,
    items: Tensor,
    target: Tensor,
    added: Sequence[Entries],
    excluded: tuple[Tensor, Tensor],
    levels: Levels | None = None,
) -> Tensor:
    """Return the cross-entropy of the next item over all items except the excluded ones and padding.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1, none of them excluded.
        added: s, each with a gradient.
        excluded: rows (n,), ascending, and items (n,) in 1 .. I - 1.
        levels: r, b and w; None for none.

    Returns:
        the mean over P, a scalar.
    """
    return blocked_adjusted_cross_entropy(hidden, items, target, added, excluded, levels)
