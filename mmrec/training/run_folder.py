"""A run's folder: one writer at a time, earlier runs kept, and a trained model opened again.

A run lies in `<runs>/<dataset>/<model>/seed<k>/`. While a command writes there it holds the lock `.seed<k>.writer`, in
which its process and start time stand.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from filelock import FileLock, Timeout

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features import transforms
from mmrec.errors import UserError
from mmrec.models.recommender import Recommender, sizes_of
from mmrec.training.added_items import restore_added
from mmrec.training.checkpoints import read_checkpoint
from mmrec.training.instantiate import build, find_class
from mmrec.utils.files import write_whole

ASIDE = "aside.json"
"""What stands in the lock's place while a fit has put an earlier run aside and has not ended an epoch."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, which is free again when the process ends, however that comes about.

    Of the processes of one distributed run, the first holds it for all.

    Args:
        folder: the run's folder; it need not exist.

    Raises:
        UserError: another process writes there; the message names its pid and start time.
    """
    if any(int(os.environ.get(name, 0)) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID")):
        yield
        return
    path = folder.with_name(f".{folder.name}.writer")
    owner = path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{folder}: {_owner(owner)} writes there: wait for it, or choose another --name") from None
    try:
        write_whole(owner, json.dumps({"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _owner(file: Path) -> str:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return f"process {content['pid']}, started {content['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


class EarlierRun:
    """What an earlier fit left in a run's folder, put aside while a new one starts.

    A fit that ends before its first epoch gives the folder back; a fit that was killed before it does so too, at the
    next start. A folder that holds a checkpoint or a result of the new fit is never removed.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._note = folder.with_name(f".{folder.name}.{ASIDE}")

    def put_aside(self, resuming: bool) -> Path | None:
        """Rename what is there: the whole folder, or its curves if the new fit goes on from it.

        Returns:
            the new name, None where nothing was there.
        """
        kept = self.folder / "metrics.csv" if resuming else self.folder
        if not (kept.is_file() or (kept / "config.yaml").is_file()):
            return None
        count = 1
        while (aside := kept.with_name(f"{kept.stem}.{count}{kept.suffix}")).exists():
            count += 1
        write_whole(self._note, json.dumps({"kept": str(kept), "aside": str(aside)}))
        kept.rename(aside)
        return aside

    def give_back(self) -> Path | None:
        """Rename it back unless the new fit has ended an epoch.

        Returns:
            the name it has again, None where it stays aside or nothing was put aside.
        """
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            kept, aside = Path(note["kept"]), Path(note["aside"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        self.forget()
        of_new_fit = ["metrics.csv", "checkpoints/*.ckpt", "result*.json"] if kept == self.folder else ["metrics.csv"]
        if not aside.exists() or any(any(self.folder.glob(name)) for name in of_new_fit):
            return None
        if kept == self.folder:
            shutil.rmtree(kept, ignore_errors=True)
        aside.rename(kept)
        return kept

    def forget(self) -> None:
        """Keep it aside for good."""
        self._note.unlink(missing_ok=True)


def remove_unbegun(folder: Path) -> None:
    """Remove the folder of a fit that ended before it began, which holds nothing but a record of W&B."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= {"wandb"}:
        shutil.rmtree(folder)


def run_folder(checkpoint: Path) -> Path:
    """Return the folder of a run, given it or a checkpoint in it.

    Raises:
        UserError: the file does not exist, or does not belong to a run.
    """
    if not checkpoint.exists():
        raise UserError(f"{checkpoint}: no such file; name a checkpoint, or the folder of a run")
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent.parent
    if not (folder / "config.yaml").is_file():
        raise UserError(
            f"{checkpoint}: {folder}/config.yaml is missing; name a checkpoint where its run has put it, "
            "RUN/checkpoints/best.ckpt, or the folder RUN"
        )
    return folder


def load_run(checkpoint: Path, *, with_added: bool = False) -> tuple[Recommender, RecDataModule]:
    """Open a trained model, attached to its data and ready to recommend.

    Args:
        checkpoint: a checkpoint file of a run, or the run's folder for its best one. A model without training has a
            folder and no checkpoint.
        with_added: whether the items that were added to the run belong to its data.

    Raises:
        UserError: the run does not exist, is damaged, or its checkpoint does not belong to its config or its data.
    """
    folder = run_folder(checkpoint)
    data = open_data(folder)
    model = model_from(sections_of(folder)["model"], data)
    load_weights(model, data, checkpoint)
    if with_added:
        restore_added(model, data, folder)
    return model.eval(), data


def model_from(section: dict[str, Any], data: RecDataModule) -> Recommender:
    """Return an untrained model of the section `model` of a configuration, with the sizes of its data.

    Raises:
        UserError: the class cannot be imported, or does not take an argument of the section.
    """
    return build(Recommender, section, sizes_of(data, find_class(section.get("class_path", ""))))


def open_data(folder: Path) -> RecDataModule:
    """Return the data of a run, read by its transforms.

    Raises:
        UserError: the run's config or its transforms are damaged, or its data has other features.
    """
    data = build(RecDataModule, sections_of(folder)["data"])
    keep_transforms(data, folder)
    return data


def load_weights(model: Recommender, data: RecDataModule, checkpoint: Path) -> None:
    """Attach a model to its data, and load what it has learned.

    Args:
        model: a model of the options of the run.
        data: its data.
        checkpoint: a checkpoint file, or the folder of the run for its best one.

    Raises:
        UserError: the checkpoint is damaged, or does not belong to the model or its data.
    """
    model.attach(data.catalog, data.features)
    model.data_hash = data.catalog.manifest.data_hash
    model.mask_history = data.mask_history
    if any(parameter.requires_grad for parameter in model.parameters()):
        state = read_checkpoint(checkpoint if checkpoint.is_file() else checkpoint / "checkpoints" / "best.ckpt")
        model.on_load_checkpoint(state)
        model.load_state_dict(state["state_dict"])


def keep_transforms(data: RecDataModule, folder: Path) -> None:
    """Let data be read by the feature transforms of a run, if its folder has them.

    Raises:
        UserError: the file is damaged, or the data has other features.
    """
    if data.encoder is not None and (folder / transforms.FILE).is_file():
        data.keep_transforms(transforms.FeatureTransforms.load(folder / transforms.FILE))


def save_transforms(data: RecDataModule, folder: Path) -> None:
    """Keep the transforms by which the model of a run reads the features of the data."""
    if data.features is not None:
        transforms.transforms_of(data.features).save(folder / transforms.FILE)


def sections_of(folder: Path) -> dict[str, Any]:
    """Return the sections `data` and `model` of the configuration that a run was fitted with.

    Raises:
        UserError: the file is missing or damaged.
    """
    file = folder / "config.yaml"
    try:
        saved = yaml.safe_load(file.read_text(encoding="utf-8"))
        sections = {"data": dict(saved["data"]), "model": dict(saved["model"])}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        raise UserError(f"{file}: holds no data and model; name the folder of a run") from None
    return sections
