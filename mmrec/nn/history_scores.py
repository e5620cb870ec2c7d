r"""Scores of items by the neighbours of a history: closed forms of retrieval (eq. 5) and static interest (eq. 9-10).

    s(i) = Σ_t γ^(n - t) w(i_t, i) / Σ_t γ^(n - t)

i_1 .. i_n is the history, w an item-item graph that keeps the K largest weights of each item, and γ makes older items
count less. There are two graphs. Neither has a parameter to learn, so an item with few interactions is scored as well
as a frequent one:

- `ContentScores`: w is the cosine of the fixed features, the table N(i) of eq. 5 used as a graph. Eq. 6 draws one
  neighbour; here every neighbour counts, by its similarity. It reaches items without any interaction.
- `CoOccurrenceScores`: what LightGCN's propagation (eq. 9) makes of one-hot item vectors and no user vectors after two
  layers, w(j, i) = Σ_u A_uj A_ui / (√n_u (√n_j √n_i + h)), a normalised co-occurrence. Two layers divide by n_u; its
  root was better on the validation splits. The shrinkage h distrusts small counts. The graph of the training
  interactions contains the pair that is to be predicted, which is absent at test time: in training each user's own
  part of w is taken off.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmrec.batch import SequenceBatch
from mmrec.data.catalog import TrainView
from mmrec.data.co_occurrence import co_occurrence_weighted
from mmrec.data.loaders.negatives import SeenPairs
from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.kernels.adjusted_cross_entropy import Entries

BLOCK = 1024  # items whose similarities to all others are in memory at a time


class Histories(NamedTuple):
    """The items up to each of P positions of a batch, as entries ordered by position.

    Args:
        row: (n,) int64, ascending, number of the position.
        user: (n,) int64, user of that position.
        item: (n,) int64, an item at or before it, in its window.
        age: (n,) int64, number of newer items.
        places: P, the number of positions.
    """

    row: Tensor
    user: Tensor
    item: Tensor
    age: Tensor
    places: int

    @classmethod
    def of(cls, batch: SequenceBatch, place: tuple[Tensor, Tensor]) -> Histories:
        """Return the items of the windows up to some positions, given as rows (P,) and positions (P,)."""
        row, position = place
        age = position[:, None] - torch.arange(batch.items.shape[1], device=position.device)
        number, column = torch.nonzero(age >= 0).T.contiguous()
        return cls(number, batch.user[row[number]], batch.items[row[number], column], age[number, column], len(row))

    def newest(self, reach: int) -> Histories:
        """Return the newest items alone."""
        keep = self.age < reach
        return Histories(self.row[keep], self.user[keep], self.item[keep], self.age[keep], self.places)


class HistoryScores(nn.Module):
    """Spread a history over an item-item graph.

    Args:
        neighbours: K, number of edges kept per item.
        decay: γ.
        reach: items of the history that count, the newest ones.
    """

    neighbour: Tensor
    weight: Tensor

    def __init__(self, neighbours: int, decay: float, reach: int = 20) -> None:
        super().__init__()
        self.k = neighbours
        self.decay = decay
        self.reach = reach
        self.register_buffer("neighbour", torch.empty(0, 0, dtype=torch.int64), persistent=False)
        self.register_buffer("weight", torch.empty(0, 0), persistent=False)

    def forward(self, histories: Histories) -> Entries:
        """Return s at each place, as entries (item, score)."""
        newest = histories.newest(self.reach)
        share = self.decay ** newest.age.float()
        total = share.new_zeros(newest.places).index_add_(0, newest.row, share)
        value = self.weights(newest) * (share / total[newest.row])[:, None]
        neighbour = self.neighbour[newest.item]
        return Entries(newest.row[:, None].expand_as(neighbour).flatten(), neighbour.flatten(), value.flatten())

    def weights(self, histories: Histories) -> Tensor:
        """Return w(i_t, i) of each entry's K neighbours, (n, K)."""
        return self.weight[histories.item]

    def _keep(self, blocks: list[tuple[Tensor, Tensor]]) -> None:
        device = self.weight.device
        self.weight, self.neighbour = (torch.cat(parts).to(device) for parts in zip(*blocks, strict=True))

    def _largest(self, weights: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Return the K largest weights and their items of a block of rows (n, I) that begins at an item.

        Neither PAD nor the item itself is a neighbour; where fewer have a weight above zero the rest weigh nothing.
        """
        rows = torch.arange(len(weights), device=weights.device)
        weights[rows, rows + first] = -torch.inf
        weights[:, 0] = -torch.inf
        best = weights.topk(min(self.k, weights.shape[1] - 2), dim=1)
        return best.values.clamp_(min=0.0), best.indices


class ContentScores(HistoryScores):
    """The graph of eq. 5 by fixed features: w sums the cosines of the texts and, with a share, of the images.

    Args:
        neighbours: K.
        decay: γ.
        image_share: weight of the cosine of the images, where that of the texts is 1.
    """

    def __init__(self, neighbours: int, decay: float, image_share: float = 0.5) -> None:
        super().__init__(neighbours, decay)
        self.shares = {"text": 1.0, "image": image_share}

    @torch.no_grad()
    def set_features(self, features: ItemFeatures) -> None:
        """Find the neighbours by what the model reads: rows that are centred and of length 1."""
        modalities = [(self.shares[name], features.rows(name)) for name in features.modalities]
        blocks = []
        for first in range(0, len(modalities[0][1]), BLOCK):
            part = slice(first, first + BLOCK)
            cosines = torch.stack([share * (rows[part] @ rows.T) for share, rows in modalities]).sum(0)
            blocks.append(self._largest(cosines, first))
        self._keep(blocks)


class CoOccurrenceScores(HistoryScores):
    """The graph of eq. 9-10 with one-hot item vectors and without user vectors.

    Args:
        neighbours: K.
        decay: γ.
        shrinkage: h.
    """

    item_norm: Tensor
    user_norm: Tensor

    def __init__(self, neighbours: int, decay: float, shrinkage: float = 10.0) -> None:
        super().__init__(neighbours, decay)
        self.shrinkage = shrinkage
        self.pairs = SeenPairs()
        for name in ("item_norm", "user_norm"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    @torch.no_grad()
    def set_view(self, view: TrainView) -> None:
        """Count in the train-only view."""
        user, item = view.pairs()
        norm = torch.bincount(item, minlength=view.n_items).float().sqrt()
        degree = torch.bincount(user, minlength=view.n_users).clamp(min=1).float().rsqrt()
        blocks = []
        for rows, count in co_occurrence_weighted(view, degree):
            blocks.append(self._largest(count / (norm[rows, None] * norm + self.shrinkage).clamp_(min=1.0), rows.start))
        self._keep(blocks)
        self.pairs.set_view(view)
        self.item_norm, self.user_norm = norm.to(self.weight.device), degree.to(self.weight.device)

    def weights(self, histories: Histories) -> Tensor:
        """Return the weights, in training without what the user itself has added to them."""
        weight = super().weights(histories)
        if not self.training:
            return weight
        neighbour = self.neighbour[histories.item]
        norm = self.item_norm[histories.item, None] * self.item_norm[neighbour] + self.shrinkage
        own = self.user_norm[histories.user, None] / norm.clamp_(min=1.0)
        known: Tensor = self.pairs(histories.user[:, None], neighbour)
        corrected: Tensor = (weight - own * known).clamp_(min=0.0)
        return corrected
