"""The configuration of a run in its folder, with what later commands need to open the run."""

from __future__ import annotations

from pathlib import Path

import yaml  # type: ignore[import-untyped]
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback

from mmrec.training.run_folder import save_transforms
from mmrec.training.start_from import save_ids
from mmrec.training.trained_pairs import keep_pairs

NOT_SAVED = ("config", "ckpt_path")
"""Keys of one command that do not describe the run: `config.yaml` can be fitted, tested and prepared again."""


class SaveConfig(SaveConfigCallback):
    """Keeps configuration, feature transforms and raw ids of a run, and sends the former to every logger."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save when a fit starts; a later `test` leaves the files of the fit alone unless there were none."""
        for key in NOT_SAVED:
            self.config.pop(key, None)
        if stage == "fit" or (stage == "test" and not trainable(pl_module)):
            super().setup(trainer, pl_module, stage)
            if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
                save_transforms(trainer.datamodule, Path(trainer.default_root_dir))  # type: ignore[attr-defined]
                save_ids(trainer.datamodule, Path(trainer.default_root_dir))  # type: ignore[attr-defined]
                keep_pairs(trainer.datamodule.catalog, Path(trainer.default_root_dir))  # type: ignore[attr-defined]

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Send the configuration and what identifies the run: dataset, its hash, protocol, class and name."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        plain = yaml.safe_load(self.parser.dump(self.config, skip_none=False))  # without the files it was read from
        config = {
            **{key: value for key, value in plain.items() if key not in NOT_SAVED},
            "dataset": data.source.name,
            "data_hash": data.catalog.manifest.data_hash,
            "protocol": data.protocol(),
            "class": type(pl_module).__name__,
            "name": Path(trainer.default_root_dir).parent.name,
        }
        for logger in trainer.loggers:
            logger.log_hyperparams(config)


def trainable(model: LightningModule) -> bool:
    """Whether a model has parameters to train."""
    return any(p.requires_grad for p in model.parameters())
