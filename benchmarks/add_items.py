"""New items of a trained model: seconds to add them, how they rank, and the time of an explanation.

    MMREC_DATA=FOLDER python benchmarks/add_items.py --data hm_article --model mm_racl_kal_id

A tenth of the items is held out, see `mmrec.data.prepare.held_out`, and each test interaction with such an item is
ranked, among these items alone and in the whole catalogue. Two models of the same options are compared:

| arm | held-out items |
|---|---|
| catalogue | are in the catalogue in training: in the loss as negatives, in the centre of the features |
| added | are left out of the data altogether, and added by `add_items` after training |

Then 1,000 records of the raw files that are in no dataset are added to the second model.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
import yaml  # type: ignore[import-untyped]
from harness import HERE, data_module, one_line_errors, quiet_machine, write_result

from mmrec import BestCheckpoint, NewItem, RefreshIndex, StopEarly, TrainedRecommender
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.prepare.pipeline import Dataset
from mmrec.data.schema import Split
from mmrec.models.recommender import Recommender
from mmrec.training.instantiate import find_class
from mmrec.utils.shipped import find_config

NEW = 1_000


def unseen_rows(catalog: Catalog) -> np.ndarray:
    """Return the items without training interactions."""
    return np.flatnonzero(catalog.train.popularity.numpy() == 0)[1:]


def without_unseen(catalog: Catalog, folder: Path) -> Catalog:
    """Write a dataset as if its items without training interactions had never been there."""
    known = np.flatnonzero(catalog.train.popularity.numpy() > 0)
    place = np.zeros(catalog.n_items, np.int32)
    place[known] = np.arange(1, len(known) + 1)
    stays = np.isin(catalog.items.numpy(), known)
    user = catalog.user_of(torch.arange(len(catalog.items))).numpy()[stays].astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=catalog.n_users))]).astype(np.int64)
    item = place[catalog.items.numpy()[stays]]
    timestamp, split = catalog.timestamp.numpy()[stays], catalog.split.numpy()[stays]
    table = catalog.item_table[[0, *known.tolist()]].with_columns(item=pl.int_range(len(known) + 1, dtype=pl.Int32))
    digest = hashlib.sha256()
    for column in (user, item, timestamp, split):
        digest.update(column.data)
    sizes = {"n_items": len(table), "n_interactions": len(item)}
    manifest = replace(catalog.manifest, **sizes, data_hash=digest.hexdigest(), files={})
    folder.mkdir(parents=True)
    Dataset(offsets, item, timestamp, split, table, pl.Series(catalog.user_ids), manifest).save(folder)
    return Catalog(folder)


def train(data: RecDataModule, config: dict[str, Any], seconds: int, folder: Path) -> Recommender:
    """Train a model for some time, and return it with its best weights."""
    torch.manual_seed(1)
    cls = find_class(config["class_path"] if "." in config["class_path"] else f"mmrec.models.{config['class_path']}")
    model: Recommender = cls.for_data(data, **config.get("init_args", {}))
    if model.trains_on == "nothing":
        model.attach(data.catalog, data.features)
        return model
    best = BestCheckpoint()
    best.dirpath = str(folder)
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, max_epochs=200, max_time={"seconds": seconds}, num_sanity_val_steps=0,
        callbacks=[RefreshIndex(), StopEarly(), best], logger=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    state = torch.load(best.best_model_path, weights_only=True)
    model.load_state_dict(state["state_dict"])
    print(f"{type(model).__name__}: {trainer.current_epoch} epochs, best validation {float(best.best_model_score):.4f}")
    return model


def gains(shop: TrainedRecommender, whole: Catalog, among: Sequence[str]) -> list[tuple[float, float]]:
    """Return NDCG@10 of each test interaction with a held-out item, among such items and in the whole catalogue."""
    raw, held_out = whole.item_table["raw_id"].to_list(), set(among)
    everything, found = raw[1:], []
    for row in whole.instances(Split.TEST).tolist():
        user, target = int(whole.user_of(torch.tensor(row))), raw[int(whole.items[row])]
        start = int(whole.offsets[user])
        history = [raw[i] for i in whole.items[start:row].tolist()]
        if target not in held_out:
            continue
        times = whole.timestamp[start:row].tolist() if whole.manifest.timed else None
        ranked = [one.item for one in shop.rank(history, everything, times=times) if one.item not in history]
        places = ([one for one in ranked if one in held_out].index(target), ranked.index(target))
        found.append(tuple(1 / np.log2(place + 2) if place < 10 else 0.0 for place in places))
    return found


def fresh_records(data: RecDataModule, known: Sequence[str]) -> list[NewItem]:
    """Return records of the raw files that are in no dataset, with their texts and images."""
    table = data.source.read().items
    table = table.filter(~pl.col("item").is_in(list(known)) & pl.col("image").is_not_null()).head(NEW)
    return [NewItem(r["item"], r["text"], r["image"], r["title"]) for r in table.iter_rows(named=True)]


def explanations(shop: TrainedRecommender, catalog: Catalog, count: int = 100) -> dict[str, float]:
    """Return the milliseconds of the first explanation, and the median and the 95 % quantile of the next ones."""
    raw, taken = catalog.item_table["raw_id"].to_list(), []
    for user in range(count + 1):
        start, end = int(catalog.offsets[user]), int(catalog.offsets[user + 1])
        history = [raw[i] for i in catalog.items[start:end].tolist()]
        item = shop.recommend(history, k=1)[0].item
        before = process_time()
        shop.explain(history, item)
        taken.append(1000 * (process_time() - before))
    return {"first": taken[0], "median": median(taken[1:]), "p95": float(np.quantile(taken[1:], 0.95))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="hm_article", help="name or file of a dataset")
    parser.add_argument("--model", default="mm_racl_kal_id", help="name of a model's file")
    parser.add_argument("--seconds", type=int, default=60, help="time of each training")
    parser.add_argument("--share", type=float, default=0.1, help="share of the items that is held out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "add_items.json")
    options = parser.parse_args()
    config = yaml.safe_load(
        Path(find_config(f"lightning_configs/model/{options.model}.yaml") or options.model).read_text()
    )
    with tempfile.TemporaryDirectory() as scratch:
        place = {"root": str(Path(scratch) / "data"), "prepare.hold_out_items": options.share}
        whole = data_module(f"lightning_configs/data/{options.data}.yaml", features=True, **place)
        raw = whole.catalog.item_table["raw_id"]
        held_out = raw.gather(unseen_rows(whole.catalog)).to_list()
        part = data_module(f"lightning_configs/data/{options.data}.yaml", features=True, **place)
        part.catalog = without_unseen(whole.catalog, Path(scratch) / "part" / "dataset")
        arms: dict[str, Any] = {}
        shops = {
            name: TrainedRecommender(train(data, config, options.seconds, Path(scratch) / name), data)
            for name, data in (("catalogue", whole), ("added", part))
        }
        table = whole.catalog.item_table
        columns = ("raw_id", "text", "image", "title")
        new = [NewItem(*row) for row in table.filter(pl.col("raw_id").is_in(held_out)).select(columns).iter_rows()]
        report = shops["added"].add_items(new)
        print(report)
        for name, shop in shops.items():
            measured = np.array(gains(shop, whole.catalog, report.added))
            arms[name] = dict(zip(("among_held_out", "whole_catalogue"), measured.mean(axis=0).tolist(), strict=True))
            arms[name]["instances"] = len(measured)
            print(name, arms[name])
        fresh = fresh_records(whole, table["raw_id"].to_list())
        wall, cpu = perf_counter(), process_time()
        report = shops["added"].add_items(fresh)
        seconds = {"items": len(report.added), "wall": perf_counter() - wall, "cpu": process_time() - cpu}
        print(report, seconds)
        told = explanations(shops["added"], part.catalog)
        print("ms per explanation", told)
    result = {
        "data": options.data, "model": options.model, "seconds_of_training": options.seconds, "ndcg@10": arms,
        "add_items_seconds": seconds, "explain_ms": told, "machine": quiet_machine(),
    }  # fmt: skip
    write_result(options.out, result)


if __name__ == "__main__":
    with one_line_errors():
        main()
