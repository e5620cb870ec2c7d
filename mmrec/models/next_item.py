"""The base of models that read a sequence of item vectors and predict the next item at every position."""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.batch import SequenceBatch, TrainBatch
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.losses.objective import NextItemLoss
from mmrec.models.recommender import Recommender, once_per_evaluation
from mmrec.models.rows import Rows
from mmrec.nn.causal_encoder import CausalEncoder
from mmrec.nn.item_encoder import ItemEncoder


class NextItemModel(Recommender):
    """An encoder maps the item vectors of a window to states, which score all items by a dot product.

    A state depends on the items up to its own position. The same item vectors are read and scored.

    Args:
        item_encoder: makes the item vectors.
        sequence_encoder: maps item vectors to states.
        next_item_loss: the loss of a position.
        lr: learning rate of AdamW.
        weight_decay: weight decay of AdamW.
    """

    def __init__(
        self,
        item_encoder: ItemEncoder,
        sequence_encoder: CausalEncoder,
        next_item_loss: NextItemLoss,
        *,
        lr: float,
        weight_decay: float,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.item_encoder = item_encoder
        self.sequence_encoder = sequence_encoder
        self.next_item_loss = next_item_loss

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the features, and the seen pairs of the train-only view."""
        self.item_encoder.attach(features)
        self.next_item_loss.set_view(catalog.train)

    def row_parameters(self) -> dict[str, Rows]:
        """Return the id vectors, if there are any."""
        new = self.item_encoder.new_id()
        return {} if new is None else {"item_encoder.id.weight": Rows(("items",), new)}

    def losses(self, batch: TrainBatch) -> dict[str, Tensor]:
        """Predict the next item at every position that has one."""
        vectors = self.item_vectors()
        row, position = batch.places()
        states = self._states(batch, vectors, row, position)
        loss = self.next_item_loss(batch.user[row], states, vectors, batch.targets[row, position])
        return {"loss": loss, "loss_rec": loss}

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return the state after the newest item of each window, (B, D); older items than it can read are left out.

        Raises:
            InvalidArgument: a window is empty.
        """
        batch = batch.newest(self.sequence_encoder.max_length)
        rows = torch.arange(len(batch.user), device=batch.user.device)
        return self._states(batch, self.item_vectors(), rows, batch.lengths - 1)

    @once_per_evaluation
    def item_vectors(self) -> Tensor:
        """Return the item vectors (I, D), the same for reading and for scoring."""
        vectors: Tensor = self.item_encoder().fused
        return vectors

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return W_t of text features, see `ItemEncoder.text_vectors`."""
        return self.item_encoder.text_vectors(features)

    def _states(self, batch: SequenceBatch, vectors: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """Return the states (P, D) at some positions of the windows, given the item vectors (I, D)."""
        return self.sequence_encoder.states_at(batch.items, batch.clock, vectors, row, position)
