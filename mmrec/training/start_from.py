"""A fit that starts from a trained model on data that have grown, instead of from random parameters."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
from pytorch_lightning.utilities import rank_zero_info

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import PrecomputedEncoder
from mmrec.data.features.transforms import FILE as TRANSFORMS
from mmrec.data.features.transforms import FeatureTransforms
from mmrec.errors import UserError
from mmrec.models.recommender import FROM_DATA, Recommender
from mmrec.models.rows import Axis, Places, carry_over
from mmrec.training.checkpoints import read_checkpoint
from mmrec.training.run_folder import run_folder
from mmrec.training.trained_pairs import Pairs, held_out_again, keep_pairs, pairs_of
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json
from mmrec.utils.tables import read_table

IDS = "ids.parquet"
"""Raw ids of the users and items of a run, in the order of its rows."""
START = "start.json"
SHAPE = {
    "run": str, "data_hash": str, "items": {str: int}, "users": {str: int}, "held_out_again": ({str: int}, None),
    "valid": ({str: float}, None),
}  # fmt: skip

log = logging.getLogger(__name__)

CHOOSE = "choose the options it was trained with, or train anew"


def save_ids(data: RecDataModule, folder: Path) -> None:
    """Keep the raw ids of a run's users and items, so that a fit on other data can start from it."""
    parts = {"item": data.catalog.item_table["raw_id"].to_list(), "user": data.catalog.user_ids}
    table = pl.concat(
        [pl.DataFrame({"kind": [kind] * len(ids), "raw_id": ids}, {"kind": pl.String, "raw_id": pl.String})
         for kind, ids in parts.items()]
    )  # fmt: skip
    write_whole(folder / IDS, table.write_parquet)


@dataclass(frozen=True)
class Start:
    """What a fit started from.

    Args:
        run: folder of the run.
        data_hash: hash of the data that it was trained on.
        items: numbers of known and new items.
        users: numbers of known and new users.
        held_out_again: numbers of held-out interactions that the run was trained on, see
            `mmrec.training.trained_pairs`; None if that is not known.
        pairs: the pairs that it was trained on, in the rows of these data; None if they are not known.
    """

    run: str
    data_hash: str
    items: dict[str, int]
    users: dict[str, int]
    held_out_again: dict[str, int] | None
    pairs: Pairs | None = field(repr=False)

    def record(self) -> dict[str, Any]:
        """Return what `start.json` holds of it."""
        return {name: value for name, value in vars(self).items() if name != "pairs"}

    def __str__(self) -> str:
        """Return one line for the log."""
        counts = [
            f"{part['known']:,} known and {part['new']:,} new {name}"
            for name, part in (("items", self.items), ("users", self.users))
        ]
        return f"starting from {self.run}: {' and '.join(counts)}"


