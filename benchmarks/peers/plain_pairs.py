"""VBPR and MMGCN in plain PyTorch, and a process that takes given steps with these or with those of mmrec.

The plain ones are the formulas of the papers, with the choices named in the docstrings of `mmrec.models.vbpr` and
`mmrec.models.mmgcn`, in the operations a library written straight from them uses: lookups for every batch, a message
for every edge and a sum where they arrive, as in PyG's `MessagePassing`, PyTorch's own loss and optimiser. Their
parameters have the names of mmrec's, so that both start from one state and gradients are compared by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import PairBatch
from mmrec.data.catalog import TrainView
from mmrec.models.mmgcn import MMGCN
from mmrec.models.vbpr import VBPR
from mmrec.nn.item_features import ItemFeatures
from mmrec.utils.allocator import keep_freed_memory
from peers.triplets import report, timed_steps

Name = Literal["vbpr", "mmgcn"]
Side = Literal["mmrec", "plain"]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of users (B,), positive items (B,), negative items (B,)


@dataclass(frozen=True)
class PairSettings:
    """One model and the folder where its `start.pt` lies.

    `start.pt` holds `n_users`, `n_items`, `offsets` (U + 1,) and `items` (n,), the training interactions as in
    `TrainView`, `text` (I, T) and `image` (I, M), raw features with a width of 0 for none, `triplets` (steps, 3, B),
    user, positive and negative item of every step, and `parameters`, the state to start from; item 0 is padding.

    Args:
        name: the model.
        folder: where `start.pt` lies and the results go.
        warm_up: steps of `triplets` that are not timed, the first of them for the gradients.
        width: of all embeddings.
        layers: graph convolutions of MMGCN.
        l2: weight of the squared embeddings of the batch.
        lr: learning rate.
    """

    name: Name
    folder: str
    threads: int = 2
    warm_up: int = 2
    width: int = 64
    layers: int = 2
    l2: float = 1e-4
    lr: float = 1e-3

    def start(self) -> dict[str, Any]:
        """Read `start.pt`."""
        start: dict[str, Any] = torch.load(Path(self.folder) / "start.pt", weights_only=True)
        return start

    def result(self, side: str) -> Path:
        """Where a side writes loss and gradients of its first step."""
        return Path(self.folder) / f"{side}.pt"


class PlainVBPR(nn.Module):
    """Looks up the factors and the features of the batch, and projects these, for the one item and for the other.

    Args:
        n_users: U.
        features: (I, F).
        width: of the factors and of the projected features.
        l2: weight of the squared factors and biases.
    """

    def __init__(self, n_users: int, features: Tensor, width: int, l2: float) -> None:
        super().__init__()
        self.features = features
        self.l2 = l2
        self.user_factors = nn.Embedding(n_users, width)
        self.item_factors = nn.Embedding(len(features), width)
        self.user_tastes = nn.Embedding(n_users, width)
        self.item_bias = nn.Embedding(len(features), 1)
        self.projection = nn.Linear(features.shape[1], width, bias=False)
        self.feature_bias = nn.Linear(features.shape[1], 1, bias=False)

    def forward(self, user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of a batch of triplets."""
        factors, tastes = self.user_factors(user), self.user_tastes(user)
        scores, embeddings = [], [factors, tastes]
        for item in (positive, negative):
            item_factors, bias, features = self.item_factors(item), self.item_bias(item), self.features[item]
            latent, visual = (factors * item_factors).sum(1), (tastes * self.projection(features)).sum(1)
            scores.append(latent + visual + bias.squeeze(1) + self.feature_bias(features).squeeze(1))
            embeddings += [item_factors, bias]
        return bpr(*scores) + self.l2 * half_squares(embeddings)


