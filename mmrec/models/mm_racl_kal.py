"""MM-RACL-KAL (Zhang, Software Engineering and Applications 15(2), 2026): eq. 1-16 and 18 put together."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import PAD, SequenceBatch, TrainBatch
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.data.loaders.negatives import SeenPairs, uniform_items
from mmrec.errors import InvalidArgument, require
from mmrec.losses.contrastive import cosines, cross_modal, info_nce, unit
from mmrec.losses.next_item import next_item_cross_entropy
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.nn.gated_fusion import GatedFusion
from mmrec.nn.graph_encoder import GraphEncoder, Pooling
from mmrec.nn.item_encoder import INIT_STD, ItemEncoder, ItemVectors
from mmrec.nn.kernels.lookup import look_up, look_up_all, look_up_places
from mmrec.nn.known_users import KnownUsers
from mmrec.nn.sequence_encoder import BlockKind, SequenceEncoder
from mmrec.retrieval.augment import replace_with_neighbours
from mmrec.retrieval.index import Backend
from mmrec.retrieval.neighbour_table import NeighbourTable


class Tables(NamedTuple):
    """What depends on the parameters alone and not on the batch.

    Args:
        items: eq. 1-3 for all items.
        static_users: (U, D), u^s of eq. 10, or None without a static side.
        static_items: (I, D), the item side of the same propagation, or None.
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
        max_length: the longest window L (linked from the data).
        hidden_dim: D.
        text: use text, eq. 1-3.
        image: use images, eq. 1-3.
        item_id: add learned id vectors; the paper has none, see `ItemEncoder`.
        features_first: begin training at the features instead of the ids, see `ItemEncoder`.
        id_lr: learning rate of the id vectors, as a share of `lr`: with slow ones the features explain first what they
            can, and rare items keep to them.
        replace_prob: p of eq. 6; 0 switches MM-SRA off.
        neighbours: K of eq. 5.
        index_backend: "torch", "faiss" or "faiss_ivf", see `nearest_neighbours`.
        dynamic: use the Transformer, eq. 7-8.
        layers: Transformer blocks.
        heads: attention heads; must divide D.
        ffn_dim: width of the network on each position.
        dropout: in the Transformer.
        attention_dropout: on its attention weights.
        block: "plain" or "ligr", see `Block`.
        time_bias: attention knows the time gaps, see `TimeBias`; such a model is time-aware.
        static_user: "prefix" pools the propagated vectors of the items seen so far; "node" is the literal u^s of
            eq. 10, which in training already knows the edge to the target; "none" switches the static side off.
        graph_layers: K of eq. 10.
        pooling: of the layers, "mean" or "sum".
        beta: β of eq. 18; 0 switches MM-EF-CL off.
        lambda_ui: weight of L_ui, eq. 16.
        lambda_ii: weight of L_ii, eq. 16.
        lambda_mm: weight of L_mm, eq. 16.
        temperature: τ of eq. 13-15.
        decoupled: leave the positive out of the denominators, as eq. 13-15 print them.
        negatives: of L_ii: "hard" are the retrieved neighbours of the positive, "random" is uniform (Table 6).
        n_negatives: N, uniform negatives of L_ui (and of L_ii with "random").
        warmup_epochs: epochs of L_rec alone, before replacement and contrast begin: until vectors have been learned,
            what is retrieved by them is noise.
        lr: learning rate.
        weight_decay: of AdamW.

    Raises:
        InvalidArgument: options that contradict each other.
    """

    def __init__(
        self,
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
        static_user: Literal["prefix", "node", "none"] = "prefix",
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
        for name, value in {"hidden_dim": hidden_dim, "n_negatives": n_negatives}.items():
            require(value >= 1, name, value, "at least 1")
        for name, weight in {
            "graph_layers": graph_layers, "warmup_epochs": warmup_epochs, "beta": beta, "lambda_ui": lambda_ui,
            "lambda_ii": lambda_ii, "lambda_mm": lambda_mm, "weight_decay": weight_decay,
        }.items():  # fmt: skip
            require(weight >= 0, name, weight, "at least 0")
        for name, scale in {"temperature": temperature, "lr": lr, "id_lr": id_lr}.items():
            require(scale > 0, name, scale, "above 0")
        require(0 <= replace_prob <= 1, "replace_prob", replace_prob, "a probability")
        self.n_items = n_items
        self.replace_prob = replace_prob
        self.static_user = static_user
        self.beta = beta
        self.weights = {"ui": lambda_ui, "ii": lambda_ii, "mm": lambda_mm if text and image else 0.0}
        self.temperature = temperature
        self.decoupled = decoupled
        self.hard_negatives = negatives == "hard"
        self.n_negatives = n_negatives
        self.warmup_epochs = warmup_epochs
        self.id_lr = id_lr

        self.item_encoder = ItemEncoder(n_items, hidden_dim, text_dim, image_dim, text, image, item_id, features_first)
        self.dynamic = (
            SequenceEncoder(
                hidden_dim, max_length, layers, heads, ffn_dim, dropout, attention_dropout, block, time_bias
            )
            if dynamic
            else None
        )
        self.static = GraphEncoder(graph_layers, pooling) if static_user != "none" else None
        if self.static is not None:
            self.user_nodes = nn.Embedding(n_users, hidden_dim)  # E_u^(0) of eq. 9
            nn.init.normal_(self.user_nodes.weight, std=INIT_STD)
            # u^d leaves its Transformer through a layer norm; u^s is a mean of many vectors and some hundred times
            # shorter. A gate between 0 and 1 cannot make up for that, so u^s has a layer norm of its own.
            self.static_norm = nn.LayerNorm(hidden_dim)
        self.known_users = KnownUsers(n_users) if static_user == "node" else None
        self.gate = GatedFusion(hidden_dim) if self.dynamic is not None and self.static is not None else None
        retrieves = replace_prob > 0 or (self._contrasts("ii") and self.hard_negatives)
        if retrieves:
            others = n_items - 2
            require(1 <= neighbours <= others, "neighbours", neighbours, f"between 1 and {others}, the other items")
            require(
                index_backend in get_args(Backend),
                "index_backend",
                index_backend,
                f"one of {', '.join(get_args(Backend))}",
            )
        self.library = NeighbourTable(neighbours, index_backend) if retrieves else None
        self.seen_pairs = SeenPairs() if self._contrasts("ui") or self._contrasts("ii") else None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Set the id vectors apart, which have a learning rate of their own."""
        if self.item_encoder.id is None:
            return super().parameter_groups()
        ids = self.item_encoder.id.weight
        others = [p for p in self.parameters() if p.requires_grad and p is not ids]
        return [{"params": others}, {"params": [ids], "lr": self.id_lr * self.lr}]

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the features, and the graph and the known pairs of the train-only view."""
        self.item_encoder.features.attach(features)
        if self.static is not None:
            self.static.set_graph(catalog.train)
        if self.known_users is not None:
            self.known_users.set_view(catalog.train)
        if self.seen_pairs is not None:
            self.seen_pairs.set_view(catalog.train)

    @property
    def warming_up(self) -> bool:
        """Whether this is an epoch of L_rec alone."""
        return self.training and self.current_epoch < self.warmup_epochs

    @once_per_evaluation
    def tables(self) -> Tables:
        """Item vectors and the propagated graph."""
        items = self.item_encoder()
        if self.static is None:
            return Tables(items, None, None)
        users, static_items = self.static(self.user_nodes.weight, items.fused)
        return Tables(items, users if self.known_users is None else self.known_users(users), static_items)

    def item_vectors(self) -> Tensor:
        """Return e of eq. 3, (I, D)."""
        return self.tables().items.fused

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return u of eq. 12 after the newest item of each window, (B, D)."""
        rows = torch.arange(len(batch.user), device=batch.user.device)
        return self._interests(batch, batch.items, self.tables(), (rows, batch.lengths - 1))[0]

    @torch.no_grad()
    def refresh_neighbours(self) -> float | None:
        """Rebuild the neighbour table from the current e where it is used; return its churn, see `NeighbourTable`."""
        if self.library is None or self.warming_up:
            return None
        return self.library.refresh(self.item_encoder().fused)

    def signals(self, batch: SequenceBatch) -> list[dict[str, float]]:
        """Return, for each user, the mean gate: the share of dynamic interest."""
        rows = torch.arange(len(batch.user), device=batch.user.device)
        _, gate = self._interests(batch, batch.items, self.tables(), (rows, batch.lengths - 1))
        if gate is None:
            return super().signals(batch)
        return [{"gate": mean} for mean in gate.mean(dim=1).tolist()]

    def item_signals(self, items: list[int]) -> list[dict[str, float]]:
        """Return the α of eq. 3 that holds for each item, 1 or 0 where a modality is missing, none where both are."""
        if self.item_encoder.alpha is None:
            return super().item_signals(items)
        text, image = (weight[items].tolist() for weight in self.item_encoder.weights())
        return [{"alpha": t} if t or i else {} for t, i in zip(text, image, strict=True)]

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return W_t of text features, see `ItemEncoder.text_vectors`."""
        return self.item_encoder.text_vectors(features)

    def neighbours(self) -> Tensor | None:
        """Return N(i) of eq. 5 for all items, (I, K)."""
        if self.library is None:
            return None
        # In evaluation the parameters are those of a checkpoint, and the table of the last epoch is not theirs.
        if not self.training:
            return self._neighbours_now()
        if not self.library.ready:
            self.refresh_neighbours()
        return self.library.neighbours

    @once_per_evaluation
    def _neighbours_now(self) -> Tensor | None:
        self.refresh_neighbours()
        return None if self.library is None else self.library.neighbours

    def losses(self, batch: TrainBatch) -> dict[str, Tensor]:
        """L = L_rec + β (λ_ui L_ui + λ_ii L_ii + λ_mm L_mm), eq. 16 and 18."""
        tables = self.tables()
        items = batch.items
        neighbours = None if self.warming_up else self.neighbours()
        if neighbours is not None and self.replace_prob > 0:
            items = replace_with_neighbours(items, neighbours, self.replace_prob)
        row, position = batch.places()
        place = row, position
        target = batch.targets[place]
        interest, gate = self._interests(batch, items, tables, place)
        terms = {"loss_rec": next_item_cross_entropy(interest, tables.items.fused, target)}
        total = terms["loss_rec"]
        if self.beta > 0 and not self.warming_up:
            for name, value in self._contrast(batch, tables, interest, place).items():
                terms[f"loss_{name}"] = value
                total = total.add(value, alpha=self.beta * self.weights[name])
        if gate is not None:
            terms["gate"] = gate.mean()
        if self.item_encoder.alpha is not None:
            terms["alpha"] = self.item_encoder.alpha
        return {"loss": total, **terms}

    def _interests(
        self, batch: SequenceBatch, items: Tensor, tables: Tables, place: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Return u of eq. 12 and the gate of eq. 11, both (P, D), at some (row, position) places of a batch.

        Args:
            batch: the histories.
            items: (B, L), the windows the Transformer reads, augmented or not; the static side reads the originals.
            tables: of the current parameters.
            place: two (P,) int64 rows.
        """
        dynamic = None
        if self.dynamic is not None:
            dynamic = self.dynamic.states_at(items, batch.clock, tables.items.fused, *place)
        static = None
        if self.static_user == "node" and tables.static_users is not None:
            static = self.static_norm(look_up(batch.user[place[0]], tables.static_users))
        elif self.static_user == "prefix" and tables.static_items is not None:
            static = self.static_norm(look_up_places(*place, _prefix_mean(batch, tables.static_items)))
        if self.gate is not None and dynamic is not None and static is not None:
            joined, gate = self.gate(dynamic, static)
            return joined, gate
        only = dynamic if dynamic is not None else static
        assert only is not None  # the constructor demands one of the two
        return only, None

    def _contrasts(self, name: str) -> bool:
        return self.beta > 0 and self.weights[name] > 0

    def _contrast(
        self, batch: TrainBatch, tables: Tables, interest: Tensor, place: tuple[Tensor, Tensor]
    ) -> dict[str, Tensor]:
        """Return L_ui, L_ii and L_mm (those with a weight), at one position of each user drawn uniformly.

        One position a user keeps the cost of the contrast below that of L_rec, and every position has its turn over
        the epochs.
        """
        row, _ = place
        # A random position of each row: the places are sorted by row, so each row is a stretch of them.
        count = (batch.targets != PAD).sum(dim=1)
        drawn = (torch.rand(len(count), device=row.device) * count).long().clamp_(max=count - 1)
        chosen = count.cumsum(0) - count + drawn
        anchor, positive = batch.items[place][chosen], batch.targets[place][chosen]
        shared = uniform_items((self.n_negatives if self._contrasts("ui") else 0,), self.n_items, row.device)
        candidates = torch.cat([positive[:, None], self._negatives(positive)], dim=1)
        first = torch.zeros_like(positive)
        anchors, negatives, own = look_up_all([anchor, shared, candidates], unit(tables.items.fused))
        terms: dict[str, Tensor] = {}
        if self._contrasts("ui"):
            users = unit(look_up(chosen, interest))
            similarity = torch.cat([cosines(users, own[:, :1]), cosines(users, negatives)], dim=1)
            unknown = F.pad(self._unknown(batch.user, shared[None]), (1, 0))
            terms["ui"] = info_nce(similarity, first, unknown, self.temperature, self.decoupled)
        if self._contrasts("ii"):
            similarity, unknown = cosines(anchors, own), self._unknown(batch.user, candidates)
            terms["ii"] = info_nce(similarity, first, unknown, self.temperature, self.decoupled)
        if self._contrasts("mm") and tables.items.text is not None and tables.items.image is not None:
            both = self.item_encoder.features.present("text") & self.item_encoder.features.present("image")
            items = positive.sort().values
            once = F.pad(items.diff() > 0, (1, 0), value=True)
            text, image = look_up(items, tables.items.text), look_up(items, tables.items.image)
            terms["mm"] = cross_modal(text, image, once & both[items], self.temperature, self.decoupled)
        return terms

    def _negatives(self, positive: Tensor) -> Tensor:
        """Return the negatives of L_ii (B, N), neighbours of the positives (B,) or random items; none without L_ii."""
        if not self._contrasts("ii"):
            return positive.new_empty(len(positive), 0)
        if self.hard_negatives and self.library is not None:
            return self.library.neighbours[positive]
        return uniform_items((len(positive), self.n_negatives), self.n_items, positive.device)

    def _unknown(self, user: Tensor, items: Tensor) -> Tensor:
        """Return whether each user (B,) never interacted with the items (B, N) or (1, N) in training, (B, N) bool."""
        assert self.seen_pairs is not None  # built whenever L_ui or L_ii is on
        known: Tensor = self.seen_pairs(user[:, None], items)
        return ~known


def _prefix_mean(batch: SequenceBatch, vectors: Tensor) -> Tensor:
    """Return the mean vector of all items up to each position, those before the window included, (B, L, D).

    At positions of padding it means nothing.
    """
    earlier = F.embedding_bag(batch.earlier, vectors, batch.earlier_offsets, mode="sum", include_last_offset=True)
    inside = look_up(batch.items, vectors)  # padding comes after all that is asked for
    positions = torch.arange(1, batch.items.shape[1] + 1, device=batch.items.device)
    count = batch.earlier_offsets.diff()[:, None] + positions
    return (earlier[:, None] + inside.cumsum(dim=1)) / count[..., None]
