"""LightGCN of RecBole on given triplets from given embeddings: its dataset, its model, its loss, Adam as its trainer's.

RecBole numbers users and items itself, from 1 in order of appearance; what comes in and goes out is in our numbers.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from recbole.config import Config
from recbole.data import create_dataset
from recbole.model.general_recommender import LightGCN

from peers.triplets import GraphSettings, report, timed_steps


def configure(settings: GraphSettings, width: int) -> Config:
    """Name the atomic file, and the options of LightGCN."""
    options = {
        "data_path": settings.folder,
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "load_col": {"inter": ["user_id", "item_id"]},
        "embedding_size": width,
        "n_layers": settings.layers,
        "reg_weight": settings.l2,
        "require_pow": True,  # squared norms, as in the paper
        "use_gpu": False,
        "state": "ERROR",
    }
    return Config(model="LightGCN", dataset="train", config_dict=options)


def write_atomic(edges: NDArray[Any], folder: Path) -> None:
    """Write RecBole's format, one interaction a line."""
    folder.mkdir()
    rows = "\n".join(f"{user}\t{item}" for user, item in edges.T.tolist())
    (folder / "train.inter").write_text(f"user_id:token\titem_id:token\n{rows}\n", encoding="utf-8")


def main() -> None:
    settings = GraphSettings.from_command_line()
    logging.getLogger().setLevel(logging.ERROR)
    torch.set_num_threads(settings.threads)
    start = settings.start()
    write_atomic(start["edges"], Path(settings.folder) / "train")
    config = configure(settings, start["users"].shape[1])
    dataset = create_dataset(config)
    model = LightGCN(config, dataset)
    ours, tables = {}, {"user": model.user_embedding.weight, "item": model.item_embedding.weight}
    for name, table in tables.items():
        tokens = dataset.field2id_token[f"{name}_id"][1:].astype(int)  # ours, in RecBole's order
        theirs = np.zeros(len(start[f"{name}s"]), dtype=np.int64)
        theirs[tokens] = np.arange(1, len(tokens) + 1)
        ours[name] = theirs
        table.data[1:] = torch.from_numpy(start[f"{name}s"][tokens])
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr)
    first: dict[str, NDArray[Any]] = {}

    def step(triplet: NDArray[Any]) -> None:
        user, positive, negative = triplet
        batch = {
            "user_id": torch.from_numpy(ours["user"][user]),
            "item_id": torch.from_numpy(ours["item"][positive]),
            "neg_item_id": torch.from_numpy(ours["item"][negative]),
        }
        optimizer.zero_grad()
        loss = model.calculate_loss(batch)
        loss.backward()
        if not first:
            gradients = {f"{name}_gradient": table.grad.numpy()[ours[name]] for name, table in tables.items()}
            first.update(loss=loss.detach().numpy().squeeze(), **gradients)
        optimizer.step()

    seconds = timed_steps(start["triplets"], step)
    with torch.no_grad():
        final = model.forward()
    users, items = (table.numpy()[ours[name]] for name, table in zip(("user", "item"), final, strict=True))
    np.savez(settings.result("recbole"), users=users, items=items, **first)
    report(("recbole", "torch", "numpy", "scipy"), seconds)


if __name__ == "__main__":
    main()
