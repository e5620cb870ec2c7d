r"""MM-RACL-KAL for sparse data: the neighbours of a history add to the scores.

    z(u, i) = ρ u·e_i + f_r w_r s_r(i) + f_s w_s s_s(i) + f_p w_p r(t, i)

u and e_i are those of `MMRaclKal` (eq. 1-12), trained by its own loss (eq. 18). s_r are the `ContentScores` of
retrieval, s_s the `CoOccurrenceScores` of static interest, r the `RecentPopularity` at the time t of the query. The
three have no parameters and are added after training. When they were part of the loss, the network learned only what
they miss and ended lower, most clearly on Amazon Beauty. The weights w are configured; the factors f are fitted to the
validation split before each validation, see `mmrec.models.score_factors`. Items without training interactions have a
formula for themselves, see `mmrec.models.unseen_items`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from mmrec.batch import EvalBatch, SequenceBatch
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument, require
from mmrec.metrics.ranking import candidate_scores, ndcg, rank_of_target
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.models.recommender import once_per_evaluation
from mmrec.models.score_factors import fit_factors
from mmrec.models.unseen_items import UnseenItems, largest_offset, leads_of
from mmrec.nn.history_scores import ContentScores, CoOccurrenceScores, Histories
from mmrec.nn.recent_popularity import DAY, FLOOR, RecentPopularity

SCORES_TO_FIT = 2**26  # of each term: 256 MB in fp32, or 3,490 instances of a catalogue of 19,000 items
SCORES_AT_ONCE = 2**18  # summed and compared at a time: 1 MB, which stays in a processor's cache


class _Part(NamedTuple):
    """Held-out interactions: the terms of z (T, b, I), the targets (b,) and ρ u·e_i of n stand-ins (b, n)."""

    terms: Tensor
    target: Tensor
    interest: Tensor


class MMRaclKalNeighbours(MMRaclKal):
    """Adds scores of the history's neighbours to those of `MMRaclKal`.

    A modality that the data lacks is left out, so that one config serves data with and without images.

    Args:
        n_users: U (linked from the data).
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        max_length: the longest window L (linked from the data).
        interest_weight: ρ.
        content_weight: w_r; 0 switches the scores of retrieval off.
        co_occurrence_weight: w_s; 0 switches the closed form of static interest off.
        popularity_weight: w_p; 0 switches recent popularity off. With it the model is time-aware.
        popularity_days: h of `RecentPopularity`, in days.
        score_neighbours: K of both graphs.
        score_decay: γ of both graphs, the factor by which an item counts less than the next newer one.
        fit_weights: whether the factors and the offset of unseen items are fitted in `fit`; otherwise factors are 1.
        unseen_cost: share of NDCG@10 that the other items may lose when the offset of unseen items is fitted; without
            content scores it has no effect.
        options: further options of `MMRaclKal`.

    Raises:
        InvalidArgument: an option is outside its range, or content scores are on and the data has no text and images.
    """

    factors: Tensor

    def __init__(
        self,
        *,
        n_users: int,
        n_items: int,
        text_dim: int = 0,
        image_dim: int = 0,
        max_length: int = 50,
        interest_weight: float = 0.5,
        content_weight: float = 20.0,
        co_occurrence_weight: float = 200.0,
        popularity_weight: float = 0.4,
        popularity_days: float = 60.0,
        score_neighbours: int = 50,
        score_decay: float = 0.7,
        fit_weights: bool = True,
        unseen_cost: float = 0.01,
        **options: Any,
    ) -> None:
        widths = {"text": text_dim, "image": image_dim}
        present: dict[str, Any] = {name: options.get(name, True) and width > 0 for name, width in widths.items()}
        super().__init__(
            n_users=n_users, n_items=n_items, text_dim=text_dim, image_dim=image_dim, max_length=max_length,
            **{**options, **present},
        )  # fmt: skip
        self.save_hyperparameters()
        weights = {"content": content_weight, "co_occurrence": co_occurrence_weight, "popularity": popularity_weight}
        for name, weight in {"interest": interest_weight, **weights}.items():
            require(weight >= 0, f"{name}_weight", weight, "at least 0")
        require(popularity_days > 0, "popularity_days", popularity_days, "above 0")
        require(score_neighbours >= 1, "score_neighbours", score_neighbours, "at least 1")
        require(0 < score_decay <= 1, "score_decay", score_decay, "above 0 and at most 1")
        require(0 <= unseen_cost < 1, "unseen_cost", unseen_cost, "at least 0 and below 1")
        if content_weight > 0 and not self.item_encoder.features.modalities:
            raise InvalidArgument("content_weight", "content_weight needs text or image: set one to true, or it to 0")
        self.interest_weight = interest_weight
        self.configured_weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.fit_weights = fit_weights and bool(self.configured_weights)
        self.register_buffer("factors", torch.ones(len(self.configured_weights)))
        makers = {"content": ContentScores, "co_occurrence": CoOccurrenceScores}
        self.graphs = nn.ModuleDict(
            {n: make(score_neighbours, score_decay) for n, make in makers.items() if n in self.configured_weights}
        )
        self.popularity = RecentPopularity(popularity_days) if popularity_weight > 0 else None
        self.unseen_cost = unseen_cost
        # Until it is fitted, the offset is the popularity score of an item without any event. Without content scores
        # the module has no items.
        self.unseen = UnseenItems(content_weight, popularity_weight * math.log(FLOOR))

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the features and the train-only view, and build the two graphs of them."""
        self._attach_all_but_graphs(catalog, features)
        for graph in self.graphs.values():
            if isinstance(graph, CoOccurrenceScores):
                graph.set_view(catalog.train)
            elif isinstance(graph, ContentScores):
                graph.set_features(self.item_encoder.features, catalog.added)

    def add_items(self, catalog: Catalog, features: Features) -> None:
        """Take new items and their features, and add their edges to the two graphs."""
        count = catalog.added[-1]
        self.append_items(catalog.n_items, count)
        self._attach_all_but_graphs(catalog, features)
        for graph in self.graphs.values():
            if isinstance(graph, CoOccurrenceScores):
                graph.add_items(count)
            elif isinstance(graph, ContentScores):
                graph.add_items(self.item_encoder.features, count)

    def _attach_all_but_graphs(self, catalog: Catalog, features: Features | None) -> None:
        super().attach(catalog, features)
        if self.popularity is not None:
            self.popularity.set_view(catalog.train, DAY if catalog.manifest.timed else 1)
        if "content" in self.configured_weights:
            self.unseen.set_view(catalog.train)

    def neighbours(self) -> Tensor | None:
        """Return N(i) of eq. 5 for all items, (I, K): those of the content scores where nothing else is retrieved."""
        if self.library is not None or self.training or "content" not in self.graphs:
            return super().neighbours()
        return self._nearest()

    @once_per_evaluation
    def _nearest(self) -> Tensor:
        graph = self.graphs["content"]
        assert isinstance(graph, ContentScores)
        return graph.nearest(self.hparams["neighbours"])

    @property
    def score_weights(self) -> dict[str, float]:
        """The weight of each score, f w."""
        pairs = zip(self.configured_weights.items(), self.factors.tolist(), strict=True)
        return {name: weight * factor for (name, weight), factor in pairs}

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return z, (B, I)."""
        terms = self._terms(batch)
        scores, unseen = next(terms), None
        for (name, weight), factor, term in zip(self.score_weights.items(), self.factors.tolist(), terms, strict=True):
            if name == "content":
                unseen = self._unseen_scores(batch, scores, term, factor)
            scores += weight * term
        return scores if unseen is None else scores.index_copy_(1, self.unseen.items, unseen)

    def _unseen_scores(self, batch: SequenceBatch, interest: Tensor, content: Tensor, factor: float) -> Tensor | None:
        """Return the scores (B, n) of n unseen items, given ρ u·e_i and s_r of all items (B, I); None if n is 0."""
        items = self.unseen.items
        if not len(items):
            return None
        excluded = torch.zeros_like(interest, dtype=torch.bool)
        excluded[self._excluded(batch)] = True
        scores: Tensor = self.unseen(interest[:, items], content[:, items], factor, excluded[:, items])
        return scores

    def _terms(self, batch: SequenceBatch) -> Iterator[Tensor]:
        """Return ρ u·e_i and the scores of the neighbours, each (B, I), in the order of the weights."""
        batch = batch.newest(None if self.dynamic is None else self.dynamic.max_length)
        yield super().score(batch) * self.interest_weight
        place = torch.arange(len(batch.user), device=batch.user.device), batch.lengths - 1
        histories = Histories.of(batch, place)
        for graph in self.graphs.values():
            yield graph(histories)
        if self.popularity is not None:
            yield self.popularity(batch.clock.query_time[place])

    def on_validation_epoch_start(self) -> None:
        """Fit the factors of the weights to a sample of the validation split, in `fit` alone."""
        super().on_validation_epoch_start()
        if self.fit_weights and self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            self.choose_factors(data.sample(Split.VALID, SCORES_TO_FIT // data.n_items))
            self.log_dict({f"score_weight/{name}": weight for name, weight in self.score_weights.items()})

    @torch.no_grad()
    def choose_factors(self, held_out: Iterable[EvalBatch]) -> None:
        """Choose the factors of the weights that rank held-out interactions best, and then the offset of unseen items.

        See `mmrec.models.score_factors` and `mmrec.models.unseen_items`.

        Args:
            held_out: held-out interactions, none of the test split; those of unseen items are left out.
        """
        parts = [part for batch in held_out for part in self._sampled(batch)]
        configured = torch.tensor([1.0, *self.configured_weights.values()], device=self.factors.device)

        def scores(factors: Sequence[float], terms: Tensor) -> Tensor:
            return torch.einsum("t,tbi->bi", configured * configured.new_tensor([1.0, *factors]), terms)

        def quality(factors: Sequence[float]) -> Tensor:
            return ndcg(torch.cat([rank_of_target(scores(factors, part.terms), part.target) for part in parts]), 10)

        factors = fit_factors(quality, len(self.factors))
        self.factors = self.factors.new_tensor(factors)
        if len(self.unseen.stand_ins):
            self._choose_offset(((scores(factors, part.terms), part) for part in parts), factors[0])

    def _choose_offset(self, scored: Iterable[tuple[Tensor, _Part]], factor: float) -> None:
        """Choose c, given z (b, I) of each part and f_r."""
        items = self.unseen.stand_ins
        compared = []
        for scores, part in scored:
            places = self.unseen.places(part.interest, part.terms[1, :, items], factor)
            compared.append(leads_of(scores, part.target, items, places))
        ranks, leads = (torch.cat(values) for values in zip(*compared, strict=True))
        offset = largest_offset(ranks, leads, self.unseen_cost)
        if offset is not None:
            self.unseen.offset.fill_(offset)

    def _sampled(self, batch: EvalBatch) -> Iterator[_Part]:
        """Return held-out interactions, in parts that fit a cache, without those of unseen items."""
        target = batch.target
        first, *others = self._terms(batch)
        terms = torch.stack([candidate_scores(first, target, self._excluded(batch)), *others])
        unseen, items = self.unseen.items, self.unseen.stand_ins
        vectors = self.item_vectors()
        of_drawn = self.item_encoder.untrained(vectors, items[len(unseen) :])
        vectors = torch.cat([vectors[items[: len(unseen)]], of_drawn])
        interest = self.interest_weight * self.encode_users(batch) @ vectors.T
        interest = interest.masked_fill(terms[0, :, items].isinf(), -torch.inf)
        terms[0].index_fill_(1, unseen, -torch.inf)
        known = ~torch.isin(target, unseen)
        terms, target, interest = terms[:, known], target[known], interest[known]
        rows = max(1, SCORES_AT_ONCE // terms.shape[2])
        return map(_Part, terms.split(rows, dim=1), target.split(rows), interest.split(rows))
