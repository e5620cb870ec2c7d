"""A trained run written as a bundle: a folder that answers without raw data, in Python, over HTTP or elsewhere.

| file | content |
|---|---|
| `manifest.json` | class and arguments of the model, protocol, data hash, sha256 of every other file |
| `weights.safetensors`, `attached.safetensors` | the parameters, and what the model has made of its data |
| `data/` | items, training interactions and features, as a dataset folder |
| `items.json`, `item_vectors.npy`, `index.faiss` | raw ids in order, their vectors (n, D) float32, the Faiss index |
| `user_vectors.npy` with `users.json` | vectors of the users, for models with a vector per user |
| `static_items.npy`, `static_users.npy` | the propagated vectors of eq. 9-10, row 0 of the items is padding |
| `user_encoder.pt2`, `user_encoder.onnx` | histories to user vectors, see `portable` |
| `scorer.pt2`, `scorer.onnx` | histories to scores, for models that are not dot products |
| `transforms.npz` | the fitted transforms of the features, for new items |
| `README.md` | the model card |
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml  # type: ignore[import-untyped]

import mmrec
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.transforms import transforms_of
from mmrec.errors import UserError, require
from mmrec.inference.bundle.card import write_card
from mmrec.inference.bundle.data import DATA, TRANSFORMS, write_data, write_features
from mmrec.inference.bundle.graphs import write_graphs
from mmrec.inference.bundle.index import IndexKind, build_index, recall, tune
from mmrec.inference.bundle.manifest import BundleManifest, hash_files, is_bundle
from mmrec.inference.bundle.portable import NoForm, scorer, user_encoder
from mmrec.inference.bundle.read import ATTACHED, INDEX, WEIGHTS
from mmrec.inference.bundle.state import attached_tensors, write_tensors
from mmrec.inference.histories import History, assemble
from mmrec.models import MMRaclKal
from mmrec.models.recommender import Recommender
from mmrec.results.load import Run, read_run
from mmrec.training.run_folder import load_run, run_folder
from mmrec.utils.arrays import write_array
from mmrec.utils.files import write_whole
from mmrec.utils.lock import locked, partial_folder

QUERIES = 500
"""Training histories whose vectors measure the recall of an index."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a run is exported.

    Args:
        index: "exact", "ivf" or "hnsw", see `build_index`.
        k: length of the lists whose recall is measured and reached.
        images: whether the images of the items are copied into the bundle; otherwise their paths are kept.
        graphs: whether the forms by `torch.export` and ONNX are written, which takes some seconds and two copies of the
            item vectors; `mmrec.load` and `mmrec serve` need neither.

    Raises:
        InvalidArgument: k is below 1.
    """

    index: IndexKind = "exact"
    k: int = 10
    images: bool = False
    graphs: bool = True

    def __post_init__(self) -> None:
        require(self.k >= 1, "k", self.k, "at least 1")


def export_run(run: Path, to: Path, options: ExportOptions = ExportOptions()) -> BundleManifest:
    """Write a run as a bundle.

    Args:
        run: the run's folder, for its best checkpoint; or a checkpoint in it.
        to: the bundle, a new folder or an earlier bundle, which is replaced when the new one is complete.
        options: the index and the images.

    Raises:
        UserError: the run cannot be opened or was trained on altered input, or `to` is another folder.
    """
    folder = run_folder(run)
    model, data = load_run(run, with_added=True)
    file = folder / "result.json"
    tested = read_run(file) if file.is_file() else None
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    encoder = config["data"].get("encoder")
    return export_model(model, data, to, options, encoder=encoder, tested=tested)


def export_model(
    model: Recommender,
    data: RecDataModule,
    to: Path,
    options: ExportOptions = ExportOptions(),
    *,
    encoder: dict[str, object] | None = None,
    tested: Run | None = None,
) -> BundleManifest:
    """Write a trained model as a bundle, see `export_run`.

    Args:
        model: trained and attached to its data.
        data: the data it was trained on.
        to: the bundle.
        options: the index and the images.
        encoder: class and arguments of the features' encoder, as in a config.
        tested: the run's result, for the model card.
    """
    if data.input_ablation is not None:
        raise UserError(f"the model was trained with input_ablation: {data.input_ablation}, so it is not for use")
    to = to.absolute()
    if to.exists() and not is_bundle(to) and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"--to {to}: exists and is not a bundle; choose a new folder")
    partial = partial_folder(to)
    with locked(to):
        shutil.rmtree(partial, ignore_errors=True)  # left by a killed export
        try:
            partial.mkdir(parents=True)
            manifest = _write(model.eval(), data, partial, options, encoder)
            write_card(partial / "README.md", manifest, tested)
            manifest.files.update(hash_files(partial))
            manifest.save(partial)
            _put(partial, to)
        except OSError as error:
            raise UserError(f"{to}: cannot be written ({error.strerror or error}); nothing of it is kept") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return manifest


@torch.no_grad()
def _write(
    model: Recommender,
    data: RecDataModule,
    folder: Path,
    options: ExportOptions,
    encoder: dict[str, object] | None,
) -> BundleManifest:
    catalog, features = data.catalog, data.features
    model.begin_evaluation()
    write_data(catalog, folder / DATA, users=model.needs_user, images=options.images)
    place = None
    if features is not None:
        place = write_features(features, folder / DATA).relative_to(folder).as_posix()
        transforms_of(features).save(folder / TRANSFORMS)
    write_tensors(folder / WEIGHTS, model.state_dict())
    write_tensors(folder / ATTACHED, attached_tensors(model))
    ids = catalog.item_table["raw_id"].to_list()[1:]
    write_whole(folder / "items.json", json.dumps(ids, ensure_ascii=False) + "\n")
    absent: dict[str, str] = {}
    index = _write_vectors(model, data, folder, options, absent)
    if model.needs_user:
        _write_users(model, catalog, folder)
    if isinstance(model, MMRaclKal) and model.static is not None:
        tables = model.tables()
        for name, vectors in (("static_users", tables.static_users), ("static_items", tables.static_items)):
            if vectors is not None and (model.needs_user or name == "static_items"):
                write_array(folder / f"{name}.npy", vectors.float().numpy())
    for name, make in (("user_encoder", user_encoder), ("scorer", scorer)):
        try:
            module = make(model, data.max_length)
        except NoForm as reason:
            absent[name] = str(reason)
            continue
        absent |= write_graphs(folder, name, module) if options.graphs else {name: "left out by --graphs false"}
    model.end_evaluation()
    cls = type(model)
    arguments = {key: value for key, value in model.hparams.items() if not key.startswith("_")}
    if "n_items" in arguments:
        arguments["n_items"] = catalog.n_items  # more than in training where items were added
    return BundleManifest(
        mmrec_version=mmrec.__version__,
        dataset=catalog.manifest.dataset,
        data_hash=catalog.manifest.data_hash,
        n_users=catalog.n_users,
        n_items=catalog.n_items,
        max_length=data.max_length,
        mask_history=data.mask_history,
        newest=catalog.newest,
        model={"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": arguments},
        encoder=None if features is None else encoder,
        protocol=data.protocol(),
        features=place,
        index=index,
        absent=absent,
        files={},
    )


def _write_vectors(
    model: Recommender, data: RecDataModule, folder: Path, options: ExportOptions, absent: dict[str, str]
) -> dict[str, object] | None:
    """Write the item vectors and their index; return the manifest's entry on the index."""
    if not model.is_dot_product:
        reason = f"{type(model).__name__} does not score by a product of user and item vectors"
        absent |= {"index": reason}
        if options.index != "exact":
            raise UserError(f"--index {options.index}: {reason}; leave the option out")
        if not isinstance(model, MMRaclKal):
            absent["item_vectors"] = reason
            return None
        write_array(folder / "item_vectors.npy", model.item_vectors()[1:].float().numpy())
        return None
    vectors = np.ascontiguousarray(model.item_vectors()[1:].float().numpy())
    write_array(folder / "item_vectors.npy", vectors)
    try:
        exact = build_index(vectors, "exact")
    except UserError as error:
        if options.index != "exact":
            raise
        absent["index"] = str(error)
        return None
    index, reached = exact, 1.0
    k = min(options.k, len(vectors))
    if options.index != "exact":
        queries = _queries(model, data)
        index = build_index(vectors, options.index)
        tune(index, exact, queries[::2], k)
        reached = recall(index, exact, queries[1::2], k)
    index.save(folder / INDEX)
    return {"kind": options.index, "k": k, "recall": round(reached, 4), "effort": index.effort}


