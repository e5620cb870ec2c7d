r"""Generalised binary cross-entropy, the loss of gSASRec (Petrov and Macdonald, RecSys 2023).

    L = -1 / (k + 1) (log σ(s⁺)^β + Σ⁻ log(1 - σ(s⁻))),
    β = α (t (1 - 1/α) + 1/α),   α = k / (|I| - 1)

With k negatives of |I| - 1, positives are over-represented in training and the plain loss (β = 1) learns probabilities
that are too high. β = α undoes that exactly, t goes from the one (0) to the other (1).

The paper feeds σ(s⁺)^β back into a binary cross-entropy as a logit, in double precision. Its logarithm is β log σ(s⁺),
which needs neither. Two departures:

- s is the dot product plus log(β / k), at which all terms balance when nothing is known of the user. It is the same for
  all items, so that no ranking depends on it; without it the first thousand steps go into finding it.
- The paper draws k negatives for each position, here blocks of positions share them, see
  `mmrec.nn.kernels.candidate_blocks`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.candidate_blocks import sum_over_positions


def gbce_beta(n_negatives: int, n_items: int, t: float) -> float:
    """Return β.

    Args:
        n_negatives: k.
        n_items: I, padding included: |I| of the paper is I - 1.
        t: calibration, 0 for plain binary cross-entropy, 1 for calibrated probabilities.
    """
    alpha = n_negatives / (n_items - 2)
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)


def generalised_bce(hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor, t: float) -> Tensor:
    """Binary cross-entropy of the next item against k negatives, its positive part to the power of β.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.
        negatives: (⌈P / BLOCK⌉, k) item indices in 1 .. I - 1, see `draw_negatives`; where one is a position's own
            target it does not count.
        t: calibration in [0, 1], see `gbce_beta`.

    Returns:
        the mean over P, a scalar.
    """
    k = negatives.shape[1]
    beta = gbce_beta(k, len(items), t)
    base = math.log(beta / k)

    def of_logits(plus: Tensor, minus: Tensor) -> tuple[Tensor, Tensor]:
        plus, minus = plus.add_(base), minus.add_(base)
        value = beta * F.softplus(-plus).sum() + F.softplus(minus).sum()  # -log σ(s) and -log(1 - σ(s))
        minus.sigmoid_()
        return value, -beta * torch.sigmoid(-plus)

    return sum_over_positions(of_logits, hidden, items, target, negatives) / (len(target) * (k + 1))
