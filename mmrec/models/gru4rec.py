"""GRU4Rec: session-based recommendation with recurrent networks (Hidasi et al., ICLR 2016)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.batch import SequenceBatch, TrainBatch
from mmrec.data.catalog import Catalog
from mmrec.data.features import Features
from mmrec.errors import require
from mmrec.losses.objective import LossName, NextItemLoss
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.nn.item_encoder import ItemEncoder
from mmrec.nn.recurrent_encoder import RecurrentEncoder


class GRU4Rec(Recommender):
    """Gated recurrent units read the item vectors of a window; the state scores the items by a dot product.

    A session is a user's sequence. Departures from the original: items are embedded and the embedding is tied to the
    output (the original reads one-hot vectors; its authors' later code has both); the loss is the cross-entropy over
    all items, not TOP1 or BPR over the items of the batch; a window is one sample, where the original cuts sequences
    into steps and carries the state over; the input is scaled and the output normed, see `RecurrentEncoder`. One layer
    of width 64 and the learning rate are those of Klenitskiy and Vasilev (RecSys 2023), whose GRU4Rec with this loss
    reaches NDCG@10 .1648 on MovieLens-1M.

    Args:
        n_items: I, padding included (linked from the data).
        embedding_dim: D.
        hidden_dim: width of the GRU layers; a projection back to D follows where it is not D.
        layers: GRU layers.
        dropout: on the input and on the output of each layer.
        loss: "cross_entropy", "sampled_softmax", "gbce" or "bce", see `NextItemLoss`.
        n_negatives: N of "sampled_softmax" and "gbce".
        gbce_t: calibration t of "gbce".
        lr: learning rate.
        weight_decay: of AdamW.

    Raises:
        UserError: an option out of its range.
    """

    def __init__(
        self,
        n_items: int,
        embedding_dim: int = 64,
        hidden_dim: int = 64,
        layers: int = 1,
        dropout: float = 0.2,
        loss: LossName = "cross_entropy",
        n_negatives: int = 256,
        gbce_t: float = 0.75,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.save_hyperparameters()
        for name, value in {"embedding_dim": embedding_dim, "hidden_dim": hidden_dim, "layers": layers}.items():
            require(value >= 1, f"model.init_args.{name}", value, "at least 1")
        require(0 <= dropout < 1, "model.init_args.dropout", dropout, "at least 0 and below 1")
        require(lr > 0, "model.init_args.lr", lr, "above 0")
        require(weight_decay >= 0, "model.init_args.weight_decay", weight_decay, "at least 0")
        self.item_encoder = ItemEncoder(n_items, embedding_dim, text=False, image=False, item_id=True)
        self.recurrent_encoder = RecurrentEncoder(embedding_dim, hidden_dim, layers, dropout)
        self.next_item_loss = NextItemLoss(loss, n_negatives, gbce_t)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take what users know of the train-only view."""
        self.next_item_loss.set_view(catalog.train)

    @once_per_evaluation
    def item_vectors(self) -> Tensor:
        """Return the item vectors (I, D), the same for reading and for scoring."""
        vectors: Tensor = self.item_encoder().fused
        return vectors

    def hidden_states(self, batch: SequenceBatch, vectors: Tensor) -> Tensor:
        """Return the state (B, L, D) after each item of each window, given the item vectors (I, D)."""
        states: Tensor = self.recurrent_encoder(F.embedding(batch.items, vectors))
        return states

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return the state after the newest item of each window, (B, D)."""
        rows = torch.arange(len(batch.user), device=batch.user.device)
        return self.hidden_states(batch, self.item_vectors())[rows, batch.lengths - 1]

    def losses(self, batch: TrainBatch) -> dict[str, Tensor]:
        """Every position predicts its next item; positions without one drop out before the scores are made."""
        vectors = self.item_vectors()
        row, position = torch.nonzero(batch.targets, as_tuple=True)
        states = self.hidden_states(batch, vectors)[row, position]
        loss = self.next_item_loss(batch.user[row], states, vectors, batch.targets[row, position])
        return {"loss": loss, "loss_rec": loss}
