"""Opening a trained model again with its data, by the `config.yaml` of its run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser

from mmrec.cli.lightning import link_data, reads_features
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.models.recommender import Recommender


def run_folder(checkpoint: Path) -> Path:
    """Return the folder of a run, given it or a checkpoint in it.

    Raises:
        UserError: there is no such file, or no run around it.
    """
    if not checkpoint.exists():
        raise UserError(f"--ckpt {checkpoint}: no such file; name a checkpoint, or the folder of a run")
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent.parent
    if not (folder / "config.yaml").is_file():
        raise UserError(
            f"--ckpt {checkpoint}: {folder}/config.yaml is missing: name a checkpoint where the run has put it, "
            "RUN/checkpoints/best.ckpt, or the folder RUN"
        )
    return folder


def load_run(checkpoint: Path) -> tuple[Recommender, RecDataModule]:
    """Open a model, attached to its data and ready to recommend.

    Args:
        checkpoint: a checkpoint file of a run, or the run's folder for its best one. A model without training has a
            folder and no checkpoint.

    Raises:
        UserError: no such run, or a checkpoint that does not belong to its config or its data.
    """
    folder = run_folder(checkpoint)
    file = checkpoint if checkpoint.is_file() else folder / "checkpoints" / "best.ckpt"
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(RecDataModule, "data", sub_configs=True)
    parser.add_subclass_arguments(Recommender, "model")
    link_data(parser)
    config = _sections(folder / "config.yaml")
    parsed = parser.parse_object(config)
    if not reads_features(parsed.model):
        parsed.data.encoder = None
    built = parser.instantiate_classes(parsed)
    model, data = built.model, built.data
    model.attach(data.catalog, data.features)
    model.data_hash = data.catalog.manifest.data_hash
    model.mask_history = data.mask_history
    if any(parameter.requires_grad for parameter in model.parameters()):
        if not file.is_file():
            raise UserError(f"--ckpt {checkpoint}: {file} does not exist: the run has not finished its first epoch")
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # unpickling has a wealth of errors for files that are no checkpoints
            raise UserError(f"--ckpt {file}: not a readable checkpoint ({type(error).__name__})") from error
        model.on_load_checkpoint(state)
        model.load_state_dict(state["state_dict"])
    return model.eval(), data


def _sections(file: Path) -> dict[str, Any]:
    """Read the data and the model of a saved config."""
    saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        return {"data": saved["data"], "model": saved["model"]}
    except (KeyError, TypeError):
        raise UserError(f"{file}: has no data and model; name the folder of a run") from None