def _queries(model: Recommender, data: RecDataModule) -> np.ndarray:
    """Return the vectors (n, D) of some users, from their training histories."""
    view = data.catalog.train
    users = torch.nonzero(view.offsets.diff()).squeeze(1)
    users = users[torch.randperm(len(users), generator=torch.Generator().manual_seed(0))[: 2 * QUERIES]]
    histories = [
        History(tuple(view.items[view.offsets[user] : view.offsets[user + 1]].tolist()), user=user)
        for user in users.tolist()
    ]
    parts = [histories[start : start + 256] for start in range(0, len(histories), 256)]
    batches = [assemble(part, data.max_length, data.catalog.newest) for part in parts]
    return torch.cat([model.encode_users(batch).float() for batch in batches]).numpy()


def _write_users(model: Recommender, catalog: Catalog, folder: Path) -> None:
    write_whole(folder / "users.json", json.dumps(catalog.user_ids, ensure_ascii=False) + "\n")
    vectors = getattr(model, "user_vectors", None)  # LightGCN, VBPR and MMGCN
    if vectors is not None:
        write_array(folder / "user_vectors.npy", vectors().float().numpy())


def _put(partial: Path, to: Path) -> None:
    """Give a complete bundle its name; an earlier bundle of that name is removed afterwards."""
    earlier = to.with_name(f".{to.name}.replaced")
    shutil.rmtree(earlier, ignore_errors=True)
    if to.exists():
        to.rename(earlier)
    partial.rename(to)
    shutil.rmtree(earlier, ignore_errors=True)
