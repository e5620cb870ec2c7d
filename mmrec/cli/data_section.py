"""The data section of a run's configuration, for commands that prepare data and train nothing."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]

import mmrec.data.features.encoders
import mmrec.data.sources  # noqa: F401  configs name the classes of these packages without their modules
from mmrec.cli.compose import data_section
from mmrec.cli.configured import with_key
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument, UserError, find_mistake


def data_parser(name: str, description: str | None) -> ArgumentParser:
    """Return a parser that builds the data section of a run's configuration, as `data`."""
    parser = ArgumentParser(prog=f"mmrec {name}", description=description, exit_on_error=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="any run configuration")
    parser.add_class_arguments(RecDataModule, "data", sub_configs=True)
    return parser


def build_data(parser: ArgumentParser, args: Sequence[str]) -> Namespace:
    """Parse arguments and build what they describe.

    Args:
        parser: parser with a data section, see `data_parser`.
        args: arguments of a run or of the command; what concerns model and trainer is passed over.

    Raises:
        UserError: a value that a class does not accept.
    """
    parsed = parser.parse_args(data_section(args))
    try:
        built: Namespace = parser.instantiate_classes(parsed)
    except Exception as error:
        mistake = find_mistake(error)
        if isinstance(mistake, InvalidArgument):
            raise UserError(with_key(mistake, parsed)) from error
        raise
    return built


def read_data(name: str, description: str | None, args: Sequence[str]) -> RecDataModule:
    """Return the data of a command whose only options are those of the data."""
    data: RecDataModule = build_data(data_parser(name, description), args).data
    return data
