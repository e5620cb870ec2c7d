"""`lightning fit | validate | test | predict`, configured by YAML (LightningCLI with a few defaults of our own)."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import shutil
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]
from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]  # exported at run time
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError, require, require_folder_name
from mmrec.models.recommender import Recommender
from mmrec.nn.kernels.precision import LossPrecision, set_loss_precision
from mmrec.nn.sequence_encoder import compile_encoders
from mmrec.training.tracking import Tracking, finish_record, loggers
from mmrec.utils.allocator import keep_freed_memory
from mmrec.utils.shipped import locate_configs

LINKED = ("n_users", "n_items", "text_dim", "image_dim")
"""What a model may take from the data; a model that does not name one in its constructor is not given it."""

EXPLAINS = "mmrec.explain.callback.ExplainRecommendations"
"""The callback that `--explain false` leaves out: a language model may take longer than a small model's training."""

PRECISIONS = (None, "32-true", "32", 32, "bf16-mixed", "16-mixed")
"""Of the trainer; parameters stay in fp32 in all of them."""

log = logging.getLogger("pytorch_lightning")


class SaveConfig(SaveConfigCallback):
    """Keep the effective configuration of a run in its folder, and send it to every logger."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save when a fit starts; a later `test` leaves the file of the fit alone unless there was none."""
        if stage == "fit" or (stage == "test" and not _trainable(pl_module)):
            super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Send the configuration, and what runs are told apart by: dataset, its hash, protocol, class and name."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        plain = yaml.safe_load(self.parser.dump(self.config, skip_none=False))  # without the files it was read from
        config = {
            **{key: value for key, value in plain.items() if key not in ("config", "ckpt_path")},
            "dataset": data.source.name,
            "data_hash": data.catalog.manifest.data_hash,
            "protocol": data.protocol(),
            "class": type(pl_module).__name__,
            "name": Path(trainer.default_root_dir).parent.name,
        }
        for logger in trainer.loggers:
            logger.log_hyperparams(config)


