"""Semantic similarity: the cosine between an explanation and the user's interest u (paper, section 3.5.2).

The explanation's vector is W_t f(x), with f the text encoder that made the item features and W_t of eq. 2. Without
such an encoder (features that came as arrays, whitened features), or for a model that does not read text, a substitute
is used: the vectors of the words, each the mean of the centred vectors of the items whose text has the word, weighted
by the inverse document frequency. `method` says which of the two it is.

A cosine means nothing by itself, so the least similarity is calibrated on explanations that the grammar wrote: for the
user they were written for, and for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders.tower import text_tower
from mmrec.errors import require
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.packet import Recommendation
from mmrec.explain.statements import evidence_of
from mmrec.explain.writing.grammar import write
from mmrec.explain.writing.plan import default_plan
from mmrec.models.recommender import Recommender

Least = float | Literal["calibrated", "off"]
"""The least similarity of a text that is accepted, or how to find it."""
FALSE_REJECTIONS = 0.05
"""Share of the grammar's explanations that a calibrated threshold may reject."""
Embed = Callable[[Sequence[str]], Tensor]
"""Texts to their vectors (n, D); a zero row for a text of which nothing is known."""


@dataclass(frozen=True)
class Calibration:
    """How well similarity separates a user's own explanation from another user's.

    Args:
        least: threshold; the share `FALSE_REJECTIONS` of the users' own explanations is below it.
        auc: chance that a user's own explanation is nearer than another's; .5 is as good as a guess.
        users: number of users in the sample.
    """

    least: float
    auc: float
    users: int


class Similarity:
    """Compares texts with users.

    Args:
        embed: function that returns the vectors of texts.
        method: description of `embed`, for the record.
    """

    def __init__(self, embed: Embed, method: str) -> None:
        self._embed = embed
        self.method = method

    @classmethod
    def of(cls, model: Recommender, data: RecDataModule, knowledge: Knowledge) -> Similarity | None:
        """Return the similarity that a model and its data allow; None for a model without item vectors."""
        if not model.is_dot_product:
            return None
        tower = _tower(model, data)
        if tower is not None:
            return cls(tower, "the text encoder and W_t")
        with torch.no_grad():
            items = model.item_vectors().float().cpu()
        return cls(word_vectors(knowledge, items), "the mean vectors of items that share words with the text")

    def __call__(self, text: str, interest: NDArray[np.float32]) -> float:
        """Return the cosine of a text and u (D,); 0 where nothing is known of the text."""
        return float(F.cosine_similarity(self._embed([text])[0], torch.from_numpy(interest), dim=0))

    def calibrate(self, recommendations: Sequence[Recommendation], knowledge: Knowledge) -> Calibration:
        """Find the threshold on explanations from facts; recommendations without an interest do not count."""
        some = [r for r in recommendations if r.interest is not None]
        require(len(some) > 1, "users to calibrate similarity on", len(some), "at least 2")
        found = [evidence_of(r, knowledge) for r in some]
        texts = [" ".join(s.text for s in write(default_plan(evidence), evidence)) for evidence in found]
        interests = torch.stack([torch.from_numpy(r.interest) for r in some])
        cosines = F.normalize(self._embed(texts), dim=1) @ F.normalize(interests, dim=1).T
        own = cosines.diagonal()
        others = cosines[~torch.eye(len(some), dtype=torch.bool)]
        wins = (own[:, None] > others).float().mean() + (own[:, None] == others).float().mean() / 2
        return Calibration(float(own.quantile(FALSE_REJECTIONS)), float(wins), len(some))


def _tower(model: Recommender, data: RecDataModule) -> Embed | None:
    """Return W_t f(x), or None where one of the two is missing or the features were whitened after f."""
    if data.whiten is not None or model.text_vectors(torch.zeros(1, data.text_dim, device=model.device)) is None:
        return None
    tower = text_tower(data.encoder, data.text_dim)
    if tower is None:
        return None

    @torch.no_grad()
    def embed(texts: Sequence[str]) -> Tensor:
        features = torch.from_numpy(tower(texts))
        vectors = model.text_vectors(features.to(model.device))
        assert vectors is not None  # tried above
        return vectors.float().cpu() * features.any(dim=1)[:, None]

    return embed


def word_vectors(knowledge: Knowledge, items: Tensor) -> Embed:
    """Return the substitute: texts to the idf-weighted mean of their words' vectors.

    Args:
        knowledge: the items' texts.
        items: (I, D) vectors of the items, row 0 is padding.
    """
    centred = F.normalize(items - items[1:].mean(dim=0), dim=1)
    places: dict[str, int] = {}
    rows, columns = [], []
    for item, words in enumerate(knowledge.words()):
        for word in set(words or ()):
            columns.append(places.setdefault(word, len(places)))
            rows.append(item)
    pairs = torch.tensor([columns, rows]) if rows else torch.zeros(2, 0, dtype=torch.int64)
    count = torch.bincount(pairs[0], minlength=len(places)).clamp(min=1)
    sums = torch.zeros(len(places), items.shape[1]).index_add_(0, pairs[0], centred[pairs[1]])
    weighted = sums / count[:, None] * torch.log(len(items) / count)[:, None]

    def embed(texts: Sequence[str]) -> Tensor:
        vectors = torch.zeros(len(texts), items.shape[1])
        for row, text in enumerate(texts):
            known = [places[word] for word in knowledge.split(text) if word in places]
            if known:
                vectors[row] = weighted[known].mean(dim=0)
        return vectors

    return embed
