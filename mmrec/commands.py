"""The commands of `mmrec` beside those of Lightning."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]  # exported at run time

from mmrec.configs import locate_configs
from mmrec.report.compare import compare_runs

OTHER_KEYS = ("model", "trainer", "seed_everything", "name", "runs", "test_after_fit", "tracking", "ckpt_path")
"""What a run config may hold beside its data; `prepare` does not look at it."""


def prepare(args: Sequence[str]) -> None:
    """Prepare the data of a config and encode its items, without training."""
    from mmrec.data.datamodule import RecDataModule
    from mmrec.report.dataset import show_dataset

    parser = ArgumentParser(prog="mmrec prepare", description=prepare.__doc__)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="any run config, or one with a data section")
    parser.add_class_arguments(RecDataModule, "data", sub_configs=True)
    for key in OTHER_KEYS:
        parser.add_argument(f"--{key}", type=Any, help=SUPPRESS)
    config = parser.instantiate_classes(parser.parse_args(locate_configs(args)))
    show_dataset(config.data.catalog, config.data.features)


def compare(args: Sequence[str]) -> None:
    """Show the results of all runs under a folder in one table."""
    parser = ArgumentParser(prog="mmrec compare", description=compare.__doc__)
    parser.add_argument("runs", type=Path, help="folder of the runs of one dataset, say runs/toy")
    parser.add_argument("--groups", type=Path | None, default=None, help="CSV of user,group: also NDCG@10 by group")
    options = parser.parse_args(list(args))
    compare_runs(options.runs, options.groups)
