r"""MM-RACL-KAL (Zhang, Software Engineering and Applications 15(2), 2026): eq. 1-16 and 18 combined.

e_i = α W_t v_t + (1 - α) W_m v_m                               (1-3)    `ItemEncoder`
S' = S with items replaced by neighbours of e_i                 (4-6)    `NeighbourTable`, `replace_with_neighbours`
u^d = Transformer(S')_last                                      (7-8)    `SequenceEncoder`
u^s = LightGCN(graph)_u                                         (9-10)   `GraphEncoder`
u = g ⊙ u^d + (1 - g) ⊙ u^s                                     (11-12)  `GatedFusion`
L = L_rec + β L_CL                                              (13-18)  `ContrastiveLoss`
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import SequenceBatch, TrainBatch
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import InvalidArgument, require, require_choice
from mmrec.losses.mm_ef_cl import ContrastiveLoss, ContrastOptions
from mmrec.losses.next_item import next_item_cross_entropy
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.models.rows import Rows
from mmrec.nn.gated_fusion import GatedFusion
from mmrec.nn.graph_encoder import GraphEncoder, Pooling
from mmrec.nn.item_encoder import INIT_STD, ItemEncoder, ItemInputs, ItemVectors
from mmrec.nn.kernels.lookup import look_up, look_up_places
from mmrec.nn.known_users import KnownUsers
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer_block import BlockKind, TransformerOptions
from mmrec.retrieval.augment import replace_with_neighbours
from mmrec.retrieval.index import Backend
from mmrec.retrieval.neighbour_table import NeighbourTable

StaticUser = Literal["prefix", "node", "none"]


class Tables(NamedTuple):
    """What depends on the parameters alone and not on the batch.

    Args:
        items: the vectors of all items, eq. 1-3.
        static_users: (U, D), u^s of eq. 10; None without a static side.
        static_items: (I, D), the item side of the same propagation; None without a static side.
    """

    items: ItemVectors
    static_users: Tensor | None
    static_items: Tensor | None


class MMRaclKal(Recommender):
    """Text and image item vectors, retrieval-augmented sequences, dynamic and static interest, contrastive losses.

    Every part has a switch, so that each row of the paper's ablations is a config. With `text: false`, `image: false`,
    `item_id: true`, `replace_prob: 0`, `static_user: none` and `beta: 0` it is SASRec with full cross-entropy.

    Args:
        n_users: U (linked from the data).
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        max_length: L, the longest window (linked from the data).
        hidden_dim: D.
        text: whether to use text, eq. 1-3.
        image: whether to use images, eq. 1-3.
        item_id: whether to add learned id vectors; the paper has none, see `ItemEncoder`.
        features_first: whether training starts at the features instead of the ids, see `ItemEncoder`.
        id_lr: learning rate of the id vectors, as a multiple of `lr`. With a small one the features explain first what
            they can, and rare items continue to depend on them.
        trained_items_only: whether L_rec sums over the items that have training interactions. An item without any is
            never a target; where it is in the sum, every step moves it away from all users, features or not.
        replace_prob: p of eq. 6; 0 switches MM-SRA off.
        neighbours: K of eq. 5.
        index_backend: "torch", "faiss" or "faiss_ivf", see `nearest_neighbours`.
        dynamic: whether to use the Transformer, eq. 7-8.
        layers: number of Transformer blocks.
        heads: number of attention heads, a divisor of D.
        ffn_dim: width of the network on each position.
        dropout: dropout in the Transformer.
        attention_dropout: dropout on the attention weights.
        block: "plain" or "ligr", see `Block`.
        time_bias: whether attention uses the time gaps, see `TimeBias`; such a model is time-aware.
        static_user: "prefix" averages the propagated vectors of the items up to a position; "node" is the literal u^s
            of eq. 10, which in training already contains the edge to the target; "none" switches the static side off.
        graph_layers: K of eq. 10.
        pooling: pooling of the graph layers, "mean" or "sum".
        beta: β of eq. 18; 0 switches MM-EF-CL off.
        lambda_ui: weight of L_ui, eq. 16.
        lambda_ii: weight of L_ii, eq. 16.
        lambda_mm: weight of L_mm, eq. 16.
        temperature: τ of eq. 13-15.
        decoupled: whether the positive is left out of the denominators, as eq. 13-15 print them.
        negatives: negatives of L_ii, "hard" for the retrieved neighbours of the positive, "random" for uniform ones
            (Table 6).
        n_negatives: N, number of uniform negatives of L_ui, and of L_ii with "random".
        warmup_epochs: number of first epochs with L_rec alone, without replacement and contrast: neighbours of vectors
            that are not yet learned are noise.
        lr: learning rate.
        weight_decay: weight decay of AdamW.

    Raises:
        InvalidArgument: an option is outside its range or not one of the choices, or two options contradict each other.
    """

    trained_items: Tensor

    def __init__(
        self,
        *,
        n_users: int,
        n_items: int,
        text_dim: int = 0,
        image_dim: int = 0,
        max_length: int = 50,
        hidden_dim: int = 64,
        text: bool = True,
        image: bool = True,
        item_id: bool = False,
        features_first: bool = False,
        id_lr: float = 1.0,
        trained_items_only: bool = False,
        replace_prob: float = 0.1,
        neighbours: int = 10,
        index_backend: Backend = "torch",
        dynamic: bool = True,
        layers: int = 2,
        heads: int = 1,
        ffn_dim: int = 256,
        dropout: float = 0.2,
        attention_dropout: float = 0.0,
        block: BlockKind = "plain",
        time_bias: bool = False,
        static_user: StaticUser = "prefix",
        graph_layers: int = 2,
        pooling: Pooling = "mean",
        beta: float = 0.1,
        lambda_ui: float = 1.0,
        lambda_ii: float = 1.0,
        lambda_mm: float = 1.0,
        temperature: float = 0.1,
        decoupled: bool = False,
        negatives: Literal["hard", "random"] = "hard",
        n_negatives: int = 256,
        warmup_epochs: int = 0,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.save_hyperparameters()
        if not dynamic and static_user == "none":
            raise InvalidArgument(
                "dynamic",
                "dynamic is false and static_user is none, so users have no vector: set dynamic to true or static_user "
                "to prefix",
            )
        require_choice("static_user", static_user, StaticUser)
        require_choice("pooling", pooling, Pooling)
        require(hidden_dim >= 1, "hidden_dim", hidden_dim, "at least 1")
        require(id_lr > 0, "id_lr", id_lr, "above 0")
        require(0 <= replace_prob <= 1, "replace_prob", replace_prob, "a probability")
        for name, value in {"graph_layers": graph_layers, "beta": beta, "warmup_epochs": warmup_epochs}.items():
            require(value >= 0, name, value, "at least 0")
        self.id_lr = id_lr
        self.trained_items_only = trained_items_only
        if trained_items_only:
            self.register_buffer("trained_items", torch.empty(0, dtype=torch.int64), persistent=False)
        self.replace_prob = replace_prob
        self.static_user = static_user
        self.beta = beta
        self.warmup_epochs = warmup_epochs
        inputs = ItemInputs(
            text_dim=text_dim,
            image_dim=image_dim,
            text=text,
            image=image,
            item_id=item_id,
            features_first=features_first,
        )
        transformer = TransformerOptions(
            layers=layers, heads=heads, ffn_dim=ffn_dim, dropout=dropout, attention_dropout=attention_dropout,
            block=block, time_bias=time_bias,
        )  # fmt: skip
        contrast = ContrastOptions(
            lambda_ui=lambda_ui, lambda_ii=lambda_ii, lambda_mm=lambda_mm if text and image else 0.0,
            temperature=temperature, decoupled=decoupled, negatives=negatives, n_negatives=n_negatives,
        )  # fmt: skip

        self.item_encoder = ItemEncoder(n_items, hidden_dim, inputs)
        self.dynamic = SequenceEncoder(hidden_dim, max_length, transformer) if dynamic else None
        self.static = GraphEncoder(graph_layers, pooling) if static_user != "none" else None
        if self.static is not None:
            self.user_nodes = nn.Embedding(n_users, hidden_dim)  # E_u^(0) of eq. 9
            nn.init.normal_(self.user_nodes.weight, std=INIT_STD)
            # u^d leaves its Transformer through a layer norm. u^s is a mean of many vectors and some hundred times
            # shorter, which a gate between 0 and 1 cannot correct, so u^s gets a layer norm too.
            self.static_norm = nn.LayerNorm(hidden_dim)
        self.known_users = KnownUsers(n_users) if static_user == "node" else None
        self.gate = GatedFusion(hidden_dim) if self.dynamic is not None and self.static is not None else None
        self.contrast = ContrastiveLoss(n_items, contrast) if beta > 0 else None
        self.library: NeighbourTable | None = None
        if replace_prob > 0 or (beta > 0 and contrast.retrieves):
            require(
                1 <= neighbours <= n_items - 2,
                "neighbours",
                neighbours,
                f"between 1 and {n_items - 2}, the other items",
            )
            backends = get_args(Backend)
            require(index_backend in backends, "index_backend", index_backend, f"one of {', '.join(backends)}")
            self.library = NeighbourTable(neighbours, index_backend)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the features, and the graph and the seen pairs of the train-only view."""
        self.item_encoder.attach(features)
        if self.trained_items_only:
            self.trained_items = catalog.train.popularity.nonzero().squeeze(1).to(self.trained_items.device)
        if self.static is not None:
            self.static.set_graph(catalog.train)
        if self.known_users is not None:
            self.known_users.set_view(catalog.train)
        if self.contrast is not None:
            self.contrast.set_view(catalog.train)

    def row_parameters(self) -> dict[str, Rows]:
        """Return the id vectors and the user nodes, those that the model has."""
        new, rows = self.item_encoder.new_id(), {}
        if new is not None:
            rows["item_encoder.id.weight"] = Rows(("items",), new)
        if self.static is not None:
            rows["user_nodes.weight"] = Rows(("users",))
        return rows

    def losses(self, batch: TrainBatch) -> dict[str, Tensor]:
        """L = L_rec + β (λ_ui L_ui + λ_ii L_ii + λ_mm L_mm), eq. 16 and 18."""
        tables = self.tables()
        items = batch.items
        neighbours = None if self.warming_up else self.neighbours()
        if neighbours is not None and self.replace_prob > 0:
            items = replace_with_neighbours(items, neighbours, self.replace_prob)
        place = batch.places()
        interest, gate = self._interests(batch, items, tables, place)
        among = self.trained_items if self.trained_items_only else None
        terms = {"loss_rec": next_item_cross_entropy(interest, tables.items.fused, batch.targets[place], among)}
        total = terms["loss_rec"]
        if self.contrast is not None and not self.warming_up:
            features, weights = self.item_encoder.features, self.contrast.weights()
            both = features.present("text") & features.present("image")
            contrasts = self.contrast(batch, interest, place, tables.items, both, neighbours)
            for name, value in contrasts.items():
                terms[f"loss_{name}"] = value
                total = total.add(value, alpha=self.beta * weights[name])
        if gate is not None:
            terms["gate"] = gate.mean()
        if self.item_encoder.alpha is not None:
            terms["alpha"] = self.item_encoder.alpha
        return {"loss": total, **terms}

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return u of eq. 12 after the newest item of each window, (B, D); the Transformer reads the newest items.

        Raises:
            InvalidArgument: a window is empty.
        """
        return self._last_interests(batch)[0]

    def item_vectors(self) -> Tensor:
        """Return e of eq. 3, (I, D)."""
        return self.tables().items.fused

    @once_per_evaluation
    def tables(self) -> Tables:
        """Return the item vectors and the propagated graph."""
        items = self.item_encoder()
        if self.static is None:
            return Tables(items, None, None)
        users, static_items = self.static(self.user_nodes.weight, items.fused)
        return Tables(items, users if self.known_users is None else self.known_users(users), static_items)

    def neighbours(self) -> Tensor | None:
        """Return N(i) of eq. 5 for all items, (I, K)."""
        if self.library is None:
            return None
        # In evaluation the parameters come from a checkpoint, and the table of the last epoch does not belong to them.
        if not self.training:
            return self._neighbours_now()
        if not self.library.ready:
            self.refresh_neighbours()
        return self.library.neighbours

    @torch.no_grad()
    def refresh_neighbours(self) -> float | None:
        """Rebuild the neighbour table from the current e if it is in use; return its churn, see `NeighbourTable`."""
        if self.library is None or self.warming_up:
            return None
        return self.library.refresh(self.item_encoder().fused)

    @property
    def warming_up(self) -> bool:
        """Whether this is an epoch with L_rec alone."""
        return self.training and self.current_epoch < self.warmup_epochs

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the id vectors as a group with its own learning rate, and the other parameters."""
        if self.item_encoder.id is None:
            return super().parameter_groups()
        ids = self.item_encoder.id.weight
        others = [p for p in self.parameters() if p.requires_grad and p is not ids]
        return [{"params": others}, {"params": [ids], "lr": self.id_lr * self.lr}]

    def signals(self, batch: SequenceBatch) -> list[dict[str, float]]:
        """Return the mean gate of each user: the proportion of dynamic interest."""
        gate = self._last_interests(batch)[1]
        if gate is None:
            return super().signals(batch)
        return [{"gate": mean} for mean in gate.mean(dim=1).tolist()]

    def item_signals(self, items: list[int]) -> list[dict[str, float]]:
        """Return the α of eq. 3 for each item: 1 or 0 where a modality is missing, absent where both are missing."""
        if self.item_encoder.alpha is None:
            return super().item_signals(items)
        text, image = (weight[items].tolist() for weight in self.item_encoder.weights())
        return [{"alpha": t} if t or i else {} for t, i in zip(text, image, strict=True)]

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return W_t of text features, see `ItemEncoder.text_vectors`."""
        return self.item_encoder.text_vectors(features)

    @once_per_evaluation
    def _neighbours_now(self) -> Tensor | None:
        self.refresh_neighbours()
        return None if self.library is None else self.library.neighbours

    def _last_interests(self, batch: SequenceBatch) -> tuple[Tensor, Tensor | None]:
        """Return u of eq. 12 and the gate of eq. 11 after the newest item of each window, both (B, D)."""
        batch = batch.newest(None if self.dynamic is None else self.dynamic.max_length)
        rows = torch.arange(len(batch.user), device=batch.user.device)
        return self._interests(batch, batch.items, self.tables(), (rows, batch.lengths - 1))

    def _interests(
        self, batch: SequenceBatch, items: Tensor, tables: Tables, place: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Return u of eq. 12 and the gate of eq. 11, both (P, D), at some positions of a batch.

        Args:
            batch: the histories.
            items: (B, L), the windows that the Transformer reads, augmented or not.
            tables: the tables of the current parameters.
            place: rows and positions, (P,) and (P,) int64.
        """
        dynamic = None
        if self.dynamic is not None:
            dynamic = self.dynamic.states_at(items, batch.clock, tables.items.fused, *place)
        static = None
        if self.static_user == "node" and tables.static_users is not None:
            static = self.static_norm(look_up(batch.user[place[0]], tables.static_users))
        elif self.static_user == "prefix" and tables.static_items is not None:
            static = self.static_norm(look_up_places(*place, prefix_mean(batch, tables.static_items)))
        if self.gate is not None and dynamic is not None and static is not None:
            joined, gate = self.gate(dynamic, static)
            return joined, gate
        only = dynamic if dynamic is not None else static
        assert only is not None  # the constructor requires one of the two
        return only, None


def prefix_mean(batch: SequenceBatch, vectors: Tensor) -> Tensor:
    """Return the mean vector of all items up to each position, those before the window included, (B, L, D).

    At positions of padding the result has no meaning.
    """
    earlier = F.embedding_bag(batch.earlier, vectors, batch.earlier_offsets, mode="sum", include_last_offset=True)
    inside = look_up(batch.items, vectors)  # padding follows all positions with a meaning
    positions = torch.arange(1, batch.items.shape[1] + 1, device=batch.items.device)
    count = batch.earlier_offsets.diff()[:, None] + positions
    return (earlier[:, None] + inside.cumsum(dim=1)) / count[..., None]
