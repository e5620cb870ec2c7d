"""Finished blocks on disk, one file each: a killed extraction continues from them, and processes exchange them.

A file is written under a temporary name, forced to the disk and renamed. So the existence of a file proves that its
block is complete, and no separate record of progress can contradict the vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import Block, FeatureEncoder, Modality, Part, RejectedItem
from mmrec.errors import UserError
from mmrec.utils.arrays import read_archive, write_archive


def block_file(folder: Path, part: Part) -> Path:
    """Return the file of a part's block: its name has modality, first and last item."""
    items = part.items["item"]
    return folder / f"{part.modality}-{items[0]:08d}-{items[-1]:08d}.npz"


def encode_to(folder: Path, encoder: FeatureEncoder, parts: Sequence[Part]) -> Iterator[Part]:
    """Encode parts, write their blocks, and yield each part when its block is on the disk.

    Raises:
        UserError: a vector is not finite as float16, the disk is full, or any error of the encoder.
    """
    for part, block in zip(parts, encoder.encode(parts), strict=True):
        save_block(block_file(folder, part), to_half(block, part.modality, encoder.name))
        yield part


def to_half(block: Block, modality: Modality, encoder: str) -> Block:
    """Return the block with float16 vectors. Raises UserError if one of them is not finite as float16."""
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
    """Write a block. Raises UserError if the disk is full."""
    faults = [(fault.kind, fault.where) for fault in block.rejected]
    rejected: NDArray[np.str_] = np.array(faults, dtype=np.str_).reshape(-1, 2)
    write_archive(path, {"rows": block.rows, "vectors": block.vectors, "rejected": rejected})


def load_block(path: Path) -> Block:
    """Read a block.

    Raises:
        UserError: the file is damaged, which no kill can cause.
    """
    remedy = "remove this file and run again"
    arrays = read_archive(path, remedy)
    try:
        rejected = tuple(RejectedItem(str(kind), str(where)) for kind, where in arrays["rejected"])
        return Block(arrays["rows"], arrays["vectors"], rejected)
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: does not hold a block ({error}); {remedy}") from None
