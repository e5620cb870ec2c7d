"""`lightning fit | validate | test | predict`: LightningCLI with the defaults of this project."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]  # exported at run time
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

import mmrec.data.features.encoders
import mmrec.data.sources
import mmrec.explain.callback
import mmrec.models
import mmrec.training.callbacks  # noqa: F401  configs name the classes of these packages without their modules
from mmrec.cli.callbacks import (
    NO_VALIDATION,
    check_configured,
    leave_out_averaging,
    prepare_averaging,
    require_cutoff,
    require_validation,
)
from mmrec.cli.compose import compose
from mmrec.cli.configured import (
    CONTENT,
    INPUT,
    changed_options,
    reads_features,
    recorded,
    snake_case,
    source_name,
    with_key,
)
from mmrec.cli.run_options import add_options, read_ids, refuse_unused
from mmrec.cli.save_config import SaveConfig, trainable
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument, UserError, find_mistake, require, require_folder_name
from mmrec.models.recommender import Recommender
from mmrec.nn.kernels.precision import set_loss_precision
from mmrec.nn.sequence_encoder import compile_encoders
from mmrec.results.card import write_card
from mmrec.training import added_items
from mmrec.training.callbacks import SaveRecommendations
from mmrec.training.checkpoints import WholeCheckpointIO, read_checkpoint
from mmrec.training.instantiate import find_class
from mmrec.training.run_folder import (
    EarlierRun,
    keep_transforms,
    load_weights,
    model_from,
    only_writer,
    remove_unbegun,
    run_folder,
    sections_of,
)
from mmrec.training.start_from import RecordStart, start_from
from mmrec.training.tracking import Tracking, finish_record, loggers
from mmrec.utils.allocator import keep_freed_memory
from mmrec.utils.shipped import configs_folder
from mmrec.utils.threads import warn_if_busy

EXPLAINS = "mmrec.explain.callback.ExplainRecommendations"
"""The callback that `--explain false` leaves out: a language model may take longer than a small model's training."""

PRECISIONS = (None, "32-true", "32", 32, "bf16-mixed", "16-mixed")
"""Precisions of the trainer; parameters stay in fp32 in all of them."""

log = logging.getLogger("pytorch_lightning")


