"""Options of a run besides trainer, data and model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningArgumentParser

from mmrec.data.sources.readers.ids import one_spelling
from mmrec.errors import UserError
from mmrec.models.recommender import FROM_DATA
from mmrec.nn.kernels.precision import LossPrecision
from mmrec.training.tracking import Tracking

USED_BY = {"test_after_fit": "fit", "from": "fit", "top_k": "predict", "users": "predict"}
"""Options that one subcommand alone uses. A configuration may hold them for all, since it describes the whole run."""


def add_options(parser: LightningArgumentParser) -> None:
    """Add the options of a run besides trainer, data and model, and link the two."""
    parser.add_argument("--name", type=str | None, default=None, help="name of the model in folders and tables")
    parser.add_argument("--runs", type=str, default="runs", help="folder of all runs")
    parser.add_argument(
        "--test_after_fit", type=bool, default=True, help="fit only: test the best checkpoint when the fit ends"
    )
    parser.add_argument(
        "--from", type=str | None, default=None,
        help="fit only: folder of a trained run to start from, on data that may have grown since",
    )  # fmt: skip
    parser.add_argument("--explain", type=bool, default=True, help="explain recommendations after the test")
    parser.add_argument(
        "--loss_precision", type=LossPrecision, default="reduced",
        help="of matrix products in a loss over many items. reduced: bf16 (CPU) or TF32 (GPU), summed in fp32; "
        "full: fp32",
    )  # fmt: skip
    parser.add_argument(
        "--compile", type=bool, default=False,
        help="compile the Transformer (PyTorch's compiler; needs a GPU): slow first steps, then faster ones",
    )  # fmt: skip
    parser.add_argument("--top_k", type=int | None, default=None, help="predict only: length of each list")
    parser.add_argument(
        "--users", type=Path | None, default=None, help="predict only: file with a raw user id per line; all by default"
    )
    parser.add_class_arguments(Tracking, "tracking")
    link_data(parser)


def link_data(parser: ArgumentParser) -> None:
    """Give the model what it takes from the data."""
    for name in FROM_DATA:
        moment = "parse" if name == "max_length" else "instantiate"  # others are known when the data are prepared
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on=moment)


def refuse_unused(subcommand: str, args: Sequence[str]) -> None:
    """Raise UserError if an option on the command line is one that the subcommand does not use."""
    for arg in args:
        name = arg.removeprefix("--").partition("=")[0]
        if arg.startswith("--") and USED_BY.get(name, subcommand) != subcommand:
            raise UserError(f"--{name}: `{subcommand}` does not use it, `{USED_BY[name]}` alone does; leave it out")


def read_ids(file: Path, option: str) -> list[str]:
    """Return the raw ids of a file, one per line, in the spelling of the data.

    Args:
        file: text in UTF-8.
        option: option that names the file, for the message.

    Raises:
        UserError: the file cannot be read or is empty.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option} {file}: cannot be read ({error})") from None
    ids = [raw for raw in (one_spelling(line.strip()) for line in lines) if raw]
    if not ids:
        raise UserError(f"{option} {file}: is empty; write one id per line")
    return ids