class PlainConvolution(nn.Module):
    """Sends a message along every edge, takes the mean where they arrive, and combines it with the own vector.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.aggregate = nn.Linear(width, width, bias=False)
        self.transform = nn.Linear(width, width)
        self.combine = nn.Linear(2 * width, width)

    def forward(self, nodes: Tensor, ids: Tensor, edges: Tensor, degree: Tensor) -> Tensor:
        """Return the next vectors of all nodes.

        Args:
            nodes: (N, D).
            ids: (N, D).
            edges: (2, E), source and target.
            degree: (N, 1), edges that arrive, at least 1.

        Returns:
            (N, D).
        """
        source, target = edges
        messages = self.aggregate(nodes).index_select(0, source)
        received = torch.zeros_like(nodes).scatter_add(0, target[:, None].expand_as(messages), messages)
        neighbours = F.leaky_relu(received / degree)
        own = F.leaky_relu(self.transform(nodes)) + ids
        return F.leaky_relu(self.combine(torch.cat([neighbours, own], dim=1)))


class PlainModality(nn.Module):
    """The users' preferences and the items' projected features of one modality, exchanged along the edges.

    Args:
        n_users: U.
        features: (I, F).
        width: D.
        layers: number of convolutions.
    """

    def __init__(self, n_users: int, features: Tensor, width: int, layers: int) -> None:
        super().__init__()
        self.features = features
        self.preference = nn.Parameter(torch.empty(n_users, width))
        self.projection = nn.Linear(features.shape[1], width)
        self.layers = nn.ModuleList(PlainConvolution(width) for _ in range(layers))

    def forward(self, ids: Tensor, edges: Tensor, degree: Tensor) -> Tensor:
        """Encode all nodes (N, D), users before items."""
        nodes = F.normalize(torch.cat([self.preference, self.projection(self.features)]))
        for layer in self.layers:
            nodes = layer(nodes, ids, edges, degree)
        return nodes


class PlainMMGCN(nn.Module):
    """Averages the modalities, each of which passes messages over the edges in both directions.

    Args:
        n_users: U.
        features: (I, F) of each modality.
        pairs: (2, n), user and item of every edge, each once.
        width: D.
        layers: number of convolutions.
        l2: weight of the squared ids and preferences.
    """

    def __init__(
        self, n_users: int, features: Mapping[str, Tensor], pairs: Tensor, width: int, layers: int, l2: float
    ) -> None:
        super().__init__()
        n_nodes = n_users + len(next(iter(features.values())))
        user, item = pairs[0], n_users + pairs[1]
        self.n_users = n_users
        self.l2 = l2
        self.edges = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
        self.degree = torch.bincount(self.edges[1], minlength=n_nodes).clamp(min=1)[:, None]
        self.ids = nn.Embedding(n_nodes, width)
        self.modalities = nn.ModuleDict(
            {name: PlainModality(n_users, rows, width, layers) for name, rows in features.items()}
        )

    def forward(self, user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of a batch of triplets."""
        modalities = list(self.modalities.values())
        encoded = [modality(self.ids.weight, self.edges, self.degree) for modality in modalities]
        nodes = torch.stack(encoded).mean(0)
        chosen = [user, self.n_users + positive, self.n_users + negative]
        users, *items = (nodes[index] for index in chosen)
        scores = [(users * item).sum(1) for item in items]
        preferences = [modality.get_parameter("preference")[user] for modality in modalities]
        return bpr(*scores) + self.l2 * half_squares([*map(self.ids, chosen), *preferences])


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Rank the scores (B,) of the positive items above those of the negative ones."""
    return -F.logsigmoid(positive - negative).mean()


def half_squares(embeddings: list[Tensor]) -> Tensor:
    """Return half the squared length of the embeddings (B, ...) of a triplet, the mean over the batch."""
    return sum((rows.square().sum() for rows in embeddings), torch.zeros(())) / (2 * len(embeddings[0]))


def own_model(settings: PairSettings, start: Mapping[str, Any]) -> VBPR | MMGCN:
    """Build mmrec's model and hand it the data, but not the parameters to start from."""
    dims = {f"{modality}_dim": start[modality].shape[1] for modality in ("text", "image")}
    switches = {modality: start[modality].shape[1] > 0 for modality in ("text", "image")}
    sizes = {name: start[name] for name in ("n_users", "n_items")}
    shared = {**sizes, **dims, **switches, "hidden_dim": settings.width, "l2": settings.l2, "lr": settings.lr}
    model: VBPR | MMGCN
    if settings.name == "vbpr":
        model = VBPR(feature_dim=settings.width, **shared)
    else:
        model = MMGCN(layers=settings.layers, **shared)
    model.attach(SimpleNamespace(train=train_view(start)), raw_features(start))  # type: ignore[arg-type]
    return model


def own(settings: PairSettings, start: Mapping[str, Any]) -> tuple[nn.Module, Loss, torch.optim.Optimizer]:
    """Return mmrec's model, its loss, and its optimiser."""
    keep_freed_memory()  # as the command line does at start-up
    model = own_model(settings, start)
    optimizer = model.configure_optimizers()
    assert optimizer is not None
    return model, lambda *triplet: model.losses(PairBatch(*triplet))["loss"], optimizer


def plain(settings: PairSettings, start: Mapping[str, Any]) -> tuple[nn.Module, Loss, torch.optim.Optimizer]:
    """Return the plain model, which is its loss, and Adam."""
    text_dim, image_dim = (start[modality].shape[1] for modality in ("text", "image"))
    prepared = ItemFeatures(
        start["n_items"], text_dim=text_dim, image_dim=image_dim, text=text_dim > 0, image=image_dim > 0
    )
    prepared.attach(raw_features(start))  # type: ignore[arg-type]
    model: PlainVBPR | PlainMMGCN
    if settings.name == "vbpr":
        model = PlainVBPR(start["n_users"], prepared(), settings.width, settings.l2)
    else:
        rows = {modality: prepared.rows(modality) for modality in prepared.modalities}
        pairs = torch.stack(train_view(start).pairs())
        model = PlainMMGCN(start["n_users"], rows, pairs, settings.width, settings.layers, settings.l2)
    return model, model, torch.optim.Adam(model.parameters(), lr=settings.lr)


def train_view(start: Mapping[str, Any]) -> TrainView:
    """Put the training interactions into the form that models are given."""
    items = start["items"]
    return TrainView(start["n_users"], start["n_items"], start["offsets"], items, torch.zeros_like(items))


def raw_features(start: Mapping[str, Any]) -> SimpleNamespace:
    """Put the features into the form that models are given; every item but padding has them."""
    present = np.arange(start["n_items"]) > 0
    rows = {modality: start[modality].numpy() for modality in ("text", "image")}
    return SimpleNamespace(transforms=None, **rows, text_present=present, image_present=present)


def main() -> None:
    side: Side = "plain" if sys.argv[1] == "plain" else "mmrec"
    settings = PairSettings(**json.loads(sys.argv[2]))
    torch.set_num_threads(settings.threads)
    start = settings.start()
    model, loss_of, optimizer = (own if side == "mmrec" else plain)(settings, start)
    model.load_state_dict(start["parameters"])
    first: dict[str, Any] = {}

    def step(triplet: NDArray[Any]) -> None:
        optimizer.zero_grad()
        loss = loss_of(*torch.from_numpy(triplet))
        loss.backward()
        if not first:
            gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            first.update(loss=loss.detach(), gradients=gradients)
        optimizer.step()

    seconds = timed_steps(start["triplets"].numpy(), step)
    torch.save(first, settings.result(side))
    report(("mmrec", "torch") if side == "mmrec" else ("torch",), seconds[settings.warm_up :])


if __name__ == "__main__":
    main()
