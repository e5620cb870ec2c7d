"""Trained models as modules of plain tensor operations, which `torch.export` and ONNX can hold.

A history is a row of `items`, right-padded with 0 and of any length; the modules find the newest L items in it. Batch
size and length are free. Item indices are positions in `items.json`, counted from 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import PAD, Clock
from mmrec.models import EASE, ContentKNN, ItemKNN, MMRaclKal, MMRaclKalNeighbours, Popularity
from mmrec.models.next_item import NextItemModel
from mmrec.models.recommender import Recommender
from mmrec.models.unseen_items import UnseenItems
from mmrec.nn.causal_encoder import CausalEncoder
from mmrec.nn.history_scores import HistoryScores


class NoForm(Exception):
    """A model has no such part; the message is the reason."""


class Window(nn.Module):
    """The newest L items of right-padded histories.

    Args:
        length: L.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the columns (B, L) of the windows in `items` (B, N), which hold items, and the last place (B,)."""
        count = (items != PAD).sum(dim=1)
        column = (count - self.length).clamp(min=0)[:, None] + torch.arange(self.length, device=items.device)
        inside = column < count[:, None]
        return column.clamp(max=items.shape[1] - 1), inside, (count.clamp(max=self.length) - 1).clamp(min=0)


class SequenceUserEncoder(nn.Module):
    """The user vector of eq. 7-12, or of any model that reads a window of item vectors.

    Args:
        encoder: reads the window; None where users are means of static vectors alone.
        vectors: (I, D), the vectors of the items.
        length: L, the longest window.
        timed: whether the encoder reads times.
    """

    vectors: Tensor

    def __init__(self, encoder: CausalEncoder | None, vectors: Tensor, length: int, *, timed: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.window = Window(length)
        self.timed = timed
        self.register_buffer("vectors", vectors.detach().clone())

    def forward(self, items: Tensor, item_time: Tensor | None = None, query_time: Tensor | None = None) -> Tensor:
        """Return the state after the newest item (B, D).

        Args:
            items: (B, N) int64.
            item_time: (B, N) int64, time of each item in seconds; for time-aware models.
            query_time: (B,) int64, the time at which the next item is predicted; for time-aware models.
        """
        column, inside, last = self.window(items)
        window = torch.where(inside, items.gather(1, column), PAD)
        times = window if item_time is None else item_time.gather(1, column)
        clock = Clock(times, times if query_time is None else _asked(times, last, query_time))
        assert self.encoder is not None
        state: Tensor = self.encoder.one_state_per_row(F.embedding(window, self.vectors), last, clock)
        return state


class RaclKalUserEncoder(SequenceUserEncoder):
    """u of eq. 12: the dynamic and the static interest, joined by the gate.

    Args:
        model: a trained model in evaluation mode, attached to its data.
        length: L, the longest window.
    """

    static_items: Tensor

    def __init__(self, model: MMRaclKal, length: int) -> None:
        tables = model.tables()
        timed = model.dynamic is not None and model.dynamic.time_bias
        super().__init__(model.dynamic, tables.items.fused, length, timed=timed)
        self.gate = model.gate
        self.norm = model.static_norm if tables.static_items is not None else None
        if tables.static_items is not None:
            self.register_buffer("static_items", tables.static_items.detach().clone())

    def forward(self, items: Tensor, item_time: Tensor | None = None, query_time: Tensor | None = None) -> Tensor:
        """Return u (B, D), see `SequenceUserEncoder.forward`."""
        dynamic = None if self.encoder is None else super().forward(items, item_time, query_time)
        if self.norm is None:
            assert dynamic is not None
            return dynamic
        known = (items != PAD)[..., None]
        total = (F.embedding(items, self.static_items) * known).sum(dim=1)
        static = self.norm(total / known.sum(dim=1).clamp(min=1))
        if self.gate is None or dynamic is None:
            out: Tensor = static
            return out
        joined: Tensor = self.gate(dynamic, static)[0]
        return joined


class GraphScorer(nn.Module):
    """The scores of `HistoryScores` in a dense form.

    Args:
        graph: a graph with its neighbours.
        length: L, the longest window.
    """

    neighbour: Tensor
    weight: Tensor

    def __init__(self, graph: HistoryScores, length: int) -> None:
        super().__init__()
        self.reach, self.decay = min(graph.reach, length), graph.decay
        self.register_buffer("neighbour", graph.neighbour.clone())
        self.register_buffer("weight", graph.weight.clone())

    def forward(self, items: Tensor) -> Tensor:
        """Return the scores (B, I) of all items after histories (B, N)."""
        age = torch.arange(self.reach, device=items.device)
        place = (items != PAD).sum(dim=1, keepdim=True) - 1 - age
        newest = items.gather(1, place.clamp(min=0))
        faded = torch.where(place >= 0, self.decay ** age.float(), 0.0)
        faded = faded / faded.sum(dim=1, keepdim=True)
        value = F.embedding(newest, self.weight) * faded[..., None]
        scores = value.new_zeros(items.shape[0], self.weight.shape[0])
        return scores.scatter_add(1, self.neighbour[newest].flatten(1), value.flatten(1))


class Scorer(nn.Module):
    """The scores of all items, for a model that is not a dot product.

    Args:
        model: a trained model in evaluation mode, attached to its data.
        length: L, the longest window.
    """

    def __init__(self, model: MMRaclKalNeighbours | ContentKNN, length: int) -> None:
        super().__init__()
        self.users: RaclKalUserEncoder | None = None
        self.popularity: nn.Module | None = None
        self.unseen: UnseenItems | None = None
        self.timed = False
        if isinstance(model, MMRaclKalNeighbours):
            self.users, self.interest_weight = RaclKalUserEncoder(model, length), model.interest_weight
            self.weights = dict(model.score_weights)
            self.popularity = model.popularity
            if len(model.unseen.items):
                self.unseen, self.content_factor = model.unseen, float(model.factors[0])
                self.excludes = float(model.mask_history)
            graphs = {name: graph for name, graph in model.graphs.items() if isinstance(graph, HistoryScores)}
            self.timed = self.users.timed or self.popularity is not None
        else:
            graphs, self.weights = {"content": model.graph}, {"content": 1.0}
        self.graphs = nn.ModuleDict({name: GraphScorer(graph, length) for name, graph in graphs.items()})

    def forward(self, items: Tensor, item_time: Tensor | None = None, query_time: Tensor | None = None) -> Tensor:
        """Return the scores (B, I) of all items, PAD included; the arguments are those of `SequenceUserEncoder`."""
        of_graphs = {name: graph(items) for name, graph in self.graphs.items()}
        terms = [self.weights[name] * scores for name, scores in of_graphs.items()]
        if self.users is not None:
            users = self.users(items, item_time, query_time)
            terms.insert(0, users @ self.users.vectors.T * self.interest_weight)
        if self.popularity is not None:
            terms.append(self.weights["popularity"] * self.popularity(query_time))
        scores = torch.stack(terms).sum(dim=0)
        if self.unseen is None:
            return scores
        new = self.unseen.items
        excluded = torch.zeros_like(scores).scatter(1, items, self.excludes)[:, new] > 0
        unseen = self.unseen(terms[0][:, new], of_graphs["content"][:, new], self.content_factor, excluded)
        return scores.index_copy(1, new, unseen)


def user_encoder(model: Recommender, length: int) -> SequenceUserEncoder:
    """Return the module that makes a model's user vectors from histories.

    Args:
        model: a trained model in evaluation mode, attached to its data.
        length: L, the longest window.

    Raises:
        NoForm: the model has none; the message says why.
    """
    if not model.reads_history:
        raise NoForm(f"{type(model).__name__} has a vector per user, in user_vectors.npy")
    if isinstance(model, MMRaclKal):
        if model.static_user == "node":
            raise NoForm("static_user: node reads a vector per user, in static_users.npy")
        return RaclKalUserEncoder(model, length)
    if isinstance(model, NextItemModel):
        encoder = model.sequence_encoder
        timed = bool(getattr(encoder, "time_bias", False))
        return SequenceUserEncoder(encoder, model.item_vectors(), encoder.max_length or length, timed=timed)
    name = type(model).__name__
    if not model.is_dot_product:
        raise NoForm(f"{name} does not score by a product of user and item vectors")
    raise NoForm(f"the encoder of {name} is none that mmrec can write as a program")


def scorer(model: Recommender, length: int) -> Scorer:
    """Return the module that scores all items, for a model that is not a dot product.

    Args:
        model: a trained model in evaluation mode, attached to its data.
        length: L, the longest window.

    Raises:
        NoForm: the model needs none, or has none; the message says why.
    """
    if model.is_dot_product:
        raise NoForm("scores are the products of user and item vectors")
    if isinstance(model, MMRaclKalNeighbours) and model.static_user == "node":
        raise NoForm("static_user: node reads a vector per user, in static_users.npy")
    if isinstance(model, MMRaclKalNeighbours | ContentKNN):
        return Scorer(model, length)
    if isinstance(model, EASE | ItemKNN):
        raise NoForm(f"{type(model).__name__} scores by a matrix of items, in attached.safetensors")
    if isinstance(model, Popularity):
        raise NoForm("the scores are the counts in attached.safetensors for every history")
    raise NoForm(f"the scores of {type(model).__name__} are none that mmrec can write as a program")


def _asked(times: Tensor, last: Tensor, query_time: Tensor) -> Tensor:
    """Return the time (B, L) at which the item after each position is predicted."""
    following = torch.cat([times[:, 1:], times[:, -1:]], dim=1)
    at_last = torch.arange(times.shape[1], device=times.device) == last[:, None]
    return torch.where(at_last, query_time[:, None], following)
