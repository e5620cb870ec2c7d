"""LightGCN: graph convolution without weights and nonlinearities (He et al., SIGIR 2020), and Text-, Image-LightGCN."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from mmrec.batch import PairBatch, SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import require
from mmrec.losses.bpr import bpr, squared_norm
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.models.rows import Rows
from mmrec.nn.graph_encoder import GraphEncoder
from mmrec.nn.item_encoder import ItemEncoder, ItemInputs
from mmrec.nn.kernels.lookup import look_up
from mmrec.nn.known_users import KnownUsers

INIT_STD = 0.1  # standard deviation of ids and projections, as in the authors' PyTorch code


class LightGCN(Recommender):
    r"""User and item embeddings propagated over the training graph; the score is the dot product of the layers' means.

        E^(k) = D^-1/2 A D^-1/2 E^(k-1),   e = 1/(K+1) Σ_k e^(k),   s = e_u · e_i

    It is trained by BPR with L2 on the ego embeddings E^(0) of the batch. There is one propagation per step and one per
    evaluation. A user is a node, so interactions after the training period do not change the score.

    With `text: true` or `image: true` and `item_id: false` the ego embedding of an item is its projected text or image
    feature: the Text-LightGCN and the Image-LightGCN of the paper's table 4, which says only that a feature replaces
    the item representation in the same structure. Users have no feature and keep their learned embedding. All three may
    be combined, see `ItemEncoder`.

    Departures from the original:
    - Every training interaction is a sample once per epoch. The authors draw users and then one of their items.
    - The optimizer is AdamW without decay, which is their Adam.
    - Users without training interactions get the mean user's vector.
    - Features are centred and scaled to length 1.

    Args:
        n_users: U (linked from the data).
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        hidden_dim: D.
        item_id: whether to use learned id vectors.
        text: whether to use text.
        image: whether to use images.
        layers: K, number of propagations; 0 is matrix factorisation.
        l2: weight of the squared ego embeddings, see `mmrec.losses.bpr`.
        lr: learning rate.

    Raises:
        InvalidArgument: two options contradict each other, or the data has no features for a modality in use.
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
        item_id: bool = True,
        text: bool = False,
        image: bool = False,
        layers: int = 3,
        l2: float = 1e-4,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(lr)
        self.save_hyperparameters()
        require(hidden_dim >= 1, "hidden_dim", hidden_dim, "at least 1")
        require(layers >= 0, "layers", layers, "at least 0")
        require(l2 >= 0, "l2", l2, "at least 0")
        self.l2 = l2
        self.user_embedding = nn.Embedding(n_users, hidden_dim)
        inputs = ItemInputs(text_dim=text_dim, image_dim=image_dim, text=text, image=image, item_id=item_id)
        self.item_encoder = ItemEncoder(n_items, hidden_dim, inputs)
        self.graph = GraphEncoder(layers)
        self.known_users = KnownUsers(n_users)
        encoder = self.item_encoder
        for module in (self.user_embedding, encoder.id, encoder.text_projection, encoder.image_projection):
            if module is not None:
                nn.init.normal_(module.weight, std=INIT_STD)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the graph and the users of the train-only view, and the features."""
        self.graph.set_graph(catalog.train)
        self.known_users.set_view(catalog.train)
        self.item_encoder.attach(features)

    def row_parameters(self) -> dict[str, Rows]:
        """Return the user embeddings, and the item ids if there are any."""
        new, rows = self.item_encoder.new_id(), {"user_embedding.weight": Rows(("users",))}
        return rows if new is None else {**rows, "item_encoder.id.weight": Rows(("items",), new)}

    def ego(self) -> tuple[Tensor, Tensor]:
        """Return E^(0): users (U, D) and items (I, D)."""
        return self.user_embedding.weight, self.item_encoder().fused

    @once_per_evaluation
    def propagated(self) -> tuple[Tensor, Tensor]:
        """Return the means over the layers: users (U, D) and items (I, D)."""
        users, items = self.graph(*self.ego())
        return users, items

    @once_per_evaluation
    def user_vectors(self) -> Tensor:
        """Return the users' propagated embeddings (U, D), see `KnownUsers`."""
        vectors: Tensor = self.known_users(self.propagated()[0])
        return vectors

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return the users' propagated embeddings (B, D)."""
        return look_up(batch.user, self.user_vectors())

    def item_vectors(self) -> Tensor:
        """Return the items' propagated embeddings (I, D)."""
        return self.propagated()[1]

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return W_t of text features, see `ItemEncoder.text_vectors`."""
        return self.item_encoder.text_vectors(features)

    def losses(self, batch: PairBatch) -> dict[str, Tensor]:
        """BPR over the propagated embeddings, L2 on the ego embeddings of the batch."""
        ego_users, ego_items = self.ego()
        users, items = self.graph(ego_users, ego_items)
        rank = bpr(*_rows(batch, users, items))
        norm = squared_norm(*_rows(batch, ego_users, ego_items))
        return {"loss": rank + self.l2 * norm, "loss_rec": rank, "squared_norm": norm}


def _rows(batch: PairBatch, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows (B, D) of users, positive and negative items."""
    return look_up(batch.user, users), look_up(batch.positive, items), look_up(batch.negative, items)
