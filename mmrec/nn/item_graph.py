r"""A frozen graph between items that resemble each other in text or picture (FREEDOM: Zhou and Shen, ACM MM 2023).

    (A e)_i = (1 - w) mean_{j ∈ N_t(i)} e_j + w mean_{j ∈ N_m(i)} e_j

N_t(i) and N_m(i) are the nearest items by cosine of the fixed features, found once. One step along the graph gives an
item that nobody has met yet the vectors of those that resemble it. Where an item lacks one modality, the other has the
whole weight; where it lacks both, the step is zero.

FREEDOM weighs an edge by 1 / sqrt(degree x degree) over the directed graph, where every row has K edges; here it is the
mean over the row, which is the same up to how often an item is named by others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.errors import require
from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.sparse import csr, sparse_product
from mmrec.retrieval.index import nearest_neighbours


class ItemGraph(nn.Module):
    """One propagation of item vectors along the neighbours of each modality.

    Args:
        neighbours: K of each modality.
        image_weight: w of an item with both modalities; the paper has .1.
    """

    matrix: Tensor
    transpose: Tensor

    def __init__(self, neighbours: int, image_weight: float) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.image_weight = image_weight
        for name in ("matrix", "transpose"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def set_features(self, features: ItemFeatures) -> None:
        """Find the neighbours of each modality in use.

        Raises:
            UserError: there are not K other items.
        """
        others = len(features.present(features.modalities[0])) - 2
        require(self.neighbours <= others, "model.init_args.graph_neighbours", self.neighbours, f"at most {others}")
        weights = {"text": 1 - self.image_weight, "image": self.image_weight}
        total = torch.stack([weights[name] * features.present(name) for name in features.modalities]).sum(dim=0)
        rows, columns, values = [], [], []
        for name in features.modalities:
            table = nearest_neighbours(features.rows(name), self.neighbours)
            row = torch.arange(len(table), device=table.device).repeat_interleave(self.neighbours)
            column = table.flatten()
            edge = row != column  # an item names itself where it resembles nothing
            row, column = row[edge], column[edge]
            degree = torch.bincount(row, minlength=len(table))
            rows.append(row)
            columns.append(column)
            values.append(weights[name] / (degree * total)[row])
        n_items = len(total)
        # Items that are neighbours in both modalities have one edge with both weights.
        keys, place = torch.unique(torch.cat(rows) * n_items + torch.cat(columns), return_inverse=True)
        value = torch.zeros(len(keys), device=keys.device).index_add_(0, place, torch.cat(values))
        row, column = keys // n_items, keys % n_items
        by_column = column.argsort(stable=True)
        degrees = [torch.bincount(ends, minlength=n_items) for ends in (row, column)]
        self.matrix = csr(degrees[0], column, value, n_items)
        self.transpose = csr(degrees[1], row[by_column], value[by_column], n_items)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return what each item receives from those it resembles, (I, D) from (I, D)."""
        return sparse_product(self.matrix, self.transpose, vectors)