class RecCLI(LightningCLI):
    """Adds the run's folder, the links from data to model, and the test after the fit."""

    run_dir: Path
    moved: tuple[Path, Path] | None = None
    """What an earlier fit left, and where this one has put it."""

    def __init__(self, **kwargs: Any) -> None:
        """Run the subcommand; what an earlier fit left is put back if this one ends before its first epoch."""
        try:
            super().__init__(**kwargs)
        except BaseException:
            finish_record()
            self._put_back()
            raise

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add our own options and links."""
        add_options(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and open the checkpoint if a file is named: Lightning takes class and options from it afterwards.

        Raises:
            UserError: the file is no checkpoint, or one of another model than the config's; or the name is none of a
                folder, or the seed out of range.
        """
        super().parse_arguments(parser, args)
        config = self.config[self.config.subcommand]
        if config.name is not None:
            require_folder_name(config.name, "--name")
        seed = config.seed_everything
        require(0 <= seed < 2**32, "--seed_everything", seed, f"between 0 and {2**32 - 1}")
        path = config.get("ckpt_path")
        if path is None or not Path(path).is_file():
            return
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            trained = checkpoint.get("hyper_parameters", {}).get("_class_path")
        except Exception as error:
            raise UserError(f"--ckpt_path {path}: not a readable checkpoint ({type(error).__name__})") from error
        if "pytorch-lightning_version" not in checkpoint:
            raise UserError(f"--ckpt_path {path}: no checkpoint of a run; name one, say RUN/checkpoints/best.ckpt")
        if trained is not None and trained != config.model.class_path:
            raise UserError(
                f"--ckpt_path {path}: the checkpoint is of {trained}, the config of {config.model.class_path}: pass "
                "the config it was trained with"
            )

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder and checkpoint, and keep what an earlier run left there."""
        config = self.config[self.subcommand]
        set_loss_precision(config.loss_precision)
        dataset = source_name(config.data.source)
        name = config.name or _snake(config.model.class_path.rpartition(".")[2])
        self.run_dir = Path(config.runs) / dataset / name / f"seed{config.seed_everything}"
        config.trainer.default_root_dir = str(self.run_dir)
        if config.trainer.precision not in PRECISIONS:
            raise UserError(
                f"--trainer.precision must be one of {', '.join(str(name) for name in PRECISIONS if name)}, but is "
                f"{config.trainer.precision}: ranks and sparse products need parameters in fp32"
            )
        if config.data.candidates != "all":
            for callback in config.trainer.callbacks or []:
                if callback.get("init_args", {}).get("monitor"):
                    callback.init_args.monitor += f"_{config.data.candidates}"
        if not config.explain and config.trainer.callbacks:
            config.trainer.callbacks = [one for one in config.trainer.callbacks if one.class_path != EXPLAINS]
        if not reads_features(config.model):
            config.data.encoder = None  # so that a model of ids alone asks for no weights and no feature files
        config.ckpt_path = self._checkpoint(config.ckpt_path)
        if self.subcommand == "predict" and config.return_predictions is None:
            config.return_predictions = False  # they are written as they are made; kept, they would grow with the users
        if self.subcommand == "fit" and not config.trainer.fast_dev_run:
            self.moved = _keep_earlier(self.run_dir, resuming=config.ckpt_path is not None)
            if config.trainer.logger in (None, True):
                self._loggers = loggers(
                    Tracking(**config.tracking), Path(config.runs), dataset, name, config.seed_everything,
                    {"model": config.model.as_dict(), "data": config.data.as_dict(), "seed": config.seed_everything},
                )  # fmt: skip

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Give a fit its loggers; `test` alone writes `result.json` and must not touch the curves of the fit."""
        if hasattr(self, "_loggers"):
            kwargs["logger"] = self._loggers
        elif self.subcommand != "fit":
            kwargs["logger"] = False
        return super().instantiate_trainer(**kwargs)

    def _put_back(self) -> None:
        if self.moved is None:
            return
        kept, aside = self.moved
        whole = kept == self.run_dir
        if (self.run_dir / "metrics.csv").exists() or (whole and (kept / "result.json").exists()):
            return
        if whole:
            shutil.rmtree(kept, ignore_errors=True)
        aside.rename(kept)
        log.info(f"put {aside} back as {kept}: this fit has not ended an epoch")

    def _checkpoint(self, path: str | None) -> str | None:
        """Resolve "best" and "last" to files of this run's folder."""
        if path in ("best", "last"):
            file = self.run_dir / "checkpoints" / f"{path}.ckpt"
            if not file.is_file():
                raise UserError(f"--ckpt_path {path}: {file} does not exist; fit this configuration first")
            return str(file)
        if path is not None and not Path(path).is_file():
            raise UserError(f"--ckpt_path {path}: no such file; name a checkpoint, or best or last of this run")
        return path

    def after_instantiate_classes(self) -> None:
        """Evaluate a trained model's best checkpoint unless told otherwise, never its untrained weights."""
        config = self.config_init[self.subcommand]
        if config.compile:
            _compile(self.model, self.trainer)
        if self.subcommand != "fit" and config.ckpt_path is None and _trainable(self.model):
            config.ckpt_path = self._checkpoint("best")

    def fit(self, model: Recommender, **kwargs: Any) -> None:
        """Train, unless there is nothing to train."""
        if _trainable(model):
            self.trainer.fit(model, **kwargs)
        else:
            log.info(f"{type(model).__name__} has nothing to train: its test is the whole run")

    def after_fit(self) -> None:
        """Test the best checkpoint."""
        if self.config.fit.test_after_fit and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            # Of the first checkpoint callback, the one with a monitor; without any, the weights as they are.
            best = getattr(self.trainer.checkpoint_callback, "best_model_path", "") or None
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best)


def add_options(parser: LightningArgumentParser) -> None:
    """Add what a run has beside trainer, data and model, and link the two."""
    parser.add_argument("--name", type=str | None, default=None, help="name of the model in folders and tables")
    parser.add_argument("--runs", type=str, default="runs", help="folder of all runs")
    parser.add_argument(
        "--test_after_fit", type=bool, default=True, help="fit only: test the best checkpoint when the fit ends"
    )
    parser.add_argument("--explain", type=bool, default=True, help="explain recommendations after the test")
    parser.add_argument(
        "--loss_precision", type=LossPrecision, default="reduced",
        help="reduced: a loss over many items multiplies in bf16 (CPU) or TF32 (GPU) and sums in fp32; full: fp32",
    )  # fmt: skip
    parser.add_argument(
        "--compile", type=bool, default=False,
        help="compile the Transformer (PyTorch's compiler; needs a GPU): slow first steps, then faster ones",
    )  # fmt: skip
    parser.add_class_arguments(Tracking, "tracking")
    link_data(parser)


