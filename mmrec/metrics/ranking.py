"""Ranks by counting and the metrics that follow from them: HR@10, HR@20, NDCG@10, NDCG@20, MRR.

The rank of the target is 1 + the candidates with a higher score + half of those with the same score: no sort, no
cut-off, and a model that scores everything alike lands in the middle, not on top.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

CUTOFFS = (10, 20)


def candidate_scores(scores: Tensor, target: Tensor, excluded: tuple[Tensor, Tensor]) -> Tensor:
    """Return a copy of the scores in which what is no candidate has -inf.

    Args:
        scores: (B, C).
        target: (B,) int64, the target's column: a candidate in any case.
        excluded: rows (n,) and columns (n,) that are no candidates.
    """
    left = scores.index_put(excluded, scores.new_tensor(-torch.inf))
    return left.scatter_(1, target[:, None], scores.gather(1, target[:, None]))


def rank_of_target(scores: Tensor, target: Tensor) -> Tensor:
    """Rank each target among the candidates.

    Args:
        scores: (B, C) the target's finite, and one score a candidate; -inf for what is none.
        target: (B,) int64, the target's column.

    Returns:
        (B,) float32, 1 is best; halves where scores tie.
    """
    own = scores.gather(1, target[:, None])
    # Ones in fp32 are compared and added up several times faster than bools, and exactly up to 2^24 candidates.
    ones = torch.empty_like(scores, dtype=torch.float32)
    higher = torch.gt(scores, own, out=ones).sum(1)
    return 0.5 + higher + torch.eq(scores, own, out=ones).sum(1) / 2.0  # the target is one of its equals


def ndcg(ranks: Tensor, k: int) -> Tensor:
    """NDCG@k (n,) of ranks (n,) for one relevant item each: 1 / log2(1 + rank) within the first k, else 0."""
    return (ranks <= k) / torch.log2(1.0 + ranks)


def rank_metrics(ranks: Tensor) -> dict[str, Tensor]:
    """Per-instance metrics (n,) of ranks (n,), float64."""
    ranks = ranks.double()
    values: dict[str, Tensor] = {}
    for k in CUTOFFS:
        values[f"hr@{k}"] = (ranks <= k).double()
        values[f"ndcg@{k}"] = ndcg(ranks, k)
    values["mrr"] = 1.0 / ranks
    return values


def mean_metrics(ranks: Tensor, suffix: str = "") -> dict[str, Tensor]:
    """Mean of each metric over instances, float32 scalars, of ranks (n,); names end in the protocol's suffix."""
    return {name + suffix: value.mean().float() for name, value in rank_metrics(ranks).items()}


class RankingMetrics(Metric):
    """Collects the rank of every instance; the same numbers for any batch size and any number of processes.

    Args:
        suffix: appended to every name, "_uniform100" for the sampled protocol.

    Attributes:
        table: after `compute`, the instances (n,) of all processes, ascending, and their ranks (n,).
    """

    full_state_update = False
    instances: list[Tensor]
    ranks: list[Tensor]

    def __init__(self, suffix: str = "") -> None:
        super().__init__()
        self.suffix = suffix
        self.table: tuple[Tensor, Tensor] | None = None
        self.add_state("instances", default=[], dist_reduce_fx="cat")
        self.add_state("ranks", default=[], dist_reduce_fx="cat")

    def update(self, instance: Tensor, rank: Tensor) -> None:
        """Add instances (B,) int64 and their ranks (B,)."""
        # One tensor, not a list of small ones: each would survive between the large ones of its batch, and glibc could
        # not reuse the room that these leave.
        self.instances = [_extend(self.instances, instance)]
        self.ranks = [_extend(self.ranks, rank)]

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each metric over instances."""
        instances, ranks = dim_zero_cat(self.instances), dim_zero_cat(self.ranks)
        order = instances.argsort()
        self.table = instances[order], ranks[order]
        return mean_metrics(ranks[order], self.suffix)


def _extend(before: list[Tensor], more: Tensor) -> Tensor:
    """Return a row that ends in `more` (B,), in the storage of the row before it as long as that has room.

    The storage doubles, so that a row of n was copied a few times and not n / B times.
    """
    start = len(before[0]) if before else 0
    end = start + len(more)
    room = before[0].untyped_storage().nbytes() // more.element_size() if before else 0
    if room < end:
        storage = more.new_empty(2 * end)
        if before:
            storage[:start] = before[0]
    else:
        storage = before[0].as_strided((room,), (1,), 0)
    storage[start:end] = more
    return storage[:end]
