r"""Scores of items by the neighbours of a history: closed forms of retrieval (eq. 5) and static interest (eq. 9-10).

    s(i) = Σ_t γ^(n - t) w(i_t, i) / Σ_t γ^(n - t)

i_1 .. i_n are the newest items of the history, 20 at most, w is an item-item graph that keeps the K largest weights of
each item, and γ makes older items count less. There are two graphs. Neither has a parameter to learn, so an item with
few interactions is scored as well as a frequent one:

- `ContentScores`: w is the cosine of the fixed features, the table N(i) of eq. 5 used as a graph. Eq. 6 draws one
  neighbour; here every neighbour counts, by its similarity. It reaches items without any interaction.
- `CoOccurrenceScores`: what LightGCN's propagation (eq. 9) makes of one-hot item vectors and no user vectors after two
  layers, w(j, i) = Σ_u A_uj A_ui / (√n_u (√n_j √n_i + h)), a normalised co-occurrence. Two layers divide by n_u; its
  root was better on the validation splits. The shrinkage h distrusts small counts. The graph of the training
  interactions contains the pairs that training predicts: scores of it are for ranking, not for a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import SequenceBatch
from mmrec.data.catalog import TrainView
from mmrec.data.co_occurrence import co_occurrence_weighted
from mmrec.nn.item_features import ItemFeatures

BLOCK = 1024  # items whose similarities to all others are in memory at a time


class Histories(NamedTuple):
    """The items up to each of P positions of a batch, as entries ordered by position.

    Args:
        row: (n,) int64, ascending, number of the position.
        item: (n,) int64, an item at or before it, in its window.
        age: (n,) int64, number of newer items.
        places: P, the number of positions.
    """

    row: Tensor
    item: Tensor
    age: Tensor
    places: int

    @classmethod
    def of(cls, batch: SequenceBatch, place: tuple[Tensor, Tensor]) -> Histories:
        """Return the items of the windows up to some positions, given as rows (P,) and positions (P,)."""
        row, position = place
        age = position[:, None] - torch.arange(batch.items.shape[1], device=position.device)
        number, column = torch.nonzero(age >= 0).T.contiguous()
        return cls(number, batch.items[row[number], column], age[number, column], len(row))

    def newest(self, reach: int) -> Histories:
        """Return the newest items alone."""
        keep = self.age < reach
        return Histories(self.row[keep], self.item[keep], self.age[keep], self.places)


class HistoryScores(nn.Module):
    """Scores of a history that is spread over an item-item graph.

    Args:
        neighbours: K, number of edges kept per item.
        decay: γ.
        reach: number of newest items of the history that count.
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

    def forward(self, histories: Histories) -> Tensor:
        """Return s at each position, (P, I)."""
        newest = histories.newest(self.reach)
        faded = self.decay ** newest.age.float()
        total = faded.new_zeros(newest.places).index_add_(0, newest.row, faded)
        value = self.weight[newest.item] * (faded / total[newest.row])[:, None]
        n_items = len(self.weight)
        column = newest.row[:, None] * n_items + self.neighbour[newest.item]
        scores = faded.new_zeros(newest.places * n_items).index_add_(0, column.flatten(), value.flatten())
        return scores.view(-1, n_items)

    def nearest(self, count: int) -> Tensor:
        """Return the items of the largest weights of each item, (I, count) int64; PAD where there are fewer."""
        best = self.weight.topk(min(count, self.weight.shape[1]), dim=1)
        return self.neighbour.gather(1, best.indices) * (best.values > 0)

    def _keep(self, blocks: list[tuple[Tensor, Tensor]]) -> None:
        device = self.weight.device
        self.weight, self.neighbour = (torch.cat(parts).to(device) for parts in zip(*blocks, strict=True))

    def _largest(self, weights: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Return the K largest weights and their items of a block of rows (n, I) that begins at an item.

        Neither PAD nor the item itself is a neighbour; weights below zero become zero.
        """
        rows = torch.arange(len(weights), device=weights.device)
        weights[rows, rows + first] = -torch.inf
        weights[:, 0] = -torch.inf
        best = weights.topk(min(self.k, weights.shape[1] - 2), dim=1)
        return best.values.clamp_(min=0.0), best.indices


class ContentScores(HistoryScores):
    """The graph of eq. 5 by fixed features: w is the cosine of the texts plus a weight times that of the images.

    Args:
        neighbours: K.
        decay: γ.
        image_share: weight of the cosine of the images, where that of the texts is 1.
    """

    def __init__(self, neighbours: int, decay: float, image_share: float = 0.5) -> None:
        super().__init__(neighbours, decay)
        self.shares = {"text": 1.0, "image": image_share}

    @torch.no_grad()
    def set_features(self, features: ItemFeatures, added: Sequence[int] = ()) -> None:
        """Find the neighbours by what the model reads: rows that are centred and of length 1.

        Args:
            features: the features of all items.
            added: numbers of items of each addition after the preparation, see `add_items`; they are the last items.
        """
        known = features.n_items - sum(added)
        self._keep(
            [
                self._largest(self._weights(features, first, min(first + BLOCK, known), known), first)
                for first in range(0, known, BLOCK)
            ]
        )
        for count in added:
            self.add_items(features, count)

    @torch.no_grad()
    def add_items(self, features: ItemFeatures, count: int) -> None:
        """Add the edges of new items, those that they would have if they had been here before; all others stay.

        An item keeps its neighbours where a new one is more similar, so its row may have more than K.

        Args:
            features: the features of all items.
            count: number of new items, the first of those that have no edges yet.
        """
        known, width = self.weight.shape
        end = known + count
        rows, edges = [], [self.weight.new_zeros(known, 0)]
        for first in range(known, end, BLOCK):
            weights = self._weights(features, first, min(first + BLOCK, end), end)
            edges.append(weights[:, :known].T.clone())  # before the largest are chosen in place
            rows.append(self._largest(weights, first))
        to_new = torch.cat(edges, dim=1)
        largest = torch.cat([self.weight, to_new], dim=1).topk(min(self.k, end - 2), dim=1)
        chosen = (largest.indices >= width) & (largest.values > 0)
        chosen[0] = False  # padding
        first_chosen = chosen.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        first_chosen = first_chosen[:, : int(chosen.sum(dim=1).max())]
        weight = (largest.values * chosen).gather(1, first_chosen)
        neighbour = ((largest.indices - width + known) * chosen).gather(1, first_chosen)
        old = torch.cat([self.weight, weight], dim=1), torch.cat([self.neighbour, neighbour], dim=1)
        longest = max(old[0].shape[1], rows[0][0].shape[1])
        blocks = [old, *rows]
        self._keep([(_widened(weights, longest), _widened(columns, longest)) for weights, columns in blocks])

    def _weights(self, features: ItemFeatures, first: int, end: int, total: int) -> Tensor:
        """Return w (n, I) between the items from `first` to `end` and the first `total` items."""
        modalities = [(self.shares[name], features.rows(name)) for name in features.modalities]
        return torch.stack([share * (rows[first:end] @ rows[:total].T) for share, rows in modalities]).sum(0)


class CoOccurrenceScores(HistoryScores):
    """The graph of eq. 9-10 with one-hot item vectors and without user vectors.

    Args:
        neighbours: K.
        decay: γ.
        shrinkage: h.
    """

    def __init__(self, neighbours: int, decay: float, shrinkage: float = 10.0) -> None:
        super().__init__(neighbours, decay)
        self.shrinkage = shrinkage

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

    def add_items(self, count: int) -> None:
        """Add new items, which nobody has interacted with, so that they have no edges."""
        self.weight, self.neighbour = (F.pad(part, (0, 0, 0, count)) for part in (self.weight, self.neighbour))


def _widened(rows: Tensor, width: int) -> Tensor:
    """Return rows (n, K) with columns of zeros up to a width: edges to padding, of weight zero."""
    return F.pad(rows, (0, width - rows.shape[1]))
