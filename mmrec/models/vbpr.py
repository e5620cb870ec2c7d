"""VBPR: visual Bayesian personalised ranking (He and McAuley, AAAI 2016)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import PairBatch, SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import InvalidArgument, require
from mmrec.losses.bpr import bpr, squared_norm
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.models.rows import Rows
from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.kernels.lookup import look_up
from mmrec.nn.known_users import KnownUsers

INIT_STD = 0.1  # standard deviation of factors and projections


class VBPR(Recommender):
    r"""Matrix factorisation plus a second one whose item factors are projected features.

        s = γ_u · γ_i + θ_u · E f_i + β_i + β' · f_i

    E and β' (the visual bias) are trained with the rest, by BPR. The global bias and the user's bias of the paper add
    the same number to all scores of a user and are left out. The features f_i are images by default; `text: true` adds
    the text, and with `image: false` it replaces the image.

    Departures from the original:
    - Features are centred and scaled to length 1; an item without a feature has f_i = 0.
    - The factors are wider by default.
    - L2 is on the factors and the item bias of the batch, not on E and β'.
    - The optimizer is Adam instead of plain stochastic gradients.
    - Users without training interactions get the mean user's vector.

    Args:
        n_users: U (linked from the data).
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        hidden_dim: width of γ_u and γ_i.
        feature_dim: width of θ_u and of E f_i.
        text: whether to use text.
        image: whether to use images.
        l2: weight of the squared factors and biases, see `mmrec.losses.bpr`.
        lr: learning rate.

    Raises:
        InvalidArgument: an option is outside its range, or the data has no features for a modality in use.
    """

    trains_on: ClassVar[TrainsOn] = "pairs"
    reads_history: ClassVar[bool] = False

    def __init__(
        self,
        *,
        n_users: int,
        n_items: int,
        text_dim: int = 0,
        image_dim: int = 0,
        hidden_dim: int = 64,
        feature_dim: int = 64,
        text: bool = False,
        image: bool = True,
        l2: float = 1e-4,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(lr)
        self.save_hyperparameters()
        for name, width in {"hidden_dim": hidden_dim, "feature_dim": feature_dim}.items():
            require(width >= 1, name, width, "at least 1")
        require(l2 >= 0, "l2", l2, "at least 0")
        self.l2 = l2
        if not (text or image):
            raise InvalidArgument(
                "image", "text and image are both false, but VBPR needs item features: set one to true"
            )
        self.features = ItemFeatures(n_items, text_dim=text_dim, image_dim=image_dim, text=text, image=image)
        self.known_users = KnownUsers(n_users)
        self.user_factors = nn.Embedding(n_users, hidden_dim)  # γ_u
        self.item_factors = nn.Embedding(n_items, hidden_dim)  # γ_i
        self.user_tastes = nn.Embedding(n_users, feature_dim)  # θ_u
        self.item_bias = nn.Embedding(n_items, 1)  # β_i
        self.projection = nn.Linear(self.features.width, feature_dim, bias=False)  # E
        self.feature_bias = nn.Linear(self.features.width, 1, bias=False)  # β'
        for module in (self.user_factors, self.item_factors, self.user_tastes, self.projection):
            nn.init.normal_(module.weight, std=INIT_STD)
        for bias in (self.item_bias, self.feature_bias):
            nn.init.zeros_(bias.weight)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the users of the train-only view, and the features."""
        self.known_users.set_view(catalog.train)
        self.features.attach(features)

    def row_parameters(self) -> dict[str, Rows]:
        """Return the factors and the bias; a new item has γ_i and β_i of zero, towards which L2 draws them."""
        items = {name: self.get_parameter(name) for name in ("item_factors.weight", "item_bias.weight")}
        rows = {name: Rows(("items",), torch.zeros_like(weight[0])) for name, weight in items.items()}
        return {**rows, "user_factors.weight": Rows(("users",)), "user_tastes.weight": Rows(("users",))}

    @once_per_evaluation
    def user_vectors(self) -> Tensor:
        """Return [γ_u, θ_u, 1] of all users, (U, D), see `KnownUsers`."""
        vectors: Tensor = self.known_users(_users(self.user_factors.weight, self.user_tastes.weight))
        return vectors

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return [γ_u, θ_u, 1] of each user, (B, D)."""
        return look_up(batch.user, self.user_vectors())

    @once_per_evaluation
    def item_vectors(self) -> Tensor:
        """Return [γ_i, E f_i, β_i + β' · f_i] of each item, (I, D)."""
        return _items(self.item_factors.weight, self.item_bias.weight, self._visual(None))

    def losses(self, batch: PairBatch) -> dict[str, Tensor]:
        """BPR, and L2 on the factors and item biases of the batch."""
        item = torch.cat([batch.positive, batch.negative])
        # Each item is projected once, however often it occurs; if most of the catalogue occurs, all of it is projected.
        few = len(item) < self.item_bias.num_embeddings / 2
        some, place = torch.unique(item, return_inverse=True) if few else (None, item)
        factors, tastes = self.user_factors(batch.user), self.user_tastes(batch.user)
        item_factors, item_bias = self.item_factors(item), self.item_bias(item)
        items = _items(item_factors, item_bias, look_up(place, self._visual(some)))
        rank = bpr(_users(factors, tastes), *items.chunk(2))
        norm = squared_norm(factors, tastes, *item_factors.chunk(2), *item_bias.chunk(2))
        return {"loss": rank + self.l2 * norm, "loss_rec": rank, "squared_norm": norm}

    def _visual(self, items: Tensor | None) -> Tensor:
        """Return [E f_i, β' · f_i] of some items (n,), or of all items, (n, F + 1)."""
        weight = torch.cat([self.projection.weight, self.feature_bias.weight])
        return F.linear(self.features(items), weight)


def _users(factors: Tensor, tastes: Tensor) -> Tensor:
    """Return [γ_u, θ_u, 1]."""
    return torch.cat([factors, tastes, torch.ones_like(factors[:, :1])], dim=1)


def _items(factors: Tensor, bias: Tensor, visual: Tensor) -> Tensor:
    """Return [γ_i, E f_i, β_i + β' · f_i]."""
    return torch.cat([factors, visual[:, :-1], bias + visual[:, -1:]], dim=1)
