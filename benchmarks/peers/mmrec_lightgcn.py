"""LightGCN of mmrec on given triplets from given embeddings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmrec.batch import PairBatch
from mmrec.data.catalog import TrainView
from mmrec.models.lightgcn import LightGCN
from mmrec.utils.allocator import keep_freed_memory
from peers.triplets import GraphSettings, report, timed_steps


def main() -> None:
    settings = GraphSettings.from_command_line()
    keep_freed_memory()  # as the command line does at start-up
    torch.set_num_threads(settings.threads)
    start = settings.start()
    users, items = (torch.from_numpy(start[name]) for name in ("users", "items"))
    sizes = {"n_users": len(users), "n_items": len(items), "hidden_dim": users.shape[1]}
    model = LightGCN(**sizes, layers=settings.layers, l2=settings.l2)
    view = train_view(start["edges"], len(users), len(items))
    model.attach(SimpleNamespace(train=view), None)  # type: ignore[arg-type]
    tables = (model.user_embedding.weight, model.item_encoder.id.weight)  # type: ignore[union-attr]
    for table, rows in zip(tables, (users, items), strict=True):
        table.data.copy_(rows)
    model.lr = settings.lr
    optimizer = model.configure_optimizers()
    assert optimizer is not None
    first: dict[str, NDArray[Any]] = {}

    def step(triplet: NDArray[Any]) -> None:
        optimizer.zero_grad()
        loss = model.losses(PairBatch(*torch.from_numpy(triplet)))["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        if not first:
            gradients = {
                f"{name}_gradient": table.grad.numpy().copy()
                for name, table in zip(("user", "item"), tables, strict=True)
                if table.grad is not None
            }
            first.update(loss=loss.detach().numpy(), **gradients)
        optimizer.step()

    seconds = timed_steps(start["triplets"], step)
    with torch.no_grad():
        final_users, final_items = model.propagated()
    np.savez(settings.result("mmrec"), users=final_users.numpy(), items=final_items.numpy(), **first)
    report(("mmrec", "torch"), seconds)


def train_view(edges: NDArray[Any], n_users: int, n_items: int) -> TrainView:
    """Put interactions (2, n), sorted by user, into the form that models are given."""
    user, item = torch.from_numpy(edges)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(user, minlength=n_users).cumsum(0)])
    return TrainView(n_users, n_items, offsets, item.int(), torch.zeros_like(item))


if __name__ == "__main__":
    main()
