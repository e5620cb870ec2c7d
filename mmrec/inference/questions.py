"""What a recommender is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
from torch import Tensor

from mmrec.inference.histories import History

ItemFilter = Callable[[pl.DataFrame], pl.Series]
"""Says which items are candidates, given their table: `lambda items: items["colour"] == "Black"`."""


class Recommendation(NamedTuple):
    """One item of a list.

    Attributes:
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