def start_from(model: Recommender, data: RecDataModule, run: str | Path) -> Start:
    """Give a model the parameters of a trained one, before it is trained on data that have grown.

    Known users and items have their rows, found by raw id. A new item has the id part of its training form, see
    `ItemEncoder.new_id`, and its features; a new user has the row that the model was made with. The data are read by
    the transforms of the run.

    Args:
        model: a new model of the class and the widths of the trained one.
        data: its data.
        run: folder of the run, for its best checkpoint; or a checkpoint in it.

    Raises:
        UserError: the run is of another class, width or encoder, has no parameters, or has no item in common.
    """
    run = Path(run)
    folder = run_folder(run)
    if not (folder / IDS).is_file():
        raise UserError(f"{folder}/{IDS} is missing: the run is of an earlier version or has not begun; train it again")
    trained = read_checkpoint(run if run.is_file() else folder / "checkpoints" / "best.ckpt")
    if trained.get("model_class") != type(model).__name__:
        raise UserError(f"{run} is of {trained.get('model_class')}, the model of {type(model).__name__}: {CHOOSE}")
    ids = read_table(folder / IDS, ["kind", "raw_id"], None, "train the run again")
    items, users = (ids.filter(pl.col("kind") == kind)["raw_id"].to_list() for kind in ("item", "user"))
    places: dict[Axis, Places] = {
        "items": Places.of(data.catalog.item_table["raw_id"].to_list(), items),
        "users": Places.of(data.catalog.user_ids, users),
    }
    counts = {
        "items": _counts(places["items"], 1),  # without padding
        "users": _counts(places["users"], 0),
    }
    if not counts["items"]["known"]:
        raise UserError(f"{run} has no item of {data.catalog.folder}: ids are compared as they are in the raw data")
    if data.encoder is not None and (folder / TRANSFORMS).is_file():
        _take_transforms(data, FeatureTransforms.load(folder / TRANSFORMS), run)
        for name in ("text_dim", "image_dim"):
            width, own = getattr(data, name), model.hparams.get(name)
            if own not in (None, width):
                raise UserError(
                    f"{run} was trained with {name} {width}, the model is made for {own}: whiten the data alike"
                )
    options = {name: value for name, value in trained["hyper_parameters"].items() if not name.startswith("_")}
    source = type(model)(**options)
    source.load_state_dict(trained["state_dict"])
    try:
        carry_over(source, model, source.row_parameters(), places)
    except UserError as error:
        raise UserError(f"{run} cannot be the start: {error}; {CHOOSE}") from None
    _tell_differences(options, dict(model.hparams), run)
    pairs = pairs_of(folder, places)
    again = None if pairs is None else held_out_again(data.catalog, pairs)
    if again is None:
        log.warning("%s is of an earlier version: which of these test interactions it was trained on is not known", run)
    elif any(again.values()):
        log.warning(
            "%s was trained on %s of the validation and %s of the test interactions of these data: metrics are too "
            "high; train anew to measure",
            run, f"{again['valid']:,}", f"{again['test']:,}",
        )  # fmt: skip
    return Start(str(folder), str(trained.get("data_hash", "")), counts["items"], counts["users"], again, pairs)


def _counts(places: Places, first: int) -> dict[str, int]:
    known = int((places.row[first:] >= 0).sum())
    return {"known": known, "new": len(places.row) - first - known}


def _take_transforms(data: RecDataModule, transforms: FeatureTransforms, run: Path) -> None:
    """Read the data by the transforms of a run, if the same encoder made the features."""
    features = data.features
    assert features is not None  # the data have an encoder
    same = features.encoder_revision == transforms.revision or isinstance(data.encoder, PrecomputedEncoder)
    if features.encoder != transforms.encoder or not same:
        raise UserError(
            f"{run} was trained on features of {transforms.encoder} ({transforms.revision}), the data has those of "
            f"{features.encoder} ({features.encoder_revision}): {CHOOSE}"
        )
    data.keep_transforms(transforms)


def _tell_differences(trained: dict[str, Any], own: dict[str, Any], run: Path) -> None:
    names = [name for name in own if name in trained and name not in FROM_DATA and own[name] != trained[name]]
    if names:
        words = ", ".join(f"{name} {own[name]} (there {trained[name]})" for name in names)
        rank_zero_info(f"other options than {run}: {words}")


class RecordStart(lightning.Callback):
    """Writes `start.json` into the run's folder: where the fit started, and its validation before the first step.

    Args:
        start: where it started.
    """

    def __init__(self, start: Start) -> None:
        self.start = start

    def on_sanity_check_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Record the validation that Lightning has run before the training."""
        prefix = "valid/"
        metrics = {
            name.removeprefix(prefix): round(float(value), 6)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(prefix)
        }
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir)
        write_whole(folder / START, json.dumps({**self.start.record(), "valid": metrics}, indent=2) + "\n")
        keep_pairs(trainer.datamodule.catalog, folder, self.start.pairs)  # type: ignore[attr-defined]
        rank_zero_info(
            f"validation at the start: {', '.join(f'{name} {value:.4f}' for name, value in metrics.items())}"
        )


def read_start(folder: Path) -> dict[str, Any] | None:
    """Return what a run started from; None for random parameters."""
    return dict(read_json(folder / START, SHAPE, "train again")) if (folder / START).is_file() else None
