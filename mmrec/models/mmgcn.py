"""MMGCN: multi-modal graph convolution network (Wei et al., ACM MM 2019)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from mmrec.batch import PairBatch, SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import InvalidArgument, require, require_choice
from mmrec.losses.bpr import bpr, squared_norm
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.models.rows import Rows
from mmrec.nn.bipartite_graph import BipartiteGraph
from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.kernels.lookup import look_up
from mmrec.nn.known_users import KnownUsers
from mmrec.nn.modality_graph import Combination, ModalityGraph


class MMGCN(Recommender):
    """One graph convolution per modality with shared id embeddings; the mean over modalities scores by dot product.

    In each modality a user starts at a learned preference and an item at its projected feature, see `ModalityGraph`.
    The edges are the training interactions in every modality.

    Choices that the paper leaves open, and departures from its authors' code:
    - Neighbours are averaged, eq. 1; the other aggregation of the paper, the maximum, is not offered.
    - The default combination is the concatenation, which the authors' code uses; "sum" is the element-wise one.
    - Modalities are averaged as in the code; the paper adds them, which is the same up to a factor of the score.
    - Every modality is projected to `hidden_dim` before the graph; the code projects images to 256 and nothing else.
    - `layers` is 2; the code is called with 2 and applies 3.
    - Ids and preferences are trained. In the code the optimizer does not get them, so they stay random.
    - L2 is on the ids and preferences of the batch; the code uses their means, and the preferences of one modality.
    - Features are centred and scaled to length 1. An item without a modality has a zero feature in it, and still has
      its neighbours and its id.
    - Users without training interactions get the mean user's vector.

    Args:
        n_users: U (linked from the data).
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        hidden_dim: D.
        text: whether to use text.
        image: whether to use images.
        layers: number of graph convolutions in each modality.
        combination: how the neighbours and a node's own vector are combined, "concatenation" or "sum".
        l2: weight of the squared ids and preferences, see `mmrec.losses.bpr`.
        lr: learning rate.

    Raises:
        InvalidArgument: an option is outside its range or not one of the choices, or the data has no features for a
            modality in use.
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
        text: bool = True,
        image: bool = True,
        layers: int = 2,
        combination: Combination = "concatenation",
        l2: float = 1e-4,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(lr)
        self.save_hyperparameters()
        require(hidden_dim >= 1, "hidden_dim", hidden_dim, "at least 1")
        require(layers >= 1, "layers", layers, "at least 1")
        require(l2 >= 0, "l2", l2, "at least 0")
        require_choice("combination", combination, Combination)
        self.l2 = l2
        self.n_users = n_users
        if not (text or image):
            raise InvalidArgument(
                "image", "text and image are both false, but MMGCN needs item features: set one to true"
            )
        self.features = ItemFeatures(n_items, text_dim=text_dim, image_dim=image_dim, text=text, image=image)
        self.graph = BipartiteGraph("mean")
        self.known_users = KnownUsers(n_users)
        self.ids = nn.Embedding(n_users + n_items, hidden_dim)  # users before items
        nn.init.xavier_normal_(self.ids.weight)
        self.modalities = nn.ModuleDict(
            {
                name: ModalityGraph(
                    n_users,
                    feature_dim=self.features.rows(name).shape[1],
                    dim=hidden_dim,
                    layers=layers,
                    combination=combination,
                )
                for name in self.features.modalities
            }
        )

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the graph and the users of the train-only view, and the features."""
        self.graph.set_graph(catalog.train)
        self.known_users.set_view(catalog.train)
        self.features.attach(features)

    def row_parameters(self) -> dict[str, Rows]:
        """Return the ids, those of a new item the mean of the trained ones, and the users' preferences."""
        preferences = {f"modalities.{name}.preference": Rows(("users",)) for name in self.modalities}
        return {"ids.weight": Rows(("users", "items"), self.ids.weight[self.n_users + 1 :].mean(dim=0)), **preferences}

    @once_per_evaluation
    def nodes(self) -> Tensor:
        """Return the mean of all nodes over the modalities, users before items, (U + I, D)."""
        encoded = [
            modality(self.features.rows(name), self.ids.weight, self.graph)
            for name, modality in self.modalities.items()
        ]
        return torch.stack(encoded).mean(0)

    @once_per_evaluation
    def user_vectors(self) -> Tensor:
        """Return the users' vectors (U, D), see `KnownUsers`."""
        vectors: Tensor = self.known_users(self.nodes()[: self.n_users])
        return vectors

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return the users' vectors (B, D)."""
        return look_up(batch.user, self.user_vectors())

    def item_vectors(self) -> Tensor:
        """Return the items' vectors (I, D)."""
        return self.nodes()[self.n_users :]

    def losses(self, batch: PairBatch) -> dict[str, Tensor]:
        """BPR, L2 on the ids and preferences of the batch."""
        chosen = (batch.user, self.n_users + batch.positive, self.n_users + batch.negative)
        nodes = self.nodes()
        rank = bpr(*(look_up(index, nodes) for index in chosen))
        norm = squared_norm(
            *(self.ids(index) for index in chosen),
            *(look_up(batch.user, encoder.get_parameter("preference")) for encoder in self.modalities.values()),
        )
        return {"loss": rank + self.l2 * norm, "loss_rec": rank, "squared_norm": norm}
