"""The loss of a sequence model, chosen by name; the negatives are drawn here."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from mmrec.data.catalog import TrainView
from mmrec.data.loaders.negatives import UniformNegativeSampler
from mmrec.errors import require, require_choice
from mmrec.losses.bce import binary_cross_entropy
from mmrec.losses.gbce import generalised_bce
from mmrec.losses.next_item import next_item_cross_entropy
from mmrec.losses.sampled_softmax import sampled_softmax
from mmrec.nn.kernels.candidate_blocks import draw_negatives

LossName = Literal["cross_entropy", "sampled_softmax", "gbce", "bce"]


class NextItemLoss(nn.Module):
    """The loss of the next item at every position.

    Args:
        loss: "cross_entropy" over all items; "sampled_softmax" over the target and a uniform sample; "gbce", the
            calibrated binary cross-entropy of gSASRec; "bce", that of the original SASRec with one negative which the
            user has not interacted with.
        n_negatives: N of "sampled_softmax" and "gbce"; all items where there are fewer.
        gbce_t: calibration t of "gbce", in [0, 1].

    Raises:
        InvalidArgument: an option is outside its range.
    """

    def __init__(self, loss: LossName, *, n_negatives: int = 256, gbce_t: float = 0.75) -> None:
        super().__init__()
        require_choice("loss", loss, LossName)
        require(n_negatives >= 1, "n_negatives", n_negatives, "at least 1")
        require(0 <= gbce_t <= 1, "gbce_t", gbce_t, "between 0 and 1")
        self.loss = loss
        self.n_negatives = n_negatives
        self.gbce_t = gbce_t
        self.negative_sampler = UniformNegativeSampler() if loss == "bce" else None

    def set_view(self, view: TrainView) -> None:
        """Take the training interactions, which "bce" excludes from its negatives."""
        if self.negative_sampler is not None:
            self.negative_sampler.set_view(view)

    def forward(self, user: Tensor, hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the positions that have a target, a scalar.

        Args:
            user: (P,) user indices.
            hidden: (P, D) user vectors.
            items: (I, D) item vectors, row 0 padding.
            target: (P,) item indices in 1 .. I - 1.
        """
        if self.loss == "cross_entropy":
            return next_item_cross_entropy(hidden, items, target)
        return self.against(hidden, items, target, self.draw(user, len(items)), len(items))

    def draw(self, user: Tensor, n_items: int) -> Tensor:
        """Return negatives for positions of some users (P,), as the loss takes them: (P,), or (⌈P / BLOCK⌉, N)."""
        if self.negative_sampler is not None:
            drawn: Tensor = self.negative_sampler(user)
            return drawn
        return draw_negatives(len(user), self.n_negatives, n_items, user.device)

    def against(self, hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor, n_items: int) -> Tensor:
        """Return the mean over the positions that have a target, a scalar, given the negatives.

        Args:
            hidden: (P, D) user vectors.
            items: item vectors, row 0 padding; only those that are used need be there.
            target: (P,) rows of `items`.
            negatives: rows of `items`, see `draw`.
            n_items: I.
        """
        if self.loss == "bce":
            return binary_cross_entropy(hidden, items, target, negatives)
        if self.loss == "gbce":
            return generalised_bce(hidden, items, target, negatives, self.gbce_t, n_items)
        return sampled_softmax(hidden, items, target, negatives)
