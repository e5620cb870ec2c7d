"""Measures of the recommended lists besides accuracy: coverage, concentration, novelty and diversity.

| name | measure, over the lists of the ten best items of all test instances |
|---|---|
| `coverage@10` | proportion of the catalogue's items that are on any list |
| `gini@10` | Gini coefficient of how often each item is listed: 0 if all equally often, near 1 if only a few |
| `novelty@10` | mean self-information of a listed item in bits, -log2 of its proportion of the training interactions |
| `text_diversity@10`, `image_diversity@10` | mean over the lists of the mean 1 - cosine over the pairs of a list |

Coverage follows Ge et al. (RecSys 2010), Gini Fleder and Hosanagar (Management Science 2009), novelty Zhou et al. (PNAS
2010) with proportions of interactions instead of users, and diversity Ziegler et al. (WWW 2005). An item without
training interactions counts as one with one interaction, because its information would be infinite. Diversity is
measured with the features that the model gets, over the pairs whose items both have the modality; a list without such
a pair is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from mmrec.batch import PAD

LENGTH = 10
"""Number of items on a list."""
MODALITIES = ("text", "image")


class BeyondAccuracy(Metric):
    """Counts the listed items; the same numbers for any batch size and any number of processes.

    Its memory does not grow with the number of instances: one count per item, two sums per modality, and the features
    in half precision, which is enough for four digits of a diversity.

    Args:
        popularity: (I,) int64, number of training interactions of each item; row 0 is padding.
        features: (I, D) vectors by name of the modality, zero for items without it; empty without features.
    """

    full_state_update = False
    popularity: Tensor
    exposure: Tensor
    diversity: Tensor
    lists: Tensor

    def __init__(self, popularity: Tensor, features: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.modalities = list(features)
        self.register_buffer("popularity", popularity, persistent=False)
        for name, rows in features.items():
            self.register_buffer(name, F.normalize(rows.float(), dim=1).half(), persistent=False)
            self.register_buffer(f"{name}_present", rows.any(dim=1), persistent=False)
        self.add_state("exposure", default=torch.zeros(len(popularity), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("diversity", default=torch.zeros(len(features), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("lists", default=torch.zeros(len(features), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, items: Tensor, scores: Tensor) -> None:
        """Add lists of items (B, k), k at most 10, and their scores (B, k), -inf at the end of shorter lists."""
        items = items.masked_fill(scores == -torch.inf, PAD)
        self.exposure += torch.bincount(items.flatten(), minlength=len(self.exposure))
        for place, name in enumerate(self.modalities):
            count = getattr(self, f"{name}_present")[items].sum(1)
            # For n vectors of length 1, the cosines of all ordered pairs add up to |sum of the vectors|^2 - n.
            cosines = F.embedding_bag(items, getattr(self, name), mode="sum").double().square().sum(1) - count
            paired = count > 1
            self.diversity[place] += (1 - cosines / (count * (count - 1)))[paired].sum()
            self.lists[place] += paired.sum()

    def compute(self) -> dict[str, float | None]:
        """Return the measures by name; a diversity is None if no list has a pair with the modality."""
        exposure, popularity = self.exposure[PAD + 1 :].double(), self.popularity[PAD + 1 :].double()
        information = torch.log2(popularity.sum()) - torch.log2(popularity.clamp(min=1))
        measures: dict[str, float | None] = {
            "coverage": (exposure > 0).double().mean().item(),
            "gini": gini(exposure),
            "novelty": ((exposure * information).sum() / exposure.sum()).item(),
            **{f"{name}_diversity": None for name in MODALITIES},
        }
        for name, total, lists in zip(self.modalities, self.diversity.tolist(), self.lists.tolist(), strict=True):
            measures[f"{name}_diversity"] = total / lists if lists else None
        return {f"{name}@{LENGTH}": value for name, value in measures.items()}


def gini(counts: Tensor) -> float:
    """Return the Gini coefficient of non-negative counts (n,), not all zero."""
    ordered = counts.double().sort().values
    place = torch.arange(1, len(ordered) + 1, device=ordered.device)
    return float(((2 * place - len(ordered) - 1) * ordered).sum() / (len(ordered) * ordered.sum()))
