"""A trained model that answers questions: what to recommend to anybody, how items rank, which ones are alike."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

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
from mmrec.inference.histories import History
from mmrec.inference.ids import Ids
from mmrec.inference.item_table import as_text, read_facts
from mmrec.inference.onnx import OnnxGraph
from mmrec.inference.questions import ItemFilter, Question, Recommendation
from mmrec.inference.scorer import Scorer
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
        self.scorer = Scorer(model, data.catalog, data.max_length, graph)
        self.added: AddedItems | None = None
        self._take(data.catalog, data.features)

    def _take(self, catalog: Catalog, features: Features | None) -> None:
        """Answer for the items of a catalogue from now on."""
        self.catalog = self.scorer.catalog = catalog
        self.features = features
        self.ids = Ids(catalog)
        self._titles: list[str | None] = catalog.item_table["title"].to_list()
        for name in ("facts", "items", "_knowledge"):  # kept from the catalogue before
            self.__dict__.pop(name, None)

    @property
    def encoder(self) -> FeatureEncoder | None:
        """What made the features of the items."""
        return self.data.encoder

    @cached_property
    def items(self) -> pl.DataFrame:
        """The table of items without padding: item (raw id), title, text and a column per attribute, as text.

        The column of an attribute that is called like one of the first three is its name with "attribute " before it.
        """
        return as_text(self.facts)

    @cached_property
    def facts(self) -> pl.DataFrame:
        """The table `items` with lists of texts in the columns of attributes that have several values."""
        return read_facts(self.catalog.item_table.slice(1))

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

        Items of equal scores are in the order of `items`, unless an approximate index has found them.

        Args:
            history: raw item ids, oldest first.
            k: length of the list.
            times: time of each item of the history in seconds since 1970, for models that read times.
            user: raw id of a user of the dataset, for models with a vector per user (LightGCN, VBPR, MMGCN).
            candidates: raw ids to choose from; None for the whole catalogue.
            exclude: raw ids never to recommend.
            filter: says which items are candidates, given the table `items`.

        Raises:
            InvalidArgument: k is below 1, `times` does not fit the history, `user` is unknown, no item of
                `candidates` is in the catalogue, or `filter` asks for a column that `items` lacks.
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
        chosen, excluded = self._candidates(candidates, filter), self.ids.known(exclude, "exclude")
        return Question(self._history(history, times, user), k, chosen, excluded)

    def answer(self, questions: Sequence[Question]) -> list[list[Recommendation]]:
        """Return the list of each question, best first, computed in batches."""
        size = max(1, min(HISTORIES_AT_ONCE, SCORES_AT_ONCE // len(self.ids.raw)))
        lists: list[list[Recommendation]] = []
        for start in range(0, len(questions), size):
            lists += self._answer(questions[start : start + size])
        return lists

    def recommend_many(
        self,
        histories: Iterable[Sequence[str]] | pl.DataFrame,
        k: int = 10,
        *,
        users: Sequence[str] | None = None,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] = (),
        filter: ItemFilter | None = None,
    ) -> list[list[Recommendation]]:
        """Return the list of each history, computed in batches.

        Args:
            histories: raw item ids of each person; or a Polars frame with the columns user and item in order of time,
                whose lists come in the order in which its users first appear.
            k: length of each list.
            users: raw id of the user of each history, for models with a vector per user; those of a frame by default.
            candidates: as in `recommend`, the same for all, like the following.
            exclude: as in `recommend`.
            filter: as in `recommend`.

        Raises:
            InvalidArgument: as in `recommend`, or `users` has another length than `histories`.
        """
        if isinstance(histories, pl.DataFrame):
            rows = histories.group_by("user", maintain_order=True).agg("item")
            histories = rows["item"].to_list()
            if users is None and self.model.needs_user:
                users = rows["user"].to_list()
        require(k >= 1, "k", k, "at least 1")
        chosen, excluded = self._candidates(candidates, filter), self.ids.known(exclude, "exclude")
        return self.answer([Question(one, k, chosen, excluded) for one in self._histories(histories, users)])

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
            InvalidArgument: an item is not in the catalogue, `times` does not fit the history, or `user` is unknown.
        """
        rows = [self.ids.item(item, "items") for item in items]
        scores = self.scorer.scores([self._history(history, times, user)])[0]
        ranked = sorted(rows, key=lambda row: (-float(scores[row]), row))
        return [self._recommendation(row, float(scores[row])) for row in ranked]

    def similar(self, item: str, k: int = 10) -> list[Recommendation]:
        """Return the k items with the most similar vectors, by the cosine of eq. 5; fewer where fewer are left.

        A vector of zeros, of an item without features, is similar to none.

        Raises:
            InvalidArgument: the item is not in the catalogue, the model has no item vectors, or k is below 1.
        """
        require(k >= 1, "k", k, "at least 1")
        row = self.ids.item(item, "item")
        if not self.model.has_item_vectors:
            raise InvalidArgument(
                "model", f"{type(self.model).__name__} has no item vectors: it scores items otherwise"
            )
        vectors = F.normalize(self.scorer.item_vectors(), dim=1)
        known = vectors.any(dim=1)
        known[[PAD, row]] = False
        cosine = (vectors @ vectors[row]).masked_fill(~known, -torch.inf)
        best = largest(cosine[None], min(k, int(known.sum())) if vectors[row].any() else 0)
        return [self._recommendation(int(i), float(c)) for c, i in zip(best.values[0], best.columns[0], strict=True)]

    def add_items(
        self,
        items: str | Path | Iterable[NewItem],
        images: str | Path | None = None,
        *,
        encoder: FeatureEncoder | None = None,
    ) -> Addition:
        """Add items without interactions: at once candidates, neighbours and possible history, by their features.

        The scores of all other items stay as they are. An item that exists already, one without a usable id, one
        without any text or image that the model reads, and repeated ones are left out; an image that is missing or
        cannot be read counts as none. One log line counts them.

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
            self.model.read_modalities, transforms_of(self.features), encoder or self.encoder, self.ids.index.keys(),
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
        self.index = self.scorer.graph = None
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
        row = self.ids.item(item, "item")
        known = self._history(history, times, user)
        newest = self.catalog.newest
        taken = known.times or (newest,) * len(known.items)  # as `assemble` has it
        now = max((newest, *taken[-1:]))
        return self.scorer.ready(), self._knowledge, Request(known.items, row, taken, now, known.user)

    @cached_property
    def _knowledge(self) -> Knowledge:
        """The facts of the items."""
        from mmrec.explain.of_run import knowledge_of  # half a second, for the clients of language models

        return knowledge_of(self)

    def item_vectors(self) -> tuple[list[str], np.ndarray]:
        """Return the raw ids of all items and their vectors (n, D) float32, for any vector database.

        The scores of a user are the inner products of the user's vector with these.
        """
        return self.ids.raw[1:], self.scorer.vectors()[1:].cpu().numpy()

    @torch.no_grad()
    def user_vectors(self, histories: Iterable[Sequence[str]], *, users: Sequence[str] | None = None) -> np.ndarray:
        """Return the vector (n, D) float32 of each history, to search the item vectors with.

        Args:
            histories: raw item ids of each person, oldest first.
            users: as in `recommend_many`.

        Raises:
            InvalidArgument: a history is empty and the model reads it, the model has no vectors, or as in
                `recommend_many`.
        """
        vectors = self.scorer.vectors()
        parsed = self._histories(histories, users)
        filled = not self.model.reads_history or all(one.items for one in parsed)
        require(filled, "histories", "an empty one", "histories with at least one known item")
        made = [self.scorer.user_vectors(part) for part in _parts(parsed, HISTORIES_AT_ONCE)]
        return torch.cat([vectors[:0].cpu(), *made]).numpy()

    # From raw ids to lists.

    def _histories(self, histories: Iterable[Sequence[str]], users: Sequence[str] | None) -> list[History]:
        rows = list(histories)
        names = [None] * len(rows) if users is None else list(users)
        require(len(names) == len(rows), "users", f"{len(names)} of {len(rows)}", "one user per history")
        return [self._history(items, None, user) for items, user in zip(rows, names, strict=True)]

    def _history(self, items: Sequence[str], times: Sequence[int] | None, user: str | None) -> History:
        found = self.ids.found(items, "history")
        known = tuple(row for row in found if row != PAD)
        unknown = len(found) - len(known)
        if times is not None:
            require(len(times) == len(found), "times", f"{len(times)} of {len(found)}", "one time per item")
            times = tuple(int(time) for time, row in zip(times, found, strict=True) if row != PAD)
        if unknown:
            first = next(raw for raw, row in zip(items, found, strict=True) if row == PAD)
            some = ", ".join(self.ids.raw[1:4])
            log.warning(
                "%d of %d ids of a history are not in the catalogue, the first is %r; its ids look like %s",
                unknown, len(found), first, some,
            )  # fmt: skip
        if not known and self.model.reads_history:
            log.warning("a history without a known item gets the most popular items")
        if user is None and self.model.needs_user:
            raise InvalidArgument("user", f"user must be given: {type(self.model).__name__} has a vector per user")
        return History(known, times, 0 if user is None else self.ids.user(user), unknown)

    def _candidates(self, candidates: Iterable[str] | None, filter: ItemFilter | None) -> Tensor | None:
        """Return the rows (n,) of the items that may be recommended, ascending; None for all."""
        rows = None if candidates is None else set(self.ids.known(candidates, "candidates"))
        if rows is not None and not rows:
            raise InvalidArgument("candidates", "candidates holds no item of the catalogue")
        if filter is not None:
            try:
                chosen = filter(self.items)
            except pl.exceptions.ColumnNotFoundError as error:
                names = ", ".join(self.items.columns)
                raise InvalidArgument("filter", f"filter asks for a column that is not in {names}") from error
            kept = 1 + np.flatnonzero(chosen.fill_null(value=False).to_numpy())
            rows = set(kept.tolist()) if rows is None else rows & set(kept.tolist())
        return None if rows is None else torch.tensor(sorted(rows), dtype=torch.int64)

    @torch.no_grad()
    def _answer(self, questions: Sequence[Question]) -> list[list[Recommendation]]:
        """Return the lists of questions that fit into one batch."""
        excluded = [self._excluded(question) for question in questions]
        if self.index is not None and all(self._by_index(self.index, one) for one in questions):
            lists = self._nearest(self.index, questions, excluded)
            left = [len(self.ids.raw) - len(set(rows)) for rows in excluded]
            if all(len(made) == min(one.k, n) for made, one, n in zip(lists, questions, left, strict=True)):
                return lists  # else too few of what the index looked at may be recommended
        scores = self.scorer.scores([question.history for question in questions])
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
                chosen = largest(scores[number, question.candidates][None], min(question.k, len(question.candidates)))
                found[number] = chosen.values[0].tolist(), question.candidates[chosen.columns[0]].tolist()
        return [
            [self._recommendation(i, v) for v, i in zip(values[: one.k], rows[: one.k], strict=True) if v > -torch.inf]
            for one, (values, rows) in zip(questions, found, strict=True)
        ]

    def _by_index(self, index: VectorIndex, question: Question) -> bool:
        """Return whether an index can answer a question as well as it was tuned to."""
        whole = question.candidates is None and bool(question.history.items)
        return whole and index.reaches(question.k + len(question.excluded))

    def _nearest(
        self, index: VectorIndex, questions: Sequence[Question], excluded: Sequence[Sequence[int]]
    ) -> list[list[Recommendation]]:
        """Return the lists that an index of the item vectors finds."""
        users = self.scorer.user_vectors([question.history for question in questions])
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

    def _recommendation(self, row: int, score: float) -> Recommendation:
        return Recommendation(self.ids.raw[row], score, self._titles[row])


def _parts(values: Sequence[History], size: int) -> Iterable[Sequence[History]]:
    return (values[start : start + size] for start in range(0, len(values), size))