class RecCLI(LightningCLI):
    """LightningCLI with the run's folder, the links from data to model, and the test after the fit."""

    run_dir: Path
    _source: Path | None = None

    def __init__(self, **kwargs: Any) -> None:
        """Run the subcommand; an earlier run is put back if this one ends before its first epoch."""
        self._held = ExitStack()
        with self._held:
            super().__init__(**kwargs)

    # Options.

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options and links of this project."""
        add_options(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and check a checkpoint file if one is named: Lightning takes class and options from it afterwards.

        Raises:
            UserError: the file is not a checkpoint, or belongs to a model of another class than the config's; or an
                option is one that the subcommand does not use.
            InvalidArgument: the name is not a valid folder name, or the seed is out of range.
        """
        super().parse_arguments(parser, args)
        refuse_unused(self.config.subcommand, args)
        config = self.config[self.config.subcommand]
        if config.name is not None:
            require_folder_name(config.name, "--name")
        seed = config.seed_everything
        whole = isinstance(seed, int) and not isinstance(seed, bool)
        require(whole and 0 <= seed < 2**32, "--seed_everything", seed, f"a whole number from 0 to {2**32 - 1}")
        path = config.get("ckpt_path")
        if path is None or not Path(path).is_file():
            return
        trained = read_checkpoint(Path(path)).get("hyper_parameters", {}).get("_class_path")
        if trained is None:
            return
        classes = find_class(trained), find_class(config.model.class_path)  # one class has several paths
        if classes[0] is not classes[1]:
            raise UserError(
                f"--ckpt_path {path}: the checkpoint is of {classes[0].__name__}, the config of "
                f"{classes[1].__name__}: pass the config it was trained with"
            )

    # Before the classes are made.

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder and checkpoint, take its lock, and keep what an earlier run left there."""
        config = self.config[self.subcommand]
        set_loss_precision(config.loss_precision)
        dataset = source_name(config.data.source)
        name = config.name or snake_case(config.model.class_path.rpartition(".")[2])
        self.run_dir = Path(config.runs) / dataset / name / f"seed{config.seed_everything}"
        config.trainer.default_root_dir = str(self.run_dir)
        if config.trainer.barebones:
            raise UserError("--trainer.barebones true: it leaves out a run's checkpoints and logs; leave it out")
        check_configured(config.trainer.callbacks or ())
        if config.trainer.precision not in PRECISIONS:
            raise UserError(
                f"--trainer.precision must be one of {', '.join(str(name) for name in PRECISIONS if name)}, but is "
                f"{config.trainer.precision}: ranks and sparse products need parameters in fp32"
            )
        if not config.explain and config.trainer.callbacks:
            config.trainer.callbacks = [one for one in config.trainer.callbacks if one.class_path != EXPLAINS]
        if not reads_features(config.model):
            config.data.encoder = None  # so that a model of ids alone needs no weights and no feature files
        if not config.trainer.fast_dev_run:
            self._held.enter_context(only_writer(self.run_dir))
            self._keep_result_apart(config)
        config.ckpt_path = self._checkpoint(config.ckpt_path)
        if self.subcommand == "predict" and config.return_predictions is None:
            config.return_predictions = False  # they are written as they are made; kept, they would grow with the users
        self._source = self._source_run(config) if self.subcommand == "fit" else None
        if self.subcommand == "fit" and not config.trainer.fast_dev_run:
            self._begin_fit(config, dataset, name)

    def _keep_result_apart(self, config: Any) -> None:
        """Keep what a run has left from being overwritten by a test or by lists of other options.

        For a model without training a test is the whole run, and the earlier run is put aside.

        Raises:
            UserError: the run was fitted with other options.
        """
        if self.subcommand not in ("test", "predict") or not (self.run_dir / "config.yaml").is_file():
            return
        now = yaml.safe_load(self._parser(self.subcommand).dump(config, skip_none=False))
        trained = find_class(config.model.class_path).trains_on != "nothing"
        changed = changed_options(sections_of(self.run_dir), now, INPUT if trained else (*CONTENT, *INPUT))
        if not changed:
            return
        if self.subcommand == "test" and not trained:
            self._put_aside(resuming=False)
            return
        words = (
            f"{changed[0]}: {self.run_dir} was fitted with another value: pass --config {self.run_dir}/config.yaml, or"
        )
        if not trained or changed[0] == "model.class_path":
            raise UserError(f"{words} choose another --name")
        raise UserError(
            f"{words} keep what comes out apart by --name NAME --ckpt_path {self.run_dir}/checkpoints/best.ckpt"
        )

    def _put_aside(self, resuming: bool) -> Path | None:
        """Put an earlier run aside until this command has a result."""
        earlier = EarlierRun(self.run_dir)
        earlier.give_back()  # of a command that was killed before it had one
        aside = earlier.put_aside(resuming=resuming)
        if aside is not None:
            log.info(f"kept the earlier {self.run_dir} as {aside}")
            if (aside / added_items.FILE).is_file():
                log.warning(
                    "the items that were added to it are not part of this run: add them again once it has ended"
                )
            self._held.callback(self._end, earlier)
        return aside

    def _begin_fit(self, config: Any, dataset: str, name: str) -> None:
        """Put an earlier run aside, and make the loggers."""
        inside = self._source_here()
        aside = self._put_aside(resuming=config.ckpt_path is not None)
        if aside is not None and inside is not None:
            self._source = aside / inside
        self._held.callback(remove_unbegun, self.run_dir)
        self._loggers = loggers(
            Tracking(**config.tracking), Path(config.runs), dataset, name, config.seed_everything,
            {"name": name, **recorded(config)},
        )  # fmt: skip
        self._held.callback(finish_record)

    def _end(self, earlier: EarlierRun) -> None:
        back = earlier.give_back()
        if back is not None:
            log.info(f"put the earlier {back} back: this {self.subcommand} has ended without a result")

    def _source_run(self, config: Any) -> Path | None:
        """Return the run that this fit starts from, and have it validated before the first step.

        A fit that is resumed goes on from its own checkpoint.

        Raises:
            UserError: the run does not exist.
        """
        if config["from"] is None or config.ckpt_path is not None:
            return None
        source = Path(config["from"])
        run_folder(source)
        config.trainer.num_sanity_val_steps = -1
        return source

    def _source_here(self) -> Path | None:
        """Return where in this run's folder the fit starts from, which is put aside; None for another folder."""
        place, here = (self._source or Path("/")).resolve(), self.run_dir.resolve()
        return place.relative_to(here) if place.is_relative_to(here) else None

    def _checkpoint(self, path: str | None) -> str | None:
        """Resolve "best" and "last" to files of this run's folder.

        Raises:
            UserError: the file does not exist, or belongs to another run than a fit would write to.
        """
        if path in ("best", "last"):
            file = self.run_dir / "checkpoints" / f"{path}.ckpt"
            if not file.is_file():
                raise UserError(f"--ckpt_path {path}: {file} does not exist; fit this configuration first")
            return str(file)
        if path is not None and not Path(path).is_file():
            raise UserError(f"--ckpt_path {path}: no such file; name a checkpoint, or best or last of this run")
        if path is not None and self.subcommand == "fit":
            folder = Path(path).resolve().parent.parent
            if folder != self.run_dir.resolve():
                raise UserError(
                    f"--ckpt_path {path}: this fit writes to {self.run_dir}, and its best checkpoint would be that of "
                    f"another run: rename {folder} to {self.run_dir} and pass --ckpt_path last"
                )
        return path

    # When the classes are made.

    def instantiate_classes(self) -> None:
        """Make trainer, data and model; a wrong argument is named by its key.

        Raises:
            UserError: a value that a class does not accept.
        """
        try:
            super().instantiate_classes()
        except Exception as error:
            mistake = find_mistake(error)
            if isinstance(mistake, InvalidArgument):
                raise UserError(with_key(mistake, self.config[self.subcommand])) from error
            raise

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer with this run's loggers next to the user's own, and checkpoints that are whole.

        `test` alone has no logger of the run: it writes `result.json` and must not touch the curves of the fit.
        """
        own = self._get(self.config_init, "trainer.logger")
        users = [] if isinstance(own, bool) or own is None else own if isinstance(own, list) else [own]
        kwargs["logger"] = [*getattr(self, "_loggers", []), *users] if own is not False else False
        if not kwargs["logger"]:
            kwargs["logger"] = False
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except ValueError as error:  # Lightning's word for a wrong combination of its options
            raise UserError(f"trainer: {' '.join(str(error).split())}") from error
        trainer.strategy.checkpoint_io = WholeCheckpointIO()
        return trainer

    def after_instantiate_classes(self) -> None:
        """Name the monitored metric by the protocol, and evaluate a trained model's best checkpoint unless told else.

        A model that trains is never evaluated with its untrained weights.
        """
        config = self.config_init[self.subcommand]
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # set at run time
            if getattr(callback, "monitor", None):
                require_cutoff(callback, self.datamodule.cutoffs)
                callback.monitor += self.datamodule.metric_suffix
        if config.compile:
            _compile(self.model, self.trainer)
        if self.subcommand == "predict":
            self._choose_lists(config)
        if self.subcommand != "fit" and config.ckpt_path is None and trainable(self.model):
            config.ckpt_path = self._checkpoint("best")
        if config.ckpt_path is not None:
            keep_transforms(self.datamodule, Path(config.ckpt_path).parent.parent)
        elif self.subcommand in ("validate", "predict"):  # for a model without parameters `test` is the fit
            keep_transforms(self.datamodule, self.run_dir)
        if self.subcommand == "predict":
            self._take_added_items(config)
        if self._source is not None:
            self._read_as_the_start_did(self._source)
            start = start_from(self.model, self.datamodule, self._source)
            log.info("%s", start)
            self.trainer.callbacks.append(RecordStart(start))  # type: ignore[attr-defined]  # set at run time

    def _read_as_the_start_did(self, source: Path) -> None:
        """Read the features by the transforms of the run that the fit starts from, whose widths the model must have.

        Raises:
            UserError: the data has other features.
        """
        before = self.datamodule.text_dim, self.datamodule.image_dim
        keep_transforms(self.datamodule, run_folder(source))
        if (self.datamodule.text_dim, self.datamodule.image_dim) != before:
            section = yaml.safe_load(self._parser("fit").dump(self.config.fit, skip_none=False))["model"]
            self.model = model_from(section, self.datamodule)

    def _take_added_items(self, config: Any) -> None:
        """Let `predict` recommend the items that were added to the run as well.

        Raises:
            UserError: they do not fit the data, or the checkpoint does not.
        """
        folder = self.run_dir if config.ckpt_path is None else Path(config.ckpt_path).parent.parent
        if (folder / added_items.FILE).is_file():
            load_weights(self.model, self.datamodule, Path(config.ckpt_path or folder))
            added_items.restore_added(self.model, self.datamodule, folder)
            config.ckpt_path = None  # the model has grown beyond its checkpoint

    def _choose_lists(self, config: Any) -> None:
        """Set the users that `predict` makes lists for, and how long the lists are.

        Raises:
            UserError: the file of users cannot be read, or an id is not among the users of the dataset.
            InvalidArgument: the length is below 1.
        """
        if config.users is not None:
            self.datamodule.predict_only(read_ids(config.users, "--users"))
        if config.top_k is not None:
            require(config.top_k >= 1, "--top_k", config.top_k, "at least 1")
            for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # set at run time
                if isinstance(callback, SaveRecommendations):
                    callback.top_k = config.top_k

    # The subcommand.

    def fit(self, model: Recommender, **kwargs: Any) -> None:
        """Train, unless the model has no parameters.

        Raises:
            UserError: the training has ended before the first validation.
        """
        if trainable(model):
            try:
                self.trainer.fit(model, **kwargs)
            except RuntimeError as error:
                validated = any(name.startswith("valid/") for name in self.trainer.callback_metrics)
                if "Early stopping conditioned on metric" in str(error) and not validated:
                    raise UserError(NO_VALIDATION) from error
                raise
        else:
            log.info(f"{type(model).__name__} is not trained: its test is the whole run")

    def before_fit(self) -> None:
        """Check that a checkpoint can be chosen, and make the model ready to be copied for averages of its weights."""
        if trainable(self.model):
            require_validation(self.trainer)
        prepare_averaging(self.trainer, self.model, self.datamodule)

    def after_fit(self) -> None:
        """Test the best checkpoint, unless no step was made.

        Raises:
            UserError: the training has ended before the first validation.
        """
        trained = trainable(self.model)
        if trained and self.trainer.global_step == 0:
            log.warning("no step was made, so the model is not trained: it is not tested, and has no result")
        elif self.config.fit.test_after_fit and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            # The first checkpoint callback is the one with a monitor; without any, the weights as they are.
            best = getattr(self.trainer.checkpoint_callback, "best_model_path", "") or None
            if trained and best is None and getattr(self.trainer.checkpoint_callback, "monitor", None):
                raise UserError(NO_VALIDATION)
            leave_out_averaging(self.trainer)  # it would load other weights than the averages that were validated
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best)
            self.after_test()

    def after_test(self) -> None:
        """Write the run's model card, once the result is there."""
        if self.trainer.is_global_zero and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            write_card(self.run_dir)


