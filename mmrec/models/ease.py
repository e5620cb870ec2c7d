"""EASE: embarrassingly shallow autoencoders for sparse data (Steck, WWW 2019), a baseline in closed form."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mmrec.batch import SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.co_occurrence import co_occurrence
from mmrec.data.features.store import Features
from mmrec.errors import InvalidArgument, require
from mmrec.models.recommender import Recommender
from mmrec.nn.kernels.sparse import csr

BYTES = 25  # per pair of items at the peak, measured: the Gram matrix, its factor and the inverse, in fp64


class EASE(Recommender):
    r"""The linear map from a user's items to a user's items that fits training best while no item predicts itself.

        min_B ‖X - X B‖² + λ ‖B‖²,  diag B = 0:   B_ij = -P_ij / P_jj,  P = (XᵀX + λ)⁻¹
        s(u, i) = Σ_{j ∈ history of u} B_ji

    X is the binary matrix of the training interactions. The history is everything before the item to predict, of any
    length and without order. The inverse is computed in fp64. There is nothing to train: run `test` directly. The
    default λ is the best of 100, 200, ..., 1600 on the validation split of MovieLens-1M, where they differ little.

    Args:
        n_items: I, padding included (linked from the data).
        l2: λ.
        max_memory_gb: memory in GB that the inverse may use; it needs 25 bytes per pair of items.

    Raises:
        InvalidArgument: an option is outside its range, or there are too many items for `max_memory_gb`.
    """

    trains_on: ClassVar[TrainsOn] = "nothing"
    weights: Tensor

    def __init__(self, n_items: int, *, l2: float = 200.0, max_memory_gb: float = 8.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        require(l2 > 0, "l2", l2, "above 0")
        needed = BYTES * n_items**2 / 1e9
        if needed > max_memory_gb:
            raise InvalidArgument(
                "max_memory_gb",
                f"max_memory_gb is {max_memory_gb:g}, but EASE inverts a matrix of all pairs of {n_items - 1:,} items, "
                f"which takes {needed:,.1f} GB: raise it if the machine has that memory, keep fewer items, or use "
                "ItemKNN",
            )
        self.n_items = n_items
        self.l2 = l2
        self.register_buffer("weights", torch.empty(0), persistent=False)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Solve for B, (I, I), over the training interactions."""
        gram = torch.empty(self.n_items, self.n_items, dtype=torch.float64)
        for rows, count in co_occurrence(catalog.train):
            gram[rows] = count.double()
        gram.diagonal().add_(self.l2)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        inverse /= -inverse.diagonal().clone()
        inverse.fill_diagonal_(0.0)
        self.weights = inverse.float().to(self.weights.device)

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return (B, I)."""
        row, item = torch.nonzero(batch.multi_hot(self.n_items), as_tuple=True)  # a repeated item counts once
        ones = torch.ones(len(item), device=item.device)
        histories = csr(torch.bincount(row, minlength=len(batch.user)), item, ones, self.n_items)
        with torch.autocast(item.device.type, enabled=False):
            return histories @ self.weights
