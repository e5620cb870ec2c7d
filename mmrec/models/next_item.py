"""The base of models that read a sequence of item vectors and predict the next item at every position."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import PAD, SequenceBatch, TrainBatch
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import require
from mmrec.losses.objective import NextItemLoss
from mmrec.models.joint_optimizer import JointOptimizer
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
        sparse_ids: whether a step reads and updates only the id vectors that it uses. Catalogues of millions of items
            need it. It is PyTorch's SparseAdam, which is Adam except that the moments of a row do not decay in steps
            that do not use it. The vectors must be ids alone, and the loss must draw negatives.
        lr: learning rate of AdamW.
        weight_decay: weight decay of AdamW.

    Raises:
        InvalidArgument: `sparse_ids` with another loss, other inputs or weight decay.
    """

    def __init__(
        self,
        item_encoder: ItemEncoder,
        sequence_encoder: CausalEncoder,
        next_item_loss: NextItemLoss,
        *,
        sparse_ids: bool = False,
        lr: float,
        weight_decay: float,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.item_encoder = item_encoder
        self.sequence_encoder = sequence_encoder
        self.next_item_loss = next_item_loss
        self.sparse_ids = sparse_ids
        if sparse_ids:
            self._prepare_sparse()

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
        row, position = batch.places()
        user, target = batch.user[row], batch.targets[row, position]
        if self.sparse_ids:
            loss = self._loss_of_used_rows(batch, row, position, target)
        else:
            vectors = self.item_vectors()
            loss = self.next_item_loss(user, self._states(batch, vectors, row, position), vectors, target)
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
        if self.sparse_ids:
            return self._ids.weight  # without a copy: the row of PAD is zero, see `_prepare_sparse`
        vectors: Tensor = self.item_encoder().fused
        return vectors

    def configure_optimizers(self) -> torch.optim.Optimizer | None:
        """Return AdamW, and SparseAdam for the id vectors with `sparse_ids`."""
        if not self.sparse_ids:
            return super().configure_optimizers()
        ids = self._ids.weight
        others = [p for p in self.parameters() if p.requires_grad and p is not ids]
        return JointOptimizer(
            torch.optim.AdamW(others, self.lr, weight_decay=0.0), torch.optim.SparseAdam([ids], self.lr)
        )

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return W_t of text features, see `ItemEncoder.text_vectors`."""
        return self.item_encoder.text_vectors(features)

    def _loss_of_used_rows(self, batch: TrainBatch, row: Tensor, position: Tensor, target: Tensor) -> Tensor:
        """Return the loss from a table of the items that the batch uses: as windows, targets and negatives."""
        negatives = self.next_item_loss.draw(batch.user[row], self._ids.num_embeddings)
        parts = (batch.items, target, negatives)
        used, place = torch.cat([torch.full_like(target[:1], PAD), *(part.flatten() for part in parts)]).unique(
            return_inverse=True
        )
        places = place[1:].split([part.numel() for part in parts])
        items, target, negatives = (p.view(part.shape) for p, part in zip(places, parts, strict=True))
        vectors = F.pad(self._ids(used[1:]), (0, 0, 1, 0))  # PAD comes first and stays zero
        states = self._states(replace(batch, items=items), vectors, row, position)
        return self.next_item_loss.against(states, vectors, target, negatives, self._ids.num_embeddings)

    @property
    def _ids(self) -> nn.Embedding:
        assert self.item_encoder.id is not None  # `_prepare_sparse`
        return self.item_encoder.id

    def _prepare_sparse(self) -> None:
        """Raise InvalidArgument unless the ids can be trained row by row; give them sparse gradients and zero PAD."""
        encoder, loss = self.item_encoder, self.next_item_loss.loss
        words = "false unless item_id is true and text and image are false, because it is for id vectors alone"
        require(encoder.id is not None and not encoder.features.modalities, "sparse_ids", True, words)
        words = "false with loss cross_entropy, which reads all items in every step: use sampled_softmax"
        require(loss != "cross_entropy", "sparse_ids", True, words)
        words = "0 with sparse_ids, because SparseAdam has no weight decay"
        require(self.weight_decay == 0, "weight_decay", self.weight_decay, words)
        self._ids.sparse = True
        nn.init.zeros_(self._ids.weight[PAD].detach())

    def _states(self, batch: SequenceBatch, vectors: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """Return the states (P, D) at some positions of the windows, given the item vectors (I, D)."""
        return self.sequence_encoder.states_at(batch.items, batch.clock, vectors, row, position)