@cache
def config_parser() -> LightningArgumentParser:
    """Return a parser of what `lightning fit` takes, to know a run's configuration without running it."""
    parser = LightningArgumentParser(prog="lightning", exit_on_error=False, default_config_files=[defaults_file()])
    parser.add_argument("-c", "--config", action=ActionConfigFile)
    parser.add_argument("--seed_everything", type=bool | int, default=0)
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.add_lightning_class_args(RecDataModule, "data")
    parser.add_lightning_class_args(Recommender, "model", subclass_mode=True)
    add_options(parser)
    return parser


def defaults_file() -> str:
    """Return the configuration that every run starts from: seed, trainer and callbacks."""
    return str(configs_folder() / "base.yaml")


def _compile(model: LightningModule, trainer: Trainer) -> None:
    if trainer.strategy.root_device.type != "cuda":
        raise UserError("--compile true: there is no GPU, and on a CPU compiled steps take longer; leave it out")
    if not compile_encoders(model):
        raise UserError("--compile true: the model has no Transformer; leave it out")


# Warnings of Lightning and PyTorch about their own internals, or about what is intended here.
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
    """Run one subcommand.

    Args:
        args: command line, the subcommand first.
        callbacks: callbacks in addition to those of the configuration.
    """
    for message in SILENCED:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(lambda line: "💡" not in line.getMessage())
    keep_freed_memory()
    warn_if_busy()
    own = {"prog": "lightning", "exit_on_error": False, "allow_abbrev": False}
    of_each = {"default_config_files": [defaults_file()], "allow_abbrev": False}  # a typing error is not an option
    RecCLI(
        model_class=Recommender,
        datamodule_class=RecDataModule,
        subclass_mode_model=True,
        save_config_callback=SaveConfig,
        save_config_kwargs={"overwrite": True},
        trainer_defaults={"callbacks": list(callbacks)},
        seed_everything_default=0,
        parser_kwargs={**own, **dict.fromkeys(RecCLI.subcommands(), of_each)},
        args=compose(args),
    )
