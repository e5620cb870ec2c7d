"""Scores and vectors of histories, by the model or by its exported graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmrec.batch import SequenceBatch
from mmrec.data.catalog import Catalog
from mmrec.errors import InvalidArgument
from mmrec.inference.histories import History, assemble, to
from mmrec.inference.onnx import OnnxGraph
from mmrec.models.recommender import Recommender


class Scorer:
    """Computes what a list is made from.

    Args:
        model: trained and attached to its data.
        catalog: the items that are scored.
        max_length: L, number of the newest items that a window holds.
        graph: computes user vectors or scores in place of the model; None for the model.
    """

    def __init__(self, model: Recommender, catalog: Catalog, max_length: int, graph: OnnxGraph | None = None) -> None:
        self.model = model
        self.catalog = catalog
        self.max_length = max_length
        self.graph = graph

    def ready(self) -> Recommender:
        """Return the model in evaluation mode, what depends on its parameters alone kept between questions."""
        if self.model.training or not self.model.evaluating:
            self.model.eval().begin_evaluation()
        return self.model

    @torch.no_grad()
    def scores(self, histories: Sequence[History]) -> Tensor:
        """Return the scores (B, I) of all items, on the CPU; popularity for empty histories that the model reads."""
        filled = [row for row, history in enumerate(histories) if history.items or not self.model.reads_history]
        if len(filled) == len(histories):
            return self._computed(histories)
        scores = self.catalog.train.popularity.float().repeat(len(histories), 1)
        if filled:
            scores[filled] = self._computed([histories[row] for row in filled])
        return scores

    @torch.no_grad()
    def user_vectors(self, histories: Sequence[History]) -> Tensor:
        """Return the user vectors (B, D), on the CPU; no history that the model reads is empty."""
        if self.graph is None:
            return self.ready().encode_users(self._batch(histories)).float().cpu()
        return self.graph(histories, self.catalog.newest)

    @torch.no_grad()
    def vectors(self) -> Tensor:
        """Return the item vectors (I, D), whose products with user vectors are the scores.

        Raises:
            InvalidArgument: the model scores items otherwise.
        """
        if not self.model.is_dot_product:
            raise InvalidArgument("model", f"{type(self.model).__name__} has no vectors: it scores items otherwise")
        return self.item_vectors()

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """Return the item vectors (I, D) of a model that has them."""
        return self.ready().item_vectors().float()

    def _computed(self, histories: Sequence[History]) -> Tensor:
        if self.graph is None:
            return self.ready().finite_scores(self._batch(histories)).float().cpu()
        made = self.graph(histories, self.catalog.newest)
        return made if self.graph.gives_scores else made @ self.vectors().cpu().T

    def _batch(self, histories: Sequence[History]) -> SequenceBatch:
        return to(assemble(histories, self.max_length, self.catalog.newest), self.model.device)
