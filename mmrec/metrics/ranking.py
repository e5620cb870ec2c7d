"""Ranks by counting and the metrics that follow from them: HR@10, HR@20, NDCG@10, NDCG@20, MRR.

The rank of the target is 1 + the number of candidates with a higher score + half the number with the same score. This
needs no sort and no cut-off, and a model that gives all items the same score ranks the target in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

CUTOFFS = (10, 20)
"""The k of HR@k and NDCG@k, unless others are asked for."""


def candidate_scores(scores: Tensor, target: Tensor, excluded: tuple[Tensor, Tensor]) -> Tensor:
    """Return a copy of the scores with -inf for excluded items.

    Args:
        scores: (B, C), one score per item.
        target: (B,) int64, the target's column, which is a candidate even if it is excluded.
        excluded: rows (n,) and columns (n,) of the excluded items.
    """
    left = scores.index_put(excluded, scores.new_tensor(-torch.inf))
    return left.scatter_(1, target[:, None], scores.gather(1, target[:, None]))


def rank_of_target(scores: Tensor, target: Tensor) -> Tensor:
    """Return the rank of each target among the candidates, (B,) float32, 1 for the best; halves occur with ties.

    Args:
        scores: (B, C), one score per candidate, -inf for excluded items; that of the target is finite.
        target: (B,) int64, the target's column.
    """
    own = scores.gather(1, target[:, None])
    # Comparisons in fp32 are added up several times faster than in bool, and exactly up to 2^24 candidates.
    ones = torch.empty_like(scores, dtype=torch.float32)
    higher = torch.gt(scores, own, out=ones).sum(1)
    return 0.5 + higher + torch.eq(scores, own, out=ones).sum(1) / 2.0  # the target equals itself


def ndcg(ranks: Tensor, k: int) -> Tensor:
    """Return NDCG@k (n,) of ranks (n,) with one relevant item each: 1 / log2(1 + rank) up to rank k, else 0."""
    return (ranks <= k) / torch.log2(1.0 + ranks)


def rank_metrics(ranks: Tensor, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, Tensor]:
    """Return the metrics of each instance, (n,) float64, given ranks (n,)."""
    ranks = ranks.double()
    values: dict[str, Tensor] = {}
    for k in cutoffs:
        values[f"hr@{k}"] = (ranks <= k).double()
        values[f"ndcg@{k}"] = ndcg(ranks, k)
    values["mrr"] = 1.0 / ranks
    return values


def metric_of(ranks: Tensor, name: str) -> Tensor:
    """Return one metric of each instance, (n,) float64, by its name: "mrr", or "hr@k" or "ndcg@k" of any k."""
    k = name.partition("@")[2]
    return rank_metrics(ranks, (int(k),) if k else ())[name]


def mean_metrics(ranks: Tensor, suffix: str = "", cutoffs: Sequence[int] = CUTOFFS) -> dict[str, Tensor]:
    """Return the mean of each metric over ranks (n,), float32 scalars; `suffix` is appended to the names."""
    return {name + suffix: value.mean().float() for name, value in rank_metrics(ranks, cutoffs).items()}


class RankingMetrics(Metric):
    """Collects the rank of every instance; the same numbers for any batch size and any number of processes.

    Args:
        suffix: suffix of the metrics' names, "_uniform100" for the sampled protocol.
        cutoffs: the k of HR@k and NDCG@k.

    Attributes:
        table: after `compute`, the instances (n,) of all processes in ascending order, and their ranks (n,).
    """

    full_state_update = False
    instances: list[Tensor]
    ranks: list[Tensor]

    def __init__(self, suffix: str = "", cutoffs: Sequence[int] = CUTOFFS) -> None:
        super().__init__()
        self.suffix = suffix
        self.cutoffs = tuple(cutoffs)
        self.table: tuple[Tensor, Tensor] | None = None
        self.add_state("instances", default=[], dist_reduce_fx="cat")
        self.add_state("ranks", default=[], dist_reduce_fx="cat")

    def update(self, instance: Tensor, rank: Tensor) -> None:
        """Add instances (B,) int64 and their ranks (B,)."""
        # One tensor instead of a list of small ones, which would stay between the large tensors of the batches and
        # keep glibc from reusing the memory of these.
        self.instances = [_extend(self.instances, instance)]
        self.ranks = [_extend(self.ranks, rank)]

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each metric over instances."""
        instances, ranks = dim_zero_cat(self.instances), dim_zero_cat(self.ranks)
        order = instances.argsort()
        self.table = instances[order], ranks[order]
        return mean_metrics(ranks[order], self.suffix, self.cutoffs)


def _extend(before: list[Tensor], more: Tensor) -> Tensor:
    """Return a tensor that ends in `more` (B,), in the storage of the tensor before it if that has room.

    The storage doubles, so that n values are copied a few times and not n / B times.
    """
    start = len(before[0]) if before else 0
    end = start + len(more)
    room = before[0].untyped_storage().nbytes() // more.element_size() if before else 0
    if not before or room < end:
        storage = more.new_empty(2 * end)
        if before:
            storage[:start] = before[0]
    else:
        storage = before[0].as_strided((room,), (1,), 0)
    storage[start:end] = more
    return storage[:end]
