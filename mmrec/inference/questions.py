"""What is asked of a trained model and what it answers: questions and the items of lists."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mmrec.inference.histories import History


@dataclass(frozen=True)
class Recommendation:
    """One item of a list.

    Args:
        item: raw id.
        score: the model's score; it orders items of one list and means nothing across lists.
        title: title of the item, None where the data has none.
    """

    item: str
    score: float
    title: str | None


@dataclass(frozen=True)
class Question:
    """What one list is asked for; `TrainedRecommender.ask` makes it from raw ids.

    Args:
        history: the history.
        k: length of the list.
        candidates: rows (n,) of the items to choose from; None for the whole catalogue.
        excluded: rows that are never recommended, besides the history's.
    """

    history: History
    k: int
    candidates: Tensor | None = None
    excluded: tuple[int, ...] = ()
