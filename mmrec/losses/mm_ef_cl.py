r"""MM-EF-CL: the weighted sum of the contrastive losses (paper, section 3.4, eq. 16).

    L_CL = λ_ui L_ui + λ_ii L_ii + λ_mm L_mm                        (16)

The terms are eq. 13-15, see `mmrec.losses.contrastive`. The paper does not define the positive of L_ii; here it is the
next item of the same user's training sequence. Items that the user has interacted with never count as negatives of
L_ui and L_ii.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import PAD, TrainBatch
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.negatives import SeenPairs, uniform_items
from mmrec.errors import require
from mmrec.losses.contrastive import cosines, cross_modal, info_nce
from mmrec.nn.item_encoder import ItemVectors
from mmrec.nn.kernels.lookup import look_up, look_up_all
from mmrec.nn.kernels.unit import unit


@dataclass(frozen=True, kw_only=True)
class ContrastOptions:
    """The options of MM-EF-CL.

    Args:
        lambda_ui: weight of L_ui, user against item.
        lambda_ii: weight of L_ii, item against the next item of the user.
        lambda_mm: weight of L_mm, text against image of an item.
        temperature: τ of eq. 13-15.
        decoupled: whether the positive is left out of the denominators, as eq. 13-15 print them.
        negatives: negatives of L_ii, "hard" for the retrieved neighbours of the positive, "random" for uniform ones.
        n_negatives: N, number of uniform negatives of L_ui, and of L_ii with "random".

    Raises:
        InvalidArgument: an option is outside its range.
    """

    lambda_ui: float = 1.0
    lambda_ii: float = 1.0
    lambda_mm: float = 1.0
    temperature: float = 0.1
    decoupled: bool = False
    negatives: Literal["hard", "random"] = "hard"
    n_negatives: int = 256

    def __post_init__(self) -> None:
        for name in ("lambda_ui", "lambda_ii", "lambda_mm"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        require(self.temperature > 0, "temperature", self.temperature, "above 0")
        require(self.negatives in ("hard", "random"), "negatives", self.negatives, "hard or random")
        require(self.n_negatives >= 1, "n_negatives", self.n_negatives, "at least 1")

    @property
    def retrieves(self) -> bool:
        """Whether L_ii needs retrieved neighbours."""
        return self.lambda_ii > 0 and self.negatives == "hard"


class ContrastiveLoss(nn.Module):
    """L_ui, L_ii and L_mm of a batch; a term without a weight is not computed.

    Args:
        n_items: I, padding included.
        options: the options of MM-EF-CL.
    """

    def __init__(self, n_items: int, options: ContrastOptions) -> None:
        super().__init__()
        self.n_items = n_items
        self.options = options
        self.seen_pairs = SeenPairs() if options.lambda_ui > 0 or options.lambda_ii > 0 else None

    def set_view(self, view: TrainView) -> None:
        """Take the training interactions, which are excluded from the negatives."""
        if self.seen_pairs is not None:
            self.seen_pairs.set_view(view)

    def weights(self) -> dict[str, float]:
        """Return the weights of the terms, by name."""
        options = self.options
        return {"ui": options.lambda_ui, "ii": options.lambda_ii, "mm": options.lambda_mm}

    def forward(
        self,
        batch: TrainBatch,
        interest: Tensor,
        place: tuple[Tensor, Tensor],
        items: ItemVectors,
        both: Tensor,
        neighbours: Tensor | None,
    ) -> dict[str, Tensor]:
        """Return the terms by name, each at one uniformly drawn position per user.

        One position per user keeps the cost of the contrast below that of L_rec; over the epochs every position is
        drawn.

        Args:
            batch: the training windows.
            interest: (P, D), u of eq. 12 at the positions that have a target.
            place: rows and positions (P,), (P,) of these positions, row after row.
            items: the vectors of all items.
            both: (I,) bool, the items that have a text and an image.
            neighbours: (I, K) int64, the retrieved neighbours; None if they are not needed.
        """
        options, row = self.options, place[0]
        temperature, decoupled = options.temperature, options.decoupled
        # The places are sorted by row, so a row's places are consecutive.
        count = (batch.targets != PAD).sum(dim=1)
        drawn = (torch.rand(len(count), device=row.device) * count).long().clamp_(max=count - 1)
        chosen = count.cumsum(0) - count + drawn
        anchor, positive = batch.items[place][chosen], batch.targets[place][chosen]
        shared = uniform_items((options.n_negatives if options.lambda_ui > 0 else 0,), self.n_items, row.device)
        candidates = torch.cat([positive[:, None], self._negatives(positive, neighbours)], dim=1)
        first = torch.zeros_like(positive)
        anchors, negatives, own = look_up_all([anchor, shared, candidates], unit(items.fused))
        terms: dict[str, Tensor] = {}
        if options.lambda_ui > 0:
            users = unit(look_up(chosen, interest))
            similarity = torch.cat([cosines(users, own[:, :1]), cosines(users, negatives)], dim=1)
            unseen = F.pad(self._unseen(batch.user, shared[None]), (1, 0))
            terms["ui"] = info_nce(similarity, first, unseen, temperature=temperature, decoupled=decoupled)
        if options.lambda_ii > 0:
            similarity, unseen = cosines(anchors, own), self._unseen(batch.user, candidates)
            terms["ii"] = info_nce(similarity, first, unseen, temperature=temperature, decoupled=decoupled)
        if options.lambda_mm > 0 and items.text is not None and items.image is not None:
            ordered = positive.sort().values
            once = F.pad(ordered.diff() > 0, (1, 0), value=True)
            text, image = look_up(ordered, items.text), look_up(ordered, items.image)
            terms["mm"] = cross_modal(text, image, once & both[ordered], temperature=temperature, decoupled=decoupled)
        return terms

    def _negatives(self, positive: Tensor, neighbours: Tensor | None) -> Tensor:
        """Return the negatives (B, N) of L_ii: neighbours of the positives (B,), or uniform items."""
        if self.options.lambda_ii == 0:  # no negatives are needed
            return positive.new_empty(len(positive), 0)
        if self.options.negatives == "hard" and neighbours is not None:
            return neighbours[positive]
        return uniform_items((len(positive), self.options.n_negatives), self.n_items, positive.device)

    def _unseen(self, user: Tensor, items: Tensor) -> Tensor:
        """Return whether each user (B,) never interacted with the items (B, N) or (1, N) in training, (B, N) bool."""
        assert self.seen_pairs is not None  # built if L_ui or L_ii has a weight
        seen: Tensor = self.seen_pairs(user[:, None], items)
        return ~seen
