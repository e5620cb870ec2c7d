"""A trained model that answers questions: what to recommend to anybody, how items rank, which ones are alike."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.batch import PAD
from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders import FeatureEncoder
from mmrec.data.features.new_items import AddedItems, NewItem
from mmrec.data.features.store import Features
from mmrec.data.features.transforms import transforms_of
from mmrec.errors import InvalidArgument, require
from mmrec.explain import Knowledge
from mmrec.explain.request import Request, RequestExplanation, explain
from mmrec.inference.additions import Addition, Model, encode_new_items
from mmrec.inference.bundle import VectorIndex
from mmrec.inference.data import RecommenderData
from mmrec.inference.histories import History, assemble, to
from mmrec.inference.onnx import OnnxGraph
from mmrec.inference.questions import ItemFilter, Question, Recommendation
from mmrec.models.recommender import Recommender
from mmrec.nn.kernels.topk import largest
from mmrec.training.added_items import grow

if TYPE_CHECKING:
    from mmrec.explain.llm import LLM
    from mmrec.explain.streaming import Event
    from mmrec.explain.writing.writer import Way

HISTORIES_AT_ONCE = 256
SCORES_AT_ONCE = 2**24  # at most 64 MB of fp32 scores, however large the catalogue

log = logging.getLogger(__name__)


class TrainedRecommender:
    """Answers from a trained model for histories of anybody, whether a user of the dataset or not.

    Histories are raw item ids, oldest first. Ids that are not in the catalogue are left out and counted in one log
    line. Windows longer than the model's `max_length` keep the newest items. An empty history gets the most popular
    items of the training period, whose scores are their numbers of interactions. Items of the history are not
    recommended unless the data was made with `mask_history=False`.

    Args:
        model: trained and attached to its data.
        data: the data it was trained on: a `RecDataModule`, or that of a bundle.
        index: approximate index of the item vectors; None for exact search.
        graph: computes user vectors or scores in place of the model; None for the model.
    """

    def __init__(
        self,
        model: Recommender,
        data: RecommenderData,
        index: VectorIndex | None = None,
        graph: OnnxGraph | None = None,
    ) -> None:
        self.model = model.eval()
        self.data = data
        self.index = index
        self.graph = graph
        self.added: AddedItems | None = None
        self._take(data.catalog, data.features)

    def _take(self, catalog: Catalog, features: Features | None) -> None:
        """Answer for the items of a catalogue from now on."""
        self.catalog = catalog
        self.features = features
        self._raw_ids: list[str] = catalog.item_table["raw_id"].to_list()
        self._index = {raw: index for index, raw in enumerate(self._raw_ids) if index != PAD}
        self._titles: list[str | None] = catalog.item_table["title"].to_list()
        for name in ("items", "_knowledge"):  # kept from the catalogue before
            self.__dict__.pop(name, None)

    @property
    def encoder(self) -> FeatureEncoder | None:
        """What made the features of the items."""
        return self.data.encoder

    @cached_property
    def items(self) -> pl.DataFrame:
        """The table of items without padding: item (raw id), title, text and a column per attribute, as text."""
        table = self.catalog.item_table.slice(1)
        attributes = [json.loads(text) if text else {} for text in table["attributes"]]
        names = dict.fromkeys(name for facts in attributes for name in facts)
        columns = {name: [_as_text(facts.get(name)) for facts in attributes] for name in names}
        return table.select(pl.col("raw_id").alias("item"), "title", "text").with_columns(
            *(pl.Series(name, values, dtype=pl.String) for name, values in columns.items())
        )

    def recommend(
        self,
        history: Sequence[str],
        k: int = 10,
        *,
        times: Sequence[int] | None = None,
        user: str | None = None,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] = (),
        filter: ItemFilter | None = None,  # the word of Python and Polars for it
    ) -> list[Recommendation]:
        """Return the k items with the highest scores, best first; fewer where fewer are left.

        Args:
            history: raw item ids, oldest first.
            k: length of the list.
            times: time of each item of the history in seconds since 1970, for models that read times.
            user: raw id of a user of the dataset, for models with a vector per user (LightGCN, VBPR, MMGCN).
            candidates: raw ids to choose from; None for the whole catalogue.
            exclude: raw ids never to recommend.
            filter: says which items are candidates, given the table `items`.

        Raises:
            InvalidArgument: k is below 1, `times` does not fit the history, `user` is unknown, or no item of
                `candidates` is in the catalogue.
        """
        question = self.ask(history, k, times=times, user=user, candidates=candidates, exclude=exclude, filter=filter)
        return self.answer([question])[0]

    def ask(
        self,
        history: Sequence[str],
        k: int = 10,
        *,
        times: Sequence[int] | None = None,
        user: str | None = None,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] = (),
        filter: ItemFilter | None = None,
    ) -> Question:
        """Return the arguments of `recommend` as a question, so that several can be answered together."""
        require(k >= 1, "k", k, "at least 1")
        chosen, excluded = self._candidates(candidates, filter), self._known(exclude)
        return Question(self._history(history, times, user), k, chosen, excluded)

    def answer(self, questions: Sequence[Question]) -> list[list[Recommendation]]:
        """Return the list of each question, best first, computed in batches."""
        size = max(1, min(HISTORIES_AT_ONCE, SCORES_AT_ONCE // len(self._raw_ids)))
        lists: list[list[Recommendation]] = []
        for start in range(0, len(questions), size):
            lists += self._answer(questions[start : start + size])
        return lists

    def recommend_many(
        self,
        histories: Iterable[Sequence[str]] | pl.DataFrame,
        k: int = 10,
        *,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] = (),
        filter: ItemFilter | None = None,
    ) -> list[list[Recommendation]]:
        """Return the list of each history, computed in batches.

        Args:
            histories: raw item ids of each person; or a Polars frame with the columns user and item in order of time,
                whose lists come in the order in which its users first appear.
            k: length of each list.
            candidates: as in `recommend`, the same for all, like the following.
            exclude: as in `recommend`.
            filter: as in `recommend`.
        """
        if isinstance(histories, pl.DataFrame):
            histories = histories.group_by("user", maintain_order=True).agg("item")["item"].to_list()
        require(k >= 1, "k", k, "at least 1")
        chosen, excluded = self._candidates(candidates, filter), self._known(exclude)
        return self.answer([Question(self._history(one, None, None), k, chosen, excluded) for one in histories])

    def rank(
        self,
        history: Sequence[str],
        items: Sequence[str],
        *,
        times: Sequence[int] | None = None,
        user: str | None = None,
    ) -> list[Recommendation]:
        """Return given items with their scores, best first; items of the history are ranked as well.

        Args:
            history: raw item ids, oldest first.
            items: raw ids to rank.
            times: as in `recommend`.
            user: as in `recommend`.

        Raises:
            InvalidArgument: an item is not in the catalogue.
        """
        rows = [self._item(item, "items") for item in items]
        scores = self._scores([self._history(history, times, user)])[0]
        ranked = sorted(rows, key=lambda row: -float(scores[row]))
        return [self._recommendation(row, float(scores[row])) for row in ranked]

    def similar(self, item: str, k: int = 10) -> list[Recommendation]:
        """Return the k items with the most similar vectors, by the cosine of eq. 5.

        Raises:
            InvalidArgument: the item is not in the catalogue, or the model has no item vectors.
        """
        require(k >= 1, "k", k, "at least 1")
        row = self._item(item, "item")
        if not self.model.has_item_vectors:
            raise InvalidArgument(
                "model", f"{type(self.model).__name__} has no item vectors: it scores items otherwise"
            )
        vectors = F.normalize(self._item_vectors(), dim=1)
        cosine = vectors @ vectors[row]
        cosine[[PAD, row]] = -torch.inf
        best = cosine.topk(min(k, len(cosine) - 2))
        return [self._recommendation(int(i), float(c)) for c, i in zip(*best, strict=True)]

    def add_items(
        self,
        items: str | Path | Iterable[NewItem],
        images: str | Path | None = None,
        *,
        encoder: FeatureEncoder | None = None,
    ) -> Addition:
        """Add items without interactions: at once candidates, neighbours and possible history, by their features.

        The scores of all other items stay as they are. An item that exists already, one without any text or image that
        the model reads, and repeated ones are left out; an image that is missing or cannot be read counts as none. One
        log line counts them.

        Args:
            items: a CSV, JSON lines or Parquet file with the columns id, title, text, image and attributes, or those of
                the run's own source; or the items themselves.
            images: folder where image paths start; the folder of the file by default. Where a file has no column
                image, the images in this folder are named by the items' ids.
            encoder: the encoder of new items; the run's own by default. For features that came as arrays, one that
                reads arrays with rows of the new items.

        Raises:
            UserError: the file cannot be read, or the encoder is not the one that the model was trained with.
            InvalidArgument: the model knows items by id alone.
        """
        self.model.require_content()
        assert self.features is not None  # a model that reads content has them
        asked = Model(
            self.model.read_modalities, transforms_of(self.features), encoder or self.encoder, self._index.keys(),
            getattr(self.data, "source", None),
        )  # fmt: skip
        added, report = encode_new_items(items, images, asked)
        if report.added:
            self.restore_items(added)
        log.info("%s", report)
        return report

    def restore_items(self, added: AddedItems) -> None:
        """Take items that were added before, with their vectors.

        From then on the model computes all scores, since neither an index nor a graph knows the new items.
        """
        self.index = self.graph = None
        for some in added.additions():
            self._take(*grow(self.model, self.catalog, self.features, some))
        self.added = added if self.added is None else self.added.joined(added)

    def explain(
        self, history: Sequence[str], item: str, *, times: Sequence[int] | None = None, user: str | None = None
    ) -> RequestExplanation:
        """Return why the item is recommended after this history, from facts alone and without a language model.

        The result has the `text`, its `sentences` and the `statements` they rest on. The first call reads the facts of
        the whole catalogue; the next ones take some milliseconds.

        Args:
            history: raw item ids, oldest first.
            item: raw id of the recommended item.
            times: as in `recommend`.
            user: as in `recommend`.

        Raises:
            InvalidArgument: the item is not in the catalogue.
        """
        return explain(*self.request(history, item, times=times, user=user))

    def explain_stream(
        self, history: Sequence[str], item: str, llm: LLM | None = None, *, writing: Way = "grounded",
        seconds: float = 20.0, times: Sequence[int] | None = None, user: str | None = None,
    ) -> Iterator[Event]:  # fmt: skip
        """Yield the sentences of `explain` at once, then those that a language model has chosen or written.

        Args:
            history: raw item ids, oldest first.
            item: raw id of the recommended item.
            llm: the language model, for example `mmrec.explain.llm.OllamaLLM("gemma3:4b")`; None for facts alone.
            writing: "grounded": it chooses true statements; "free": it writes, and verified sentences are passed on.
            seconds: longest time that all of it may take.
            times: as in `recommend`.
            user: as in `recommend`.

        Raises:
            InvalidArgument: the item is not in the catalogue.
        """
        from mmrec.explain.asker import Asker  # as in `_knowledge`
        from mmrec.explain.streaming import explain_stream

        request = self.request(history, item, times=times, user=user)
        asker = None if llm is None else Asker(llm, None)
        return explain_stream(*request, asker, writing=writing, seconds=seconds)

    def request(
        self, history: Sequence[str], item: str, *, times: Sequence[int] | None = None, user: str | None = None
    ) -> tuple[Recommender, Knowledge, Request]:
        """Return what the functions of `mmrec.explain` are asked with; arguments and errors are those of `explain`."""
        row = self._item(item, "item")
        known = self._history(history, times, user)
        newest = self.catalog.newest
        taken = known.times or (newest,) * len(known.items)  # as `assemble` has it
        now = max((newest, *taken[-1:]))
        return self._ready(), self._knowledge, Request(known.items, row, taken, now, known.user)

    @cached_property
    def _knowledge(self) -> Knowledge:
        """The facts of the items."""
        from mmrec.explain.of_run import knowledge_of  # half a second, for the clients of language models

        return knowledge_of(self)

    def item_vectors(self) -> tuple[list[str], np.ndarray]:
        """Return the raw ids of all items and their vectors (n, D) float32, for any vector database.

        The scores of a user are the inner products of the user's vector with these.
        """
        return self._raw_ids[1:], self._vectors()[1:].cpu().numpy()

    @torch.no_grad()
    def user_vectors(self, histories: Iterable[Sequence[str]]) -> np.ndarray:
        """Return the vector (n, D) float32 of each history, to search the item vectors with.

        Raises:
            InvalidArgument: a history is empty, or the model has no vectors.
        """
        self._vectors()
        parsed = [self._history(history, None, None) for history in histories]
        require(all(one.items for one in parsed), "histories", "an empty one", "histories with at least one known item")
        return torch.cat([self._users(part) for part in _parts(parsed, HISTORIES_AT_ONCE)]).numpy()

    # From raw ids to scores.

    def _history(self, items: Sequence[str], times: Sequence[int] | None, user: str | None) -> History:
        if isinstance(items, str):
            raise InvalidArgument("history", f"history must be a list of item ids, but is the text {items!r}")
        found = [self._index.get(item, PAD) for item in map(str, items)]
        known = tuple(row for row in found if row != PAD)
        unknown = len(found) - len(known)
        if times is not None:
            require(len(times) == len(found), "times", f"{len(times)} of {len(found)}", "one time per item")
            times = tuple(int(time) for time, row in zip(times, found, strict=True) if row != PAD)
        if unknown:
            log.warning("%d of %d ids of a history are not in the catalogue", unknown, len(found))
        if not known:
            log.warning("a history without a known item gets the most popular items")
        if user is None and not self.model.reads_history:
            raise InvalidArgument("user", f"user must be given: {type(self.model).__name__} has a vector per user")
        return History(known, times, 0 if user is None else self._user(user), unknown)

    def _user(self, raw: str) -> int:
        try:
            return self.catalog.user_ids.index(raw)
        except ValueError:
            raise InvalidArgument("user", f"user {raw!r} is not among the {self.catalog.n_users} users") from None

    def _known(self, items: Iterable[str]) -> tuple[int, ...]:
        """Return the rows of the items that are in the catalogue."""
        return tuple(self._index[one] for one in map(str, items) if one in self._index)

    def _item(self, raw: str, argument: str) -> int:
        if str(raw) not in self._index:
            some = ", ".join(self._raw_ids[1:4])
            raise InvalidArgument(argument, f"{argument}: {raw!r} is not in the catalogue, whose ids look like {some}")
        return self._index[str(raw)]

    def _candidates(self, candidates: Iterable[str] | None, filter: ItemFilter | None) -> Tensor | None:
        """Return the rows (n,) of the items that may be recommended, ascending; None for all."""
        rows = None if candidates is None else {self._index[c] for c in map(str, candidates) if c in self._index}
        if rows is not None and not rows:
            raise InvalidArgument("candidates", "candidates holds no item of the catalogue")
        if filter is not None:
            kept = 1 + np.flatnonzero(filter(self.items).fill_null(value=False).to_numpy())
            rows = set(kept.tolist()) if rows is None else rows & set(kept.tolist())
        return None if rows is None else torch.tensor(sorted(rows), dtype=torch.int64)

    @torch.no_grad()
    def _answer(self, questions: Sequence[Question]) -> list[list[Recommendation]]:
        """Return the lists of questions that fit into one batch."""
        excluded = [self._excluded(question) for question in questions]
        if self.index is not None and all(one.candidates is None and one.history.items for one in questions):
            return self._nearest(self.index, questions, excluded)
        scores = self._scores([question.history for question in questions])
        rows = np.repeat(np.arange(len(excluded)), [len(items) for items in excluded])
        columns = np.fromiter(chain.from_iterable(excluded), np.int64, len(rows))
        scores[torch.from_numpy(rows), torch.from_numpy(columns)] = -torch.inf
        k = min(max(question.k for question in questions), scores.shape[1])
        if any(question.candidates is None for question in questions):
            best = largest(scores, k)
            found = list(zip(best.values.tolist(), best.columns.tolist(), strict=True))
        else:
            found = [([], []) for _ in questions]
        for number, question in enumerate(questions):
            if question.candidates is not None:
                chosen = scores[number, question.candidates].topk(min(question.k, len(question.candidates)))
                found[number] = chosen.values.tolist(), question.candidates[chosen.indices].tolist()
        return [
            [self._recommendation(i, v) for v, i in zip(values[: one.k], rows[: one.k], strict=True) if v > -torch.inf]
            for one, (values, rows) in zip(questions, found, strict=True)
        ]

    def _nearest(
        self, index: VectorIndex, questions: Sequence[Question], excluded: Sequence[Sequence[int]]
    ) -> list[list[Recommendation]]:
        """Return the lists that an index of the item vectors finds."""
        users = self._users([question.history for question in questions])
        depth = max(one.k + len(rows) for one, rows in zip(questions, excluded, strict=True))
        lists = []
        for one, never, values, places in zip(
            questions, map(set, excluded), *index.search(users.numpy(), depth), strict=True
        ):
            kept = [
                (int(p) + 1, float(v)) for p, v in zip(places, values, strict=True) if p >= 0 and p + 1 not in never
            ]
            lists.append([self._recommendation(row, value) for row, value in kept[: one.k]])
        return lists

    def _excluded(self, question: Question) -> list[int]:
        """Return the rows that are left out of a list, padding among them."""
        history = question.history.items if self.data.mask_history else ()
        return [PAD, *history, *question.excluded]

    @torch.no_grad()
    def _scores(self, histories: Sequence[History]) -> Tensor:
        """Return the scores (B, I) of all items, on the CPU; popularity for empty histories."""
        filled = [row for row, history in enumerate(histories) if history.items or not self.model.reads_history]
        if len(filled) == len(histories):
            return self._computed_scores(histories)
        scores = self.catalog.train.popularity.float().repeat(len(histories), 1)
        if filled:
            scores[filled] = self._computed_scores([histories[row] for row in filled])
        return scores

    def _computed_scores(self, histories: Sequence[History]) -> Tensor:
        """Return the scores (B, I) of all items by the model or its graph; no history is empty."""
        if self.graph is None:
            return self._ready().finite_scores(self._batch(histories)).float().cpu()
        made = self.graph(histories, self.catalog.newest)
        return made if self.graph.gives_scores else made @ self._vectors().cpu().T

    def _users(self, histories: Sequence[History]) -> Tensor:
        """Return the user vectors (B, D) by the model or its graph, on the CPU; no history is empty."""
        if self.graph is None:
            return self._ready().encode_users(self._batch(histories)).float().cpu()
        return self.graph(histories, self.catalog.newest)

    def _batch(self, histories: Sequence[History]) -> Any:
        return to(assemble(histories, self.data.max_length, self.catalog.newest), self.model.device)

    def _ready(self) -> Recommender:
        """Return the model, what depends on its parameters alone kept between questions."""
        if not self.model.evaluating:
            self.model.begin_evaluation()
        return self.model

    @torch.no_grad()
    def _vectors(self) -> Tensor:
        """Return the item vectors (I, D)."""
        if not self.model.is_dot_product:
            raise InvalidArgument("model", f"{type(self.model).__name__} has no vectors: it scores items otherwise")
        return self._item_vectors()

    @torch.no_grad()
    def _item_vectors(self) -> Tensor:
        return self._ready().item_vectors().float()

    def _recommendation(self, row: int, score: float) -> Recommendation:
        return Recommendation(self._raw_ids[row], score, self._titles[row])


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _parts(values: Sequence[History], size: int) -> Iterable[Sequence[History]]:
    return (values[start : start + size] for start in range(0, len(values), size))