def link_data(parser: ArgumentParser) -> None:
    """Give the model what it takes from the data."""
    for name in LINKED:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")
    parser.link_arguments("data.max_length", "model.init_args.max_length")


@cache
def config_parser() -> LightningArgumentParser:
    """Return a parser of what `lightning fit` takes, to know a run's config without running it."""
    parser = LightningArgumentParser(prog="lightning", exit_on_error=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile)
    parser.add_argument("--seed_everything", type=bool | int, default=0)
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.add_lightning_class_args(RecDataModule, "data")
    parser.add_lightning_class_args(Recommender, "model", subclass_mode=True)
    add_options(parser)
    return parser


def source_name(source: Any) -> str:
    """Return the name a source will have: as configured, else as its class or constructor has it by default."""
    module, _, class_name = source["class_path"].rpartition(".")
    cls = getattr(importlib.import_module(module), class_name)
    parameter = inspect.signature(cls).parameters.get("name")
    default = parameter.default if parameter is not None else getattr(cls, "name", _snake(class_name))
    return str(source.get("init_args", {}).get("name") or default)


def reads_features(model: Any) -> bool:
    """Whether a configured model takes features at all, and does not have both modalities switched off."""
    options = model.get("init_args", {})
    takes = any(name in options for name in ("text_dim", "image_dim"))
    return takes and (options.get("text", True) or options.get("image", True))


def _compile(model: LightningModule, trainer: Trainer) -> None:
    if trainer.strategy.root_device.type != "cuda":
        raise UserError("--compile true: there is no GPU; leave it out")
    if not compile_encoders(model):
        raise UserError("--compile true: the model has no Transformer; leave it out")


def _trainable(model: LightningModule) -> bool:
    return any(p.requires_grad for p in model.parameters())


def _snake(name: str) -> str:
    """Turn a class name into a folder name, MMRaclKal into mm_racl_kal."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _keep_earlier(run_dir: Path, resuming: bool) -> tuple[Path, Path] | None:
    """Move what an earlier fit left aside: its whole folder, or its curves if this fit goes on from it."""
    kept = run_dir / "metrics.csv" if resuming else run_dir
    if not (kept.is_file() or (kept / "config.yaml").is_file()):
        return None
    count = 1
    while (aside := kept.with_name(f"{kept.stem}.{count}{kept.suffix}")).exists():
        count += 1
    kept.rename(aside)
    log.info(f"kept the earlier {kept} as {aside}")
    return kept, aside


# What Lightning and PyTorch say of their own insides, or of what is meant to be so.
SILENCED = (
    ".*does not have many workers.*",  # batches are index arithmetic in this process
    ".*Checkpoint directory.*exists and is not empty.*",  # resuming goes on in the same folder
    ".*Experiment logs directory.*exists and is not empty.*",
    ".*args parameter is intended to run from within Python.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*torch.jit.script.*is deprecated.*",
    ".*callbacks used to create the checkpoint need to be provided.*",  # early stopping has no part in a test
    ".*is smaller than the logging interval.*",  # everything is logged by epoch
)


def run(args: Sequence[str], callbacks: Sequence[Callback] = ()) -> None:
    """Run one subcommand, with some callbacks beside those of the config."""
    for message in SILENCED:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(lambda line: "💡" not in line.getMessage())
    keep_freed_memory()
    try:
        _run(args, callbacks)
    finally:
        finish_record()


def _run(args: Sequence[str], callbacks: Sequence[Callback]) -> None:
    RecCLI(
        model_class=Recommender,
        datamodule_class=RecDataModule,
        subclass_mode_model=True,
        save_config_callback=SaveConfig,
        save_config_kwargs={"overwrite": True},
        trainer_defaults={"callbacks": list(callbacks)},
        seed_everything_default=0,
        auto_configure_optimizers=False,
        parser_kwargs={"prog": "lightning", "exit_on_error": False},
        args=locate_configs(args),
    )
