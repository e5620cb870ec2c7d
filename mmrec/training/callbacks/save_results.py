"""The result of a run: metrics with all that is needed to trust or repeat them, and the rank of every test instance."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor

from mmrec.data.datamodule import Candidates, RecDataModule
from mmrec.metrics.slices import item_slices, slice_metrics
from mmrec.models.recommender import Recommender
from mmrec.training.limits import cut_short
from mmrec.training.start_from import read_start
from mmrec.training.tracking import mirror_result
from mmrec.utils import environment
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json
from mmrec.utils.seed import global_seed

TRAINING = "training.json"
HISTORY_KEPT = "_history_kept"
SHAPE = {"epochs": int, "seconds": float, "peak_memory_mb": ({str: float}, None)}
"""Content of the file that a fit leaves when it ends."""
CARD = "README.md"
"""The model card, which the command line writes next to the result."""
SUFFIXES = [
    f"{candidates}{kept}"
    for candidates in ("", *(f"_{name}" for name in get_args(Candidates) if name != "all"))
    for kept in ("", HISTORY_KEPT)
]
"""Parts of file names by protocol."""


class SaveResults(lightning.Callback):
    """Writes `result.json` and `test_ranks.parquet` into the run's folder after a whole `test`.

    `test_ranks.parquet` holds user, item (raw ids) and rank of every test instance, for paired tests. Both names carry
    the protocol where it is not the default (`result_uniform100.json`), so that protocols do not overwrite each other.

    `result.json` has the metrics over all test instances; under `slices` the metrics by slice of the target item, see
    `mmrec.metrics.slices`; under `beyond_accuracy` measures of the lists, see `mmrec.metrics.beyond_accuracy`, or null
    for sampled candidates, which make no list. A test that `limit_test_batches` cuts short writes nothing. A resumed
    fit removes the earlier results, and their model card, when it saves its first checkpoint.
    """

    def __init__(self) -> None:
        self._started: float | None = None
        self.training: dict[str, Any] = {"epochs": 0, "seconds": 0.0}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Count the epoch; its time includes the index that was built for it and the validation that ran in it."""
        self.training = {"epochs": trainer.current_epoch + 1, "seconds": self._seconds()}
        self._started = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """Return the training statistics up to now, so that a resumed run goes on counting."""
        return {**self.training, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.training = dict(state_dict)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remove the results of an earlier fit, which the weights that are about to be written do not have."""
        if trainer.is_global_zero and self._started is not None:
            _remove_results(Path(trainer.default_root_dir))

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the statistics of the whole fit: a checkpoint has them only up to its own epoch."""
        self._started = None
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            text = json.dumps({**self.training, "peak_memory_mb": environment.peak_memory_mb()})
            write_whole(Path(trainer.default_root_dir) / TRAINING, text)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write both files."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.is_global_zero or not isinstance(pl_module, Recommender) or not isinstance(data, RecDataModule):
            return
        if cut_short(trainer.limit_test_batches):
            rank_zero_info("the test was cut short by limit_test_batches: no result is written")
            return
        folder = Path(trainer.default_root_dir)
        suffix = data.metric_suffix + ("" if data.mask_history else HISTORY_KEPT)
        table = pl_module.metrics.table
        assert table is not None  # `test` has just computed the metrics
        instances, ranks = (column.cpu() for column in table)
        users, items = data.catalog.user_of(instances), data.catalog.items[instances]
        raw_items = data.catalog.item_table["raw_id"]
        write_whole(
            folder / f"test_ranks{suffix}.parquet",
            lambda path: pl.DataFrame(
                {
                    "user": [data.catalog.user_ids[user] for user in users.tolist()],
                    "item": raw_items.gather(items.tolist()),
                    "rank": ranks.numpy(),
                }
            ).write_parquet(path),
        )
        members = item_slices(data.catalog.train.popularity, *_presence(data))
        slices = slice_metrics(ranks, items, members, data.metric_suffix, data.cutoffs)
        beyond = pl_module.beyond_accuracy
        training = self._training(folder, pl_module)
        # The fit's where there was one: a test alone takes less.
        memory = training.pop("peak_memory_mb", None) or environment.peak_memory_mb()
        result = {
            "run": folder.name,
            "model": folder.parent.name,
            "class": type(pl_module).__name__,
            "dataset": data.source.name,
            "seed": global_seed(),
            "metrics": {
                name.removeprefix("test/"): round(float(value), 6)
                for name, value in trainer.callback_metrics.items()
                if name.startswith("test/")
            },
            "slices": {name: _rounded(row) for name, row in slices.items()},
            "beyond_accuracy": None if beyond is None else _rounded(beyond.compute()),
            "protocol": {**data.protocol(), "instances": len(ranks)},
            "input_ablation": data.input_ablation,
            "started_from": read_start(folder),
            "data_hash": data.catalog.manifest.data_hash,
            "features": None
            if data.features is None
            else {"encoder": data.features.encoder, "revision": data.features.revision},
            "parameters": sum(p.numel() for p in pl_module.parameters()),
            "hyperparameters": {key: value for key, value in pl_module.hparams.items() if not key.startswith("_")},
            "training": {**training, "best_epoch": _best_epoch(trainer)},
            "peak_memory_mb": memory,
            "git": environment.git_state(),
            "machine": {
                **environment.machine(),
                "processes": trainer.world_size,
                "precision": str(trainer.precision),
            },
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        write_whole(folder / f"result{suffix}.json", json.dumps(result, indent=2) + "\n")
        mirror_result(trainer.loggers, result)

    def _seconds(self) -> float:
        running = 0.0 if self._started is None else time.perf_counter() - self._started
        return round(float(self.training["seconds"]) + running, 2)

    def _training(self, folder: Path, model: Recommender) -> dict[str, Any]:
        """Return epochs and seconds of the fit: up to the checkpoint if the fit did not end, zeros without a fit.

        The seconds of a model that is not trained are those of its closed form.
        """
        if model.trains_on == "nothing":
            return {"epochs": 0, "seconds": round(model.attach_seconds, 4)}
        file = folder / TRAINING
        return dict(read_json(file, SHAPE, "fit again")) if file.is_file() else self.training


def _remove_results(folder: Path) -> None:
    """Remove the files that `SaveResults` writes, and the model card of the result among them."""
    result, card = folder / "result.json", folder / CARD
    with suppress(OSError, ValueError, KeyError):
        if json.loads(result.read_text(encoding="utf-8"))["data_hash"] in card.read_text(encoding="utf-8"):
            card.unlink()
    for name in (TRAINING, *(name for end in SUFFIXES for name in (f"result{end}.json", f"test_ranks{end}.parquet"))):
        (folder / name).unlink(missing_ok=True)


def _rounded(row: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: value if value is None else round(value, 6) for name, value in row.items()}


def _presence(data: RecDataModule) -> tuple[Tensor, Tensor]:
    """Return which items (I,) have a text and a picture: in the features, or in `items.parquet` without an encoder."""
    if data.features is not None:
        return torch.tensor(data.features.text_present), torch.tensor(data.features.image_present)
    table = data.catalog.item_table
    text, image = (torch.from_numpy(table[name].is_not_null().to_numpy(writable=True)) for name in ("text", "image"))
    return text, image


def _best_epoch(trainer: lightning.Trainer) -> int | None:
    """Return the epoch (from 0) of the checkpoint in use, None if the model was never trained."""
    path = trainer.ckpt_path
    if not path or not Path(path).is_file():
        return None
    return int(torch.load(path, map_location="cpu", weights_only=True)["epoch"])
