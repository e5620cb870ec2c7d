"""Finished blocks on disk, one file each: what lets an extraction go on after a kill, and processes share it.

A file is written beside, forced to the disk and renamed. So a name that exists stands for all of its block, whatever
was killed and when, and no record of progress can disagree with the vectors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import Block, FeatureEncoder, Modality, Part, RejectedItem
from mmrec.errors import UserError


def block_file(folder: Path, part: Part) -> Path:
    """Return where the block of a part is kept: the name has modality, first and last item."""
    items = part.items["item"]
    return folder / f"{part.modality}-{items[0]:08d}-{items[-1]:08d}.npz"


def encode_to(folder: Path, encoder: FeatureEncoder, parts: Sequence[Part]) -> Iterator[Part]:
    """Encode parts, write their blocks, and yield each part when its block is on the disk.

    Raises:
        UserError: a vector is not finite as float16, the disk is full, or whatever the encoder raises.
    """
    for part, block in zip(parts, encoder.encode(parts), strict=True):
        save_block(block_file(folder, part), to_half(block, part.modality, encoder.name))
        yield part


def to_half(block: Block, modality: Modality, encoder: str) -> Block:
    """Return the block with float16 vectors. Raises UserError if one is not finite then."""
    with np.errstate(over="ignore"):
        half = np.asarray(block.vectors, dtype=np.float16)
    finite = np.isfinite(half).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{encoder}: the {modality} vector of item {block.rows[~finite][0]} is not finite as float16 "
            "(at most 65,504): scale the input or compute with precision fp32"
        )
    return Block(block.rows, half, block.rejected)


def save_block(path: Path, block: Block) -> None:
    """Write a block so that it is there whole or not at all. Raises UserError if the disk is full."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    faults = [(fault.kind, fault.where) for fault in block.rejected]
    try:
        with beside.open("wb") as file:
            rejected: NDArray[np.str_] = np.array(faults, dtype=np.str_).reshape(-1, 2)
            np.savez(file, rows=block.rows, vectors=block.vectors, rejected=rejected)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); free some space and run again"
        ) from error


def load_block(path: Path) -> Block:
    """Read a block.

    Raises:
        UserError: the file is damaged, which no kill can do.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rejected = tuple(RejectedItem(str(kind), str(where)) for kind, where in arrays["rejected"])
            return Block(arrays["rows"], arrays["vectors"], rejected)
    except Exception as error:  # a damaged zip raises OSError, ValueError, KeyError, BadZipFile or zlib.error
        raise UserError(f"{path}: damaged ({error}); remove this file and run again") from error
