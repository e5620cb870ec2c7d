"""Modules written as programs: by `torch.export`, and in ONNX where onnx is installed."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mmrec.inference.bundle.portable import Scorer, SequenceUserEncoder
from mmrec.utils.files import write_whole

INPUTS = ("items", "item_time", "query_time")
LARGEST_ONNX = 2**31 - 2**20
"""Bytes of weights that one ONNX file can hold."""


def write_graphs(folder: Path, name: str, module: SequenceUserEncoder | Scorer) -> dict[str, str]:
    """Write `<name>.pt2` and `<name>.onnx`, whose batch size and length of histories are free.

    Returns:
        the reason, by file name, for each that cannot be written.
    """
    example = (
        torch.ones(2, 3, dtype=torch.int64),
        torch.ones(2, 3, dtype=torch.int64),
        torch.ones(2, dtype=torch.int64),
    )
    inputs = example[: 3 if module.timed else 1]
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1)
    shapes = ({0: batch, 1: length}, {0: batch, 1: length}, {0: batch})[: len(inputs)]
    with _quiet():
        program = torch.export.export(module.eval(), inputs, dynamic_shapes=shapes)
        program.example_inputs = None  # they would be stored as a pickle
        write_whole(folder / f"{name}.pt2", lambda path: torch.export.save(program, path))
        try:
            import onnx  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError:
            return {f"{name}.onnx": "onnx is not installed: pip install 'mmrec[export]'"}
        if sum(tensor.nbytes for tensor in module.state_dict().values()) > LARGEST_ONNX:
            return {f"{name}.onnx": "an ONNX file holds at most 2 GB"}
        output = "users" if isinstance(module, SequenceUserEncoder) else "scores"
        made: Any = torch.onnx.export(
            program, inputs, input_names=INPUTS[: len(inputs)], output_names=[output], dynamo=True, verbose=False,
            external_data=False, dynamic_shapes=shapes,
        )  # fmt: skip
        write_whole(folder / f"{name}.onnx", lambda path: made.save(path, external_data=False))
    return {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' notes on their own inner workings from the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
