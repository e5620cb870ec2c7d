"""One explanation per request, from statements and without a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mmrec.batch import Clock, SequenceBatch
from mmrec.explain.attribution import falls_of_row
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.packet import Recommendation
from mmrec.explain.statements import Evidence, Statement, evidence_of
from mmrec.explain.writing.grammar import Sentence, write
from mmrec.explain.writing.plan import default_plan
from mmrec.models.recommender import Recommender


@dataclass(frozen=True)
class Request:
    """A question why an item is recommended to somebody.

    Args:
        history: indices of the user's items, oldest first.
        item: index of the recommended item.
        times: seconds since 1970 of each item of the history, for models that are time-aware.
        now: time of the request in seconds since 1970; the last time of the history if None.
        user: index of a user of the dataset, for models with a vector per user; 0 for anybody.
        read_images: whether image files that were not read before are opened, which takes longer.
    """

    history: Sequence[int]
    item: int
    times: Sequence[int] | None = None
    now: int | None = None
    user: int = 0
    read_images: bool = False

    def batch(self) -> SequenceBatch:
        """Return the history as a batch of one."""
        items = torch.tensor([list(self.history)])
        taken = torch.tensor([list(self.times)]) if self.times is not None else torch.zeros_like(items)
        last = taken[:, -1:] if self.now is None else torch.full((1, 1), self.now)
        return SequenceBatch(
            user=torch.tensor([self.user]),
            items=items,
            earlier=items.new_empty(0),
            earlier_offsets=torch.zeros(2, dtype=torch.int64),
            clock=Clock(taken, torch.cat([taken[:, 1:], last], dim=1)),
        )


@dataclass(frozen=True)
class RequestExplanation:
    """An explanation with its evidence.

    Args:
        text: the explanation.
        sentences: its sentences with the statements they rest on.
        statements: all statements about the recommendation, the most telling first.
    """

    text: str
    sentences: tuple[Sentence, ...]
    statements: tuple[Statement, ...]


def explain(model: Recommender, knowledge: Knowledge, request: Request) -> RequestExplanation:
    """Return why a model recommends an item, in a few milliseconds.

    The model should be between `begin_evaluation()` and `end_evaluation()`, so that the item vectors are computed once.

    Args:
        model: a trained model in evaluation mode.
        knowledge: facts of the items.
        request: the history and the item.

    Raises:
        UserError: an item is not in the dataset.
    """
    return explanation_of(evidence_of(recommendation_of_request(model, request), knowledge, request.read_images))


def explanation_of(evidence: Evidence) -> RequestExplanation:
    """Return the explanation that the grammar writes of the most telling statements."""
    sentences = tuple(write(default_plan(evidence), evidence))
    return RequestExplanation(" ".join(s.text for s in sentences), sentences, evidence.statements)


@torch.no_grad()
def recommendation_of_request(model: Recommender, request: Request) -> Recommendation:
    """Return the item of a request as a recommendation with the model's evidence."""
    falls: tuple[float, ...] = ()
    signals: dict[str, float] = {}
    item, history = request.item, list(request.history)
    if history:
        batch = request.batch()
        measured = falls_of_row(model, batch, 0)
        falls = tuple(measured[:, item].tolist()) if measured.shape[1] > item else ()
        signals = model.signals(model.transfer_batch_to_device(batch, model.device, 0))[0]
    table = model.neighbours()
    near = [] if table is None else [i for i in dict.fromkeys(history) if bool((table[i] == item).any())]
    return Recommendation("", item, 1, 0.0, history, near, signals, None, falls, model.read_modalities)
