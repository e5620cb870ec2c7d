r"""Scores of unseen items, those without training interactions, next to all others in `MMRaclKalNeighbours`.

    places: ρ u·e_i + f_r w_r s_r(i) + c
    order:  ½ ρ u·e_i + w_r s_r(i)

An unseen item has no co-occurrence and no id worth the name. The first score, what is left of z, says which places in
the catalogue are for unseen items, the second one which unseen item takes which: the best by the second one gets the
highest of the first, the next the next, and so on. The order trusts content more than z does: f_r is what content adds
to ids, and u was trained to meet vectors with ids. Its weights were chosen on the validation splits of H&M and Amazon
Beauty with held-out items.

How often unseen items are chosen, no interaction of the past tells. So the offset c is a choice: the largest with which
the other items lose at most a stated share of their NDCG@10 if a tenth of all items is unseen, or as many as there are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmrec.batch import PAD
from mmrec.data.catalog import TrainView
from mmrec.metrics.ranking import ndcg, rank_of_target

INTEREST_SHARE = 0.5  # ½ in the order
STAND_INS = 0.1  # share of the items that are unseen, or taken as such, when the offset is chosen
SEED = 20_261_129
HALVINGS = 20  # of the interval of the offset, after which it is known to a millionth of it


class UnseenItems(nn.Module):
    """The unseen items of a dataset, and their scores.

    Args:
        content_weight: w_r.
        offset: c before it is chosen.
    """

    items: Tensor
    stand_ins: Tensor
    offset: Tensor

    def __init__(self, content_weight: float, offset: float) -> None:
        super().__init__()
        self.content_weight = content_weight
        self.register_buffer("items", torch.empty(0, dtype=torch.int64), persistent=False)
        self.register_buffer("stand_ins", torch.empty(0, dtype=torch.int64), persistent=False)
        self.register_buffer("offset", torch.tensor(offset))

    def set_view(self, view: TrainView) -> None:
        """Find the unseen items, and the stand-ins.

        Stand-ins are all unseen items, followed by others up to `STAND_INS` of the items, by a draw that is always the
        same.

        Args:
            view: the training interactions.
        """
        unseen = view.popularity == 0
        unseen[PAD] = False
        drawn = torch.randperm(view.n_items - 1, generator=torch.Generator().manual_seed(SEED)) + 1
        first = torch.cat([drawn[unseen[drawn]], drawn[~unseen[drawn]]])
        self.items = unseen.nonzero().squeeze(1).to(self.items.device)
        self.stand_ins = first[: max(len(self.items), math.ceil(STAND_INS * view.n_items))].to(self.items.device)

    def forward(self, interest: Tensor, content: Tensor, factor: float, excluded: Tensor) -> Tensor:
        """Return the scores (B, n) of n unseen items.

        Args:
            interest: (B, n), ρ u·e_i.
            content: (B, n), s_r(i).
            factor: f_r.
            excluded: (B, n) bool, items of the history that are not to be recommended: they take no other item's place.
        """
        places = self.places(interest, content, factor)
        order = INTEREST_SHARE * interest + self.content_weight * content
        places_left, items_left = (x.masked_fill(excluded, -torch.inf) for x in (places, order))
        best = items_left.argsort(dim=1, descending=True)
        given = places.scatter(1, best, places_left.sort(dim=1, descending=True).values)
        return torch.where(excluded, places, given) + self.offset

    def places(self, interest: Tensor, content: Tensor, factor: float) -> Tensor:
        """Return the places without c, (B, n); the arguments are those of `forward`."""
        return interest + factor * self.content_weight * content


def leads_of(scores: Tensor, target: Tensor, stand_ins: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Compare held-out interactions with the stand-ins.

    Args:
        scores: (B, I) of all items, -inf for those that are excluded.
        target: (B,) int64.
        stand_ins: (n,) int64.
        places: (B, n), those of the stand-ins without c.

    Returns:
        The rank (m,) of each target among the other items, and the leads (m, n) of the stand-ins' places before it. A
        target that is a stand-in is left out.
    """
    kept = ~torch.isin(target, stand_ins)
    scores, target = scores[kept], target[kept]
    leads = places[kept] - scores.gather(1, target[:, None])
    return rank_of_target(scores.index_fill(1, stand_ins, -torch.inf), target), leads


def largest_offset(ranks: Tensor, leads: Tensor, cost: float) -> float | None:
    """Return the largest c with which the targets lose at most a share of their mean NDCG@10.

    Args:
        ranks: (m,), see `leads_of`.
        leads: (m, n), see `leads_of`.
        cost: largest share that is lost.

    Returns:
        c; None if no target is among the first ten, which tells nothing.
    """
    listed = ndcg(ranks, 10) > 0
    ranks, leads = ranks[listed], leads[listed]
    finite = leads[leads.isfinite()]
    if not len(finite):
        return None
    least = (1 - cost) * ndcg(ranks, 10).mean()
    low, high = -float(finite.max()) - 1.0, -float(finite.min()) + 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if ndcg(ranks + (leads >= -middle).sum(dim=1), 10).mean() >= least:
            low = middle
        else:
            high = middle
    return low
