r"""Generalised binary cross-entropy, the loss of gSASRec (Petrov and Macdonald, RecSys 2023).

    L = -1 / (k + 1) (log σ(s⁺)^β + Σ⁻ log(1 - σ(s⁻))),
    β = α (t (1 - 1/α) + 1/α),   α = k / (|I| - 1)

With k negatives of |I| - 1 items, positives are over-represented in training and the plain loss (β = 1) learns
probabilities that are too high. β = α corrects that exactly; t moves from plain (0) to corrected (1).

The paper passes σ(s⁺)^β to a binary cross-entropy as a logit, in double precision. Its logarithm is β log σ(s⁺), which
needs neither. There are two departures from the paper:

- s is the dot product plus log(β / k), where all terms balance when nothing is known about the user. The term is the
  same for all items, so the ranking does not depend on it; without it the first thousand steps go into learning it.
- The paper draws k negatives for each position; here blocks of positions share them, see
  `mmrec.nn.kernels.candidate_blocks`. Where all |I| items are drawn, the target is among them and does not count, so k
  is |I| - 1.
"""

from __future__ import annotations

import math

from torch import Tensor

from mmrec.nn.kernels.candidate_blocks import blocked_binary


def generalised_bce(
    hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor, t: float, n_items: int | None = None
) -> Tensor:
    """Return the binary cross-entropy of the next item against k negatives, its positive part to the power of β.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.
        negatives: (⌈P / BLOCK⌉, k) item indices in 1 .. I - 1, see `draw_negatives`; a negative that is a position's
            target does not count there.
        t: calibration in [0, 1], see `gbce_beta`.
        n_items: I, where `items` holds only the rows that are used.

    Returns:
        the mean over P, a scalar.
    """
    n_items = len(items) if n_items is None else n_items
    k = min(negatives.shape[1], max(1, n_items - 2))  # of all items, the target does not count
    beta = gbce_beta(k, n_items, t)
    total = blocked_binary(hidden, items, target, negatives, beta=beta, base=math.log(beta / k))
    return total / (len(target) * (k + 1))


def gbce_beta(n_negatives: int, n_items: int, t: float) -> float:
    """Return β; it is 1 in a catalogue of one item, which has no negatives.

    Args:
        n_negatives: k; more than |I| - 1 count as |I| - 1.
        n_items: I, padding included: |I| of the paper is I - 1.
        t: calibration, 0 for plain binary cross-entropy, 1 for calibrated probabilities.
    """
    alpha = min(1.0, n_negatives / max(1, n_items - 2))
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)
