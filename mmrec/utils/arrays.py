"""Arrays on disk: `.npy` files and archives of them, without pickle, written whole and read with every check."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mmrec.errors import UserError
from mmrec.utils.files import replacing
from mmrec.utils.tables import first_line


def read_array(
    file: Path, dtype: DTypeLike, shape: tuple[int, ...], remedy: str, *, copy_on_write: bool = False
) -> NDArray[Any]:
    """Map a `.npy` file into memory.

    Args:
        file: the path of the file.
        dtype: the element type that it must have.
        shape: the shape that it must have.
        remedy: what the user can do about a damaged file, for the message.
        copy_on_write: allow writes to the array, which change memory alone; otherwise it is read-only.

    Raises:
        UserError: the file is missing or damaged, or has another type or shape.
    """
    try:
        array = np.load(file, mmap_mode="c" if copy_on_write else "r", allow_pickle=False)
    except Exception as error:  # of damaged bytes numpy raises ValueError, EOFError, OSError, and what its parser meets
        raise UserError(f"{file}: cannot be read ({first_line(error)}); {remedy}") from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{file}: is an archive, not one array; {remedy}")
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise UserError(f"{file}: is {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}; {remedy}")
    return array


def write_array(file: Path, array: NDArray[Any]) -> None:
    """Write a `.npy` file. Raises UserError if it cannot be written."""
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def write_rows(file: Path, dtype: DTypeLike, shape: tuple[int, int], pieces: Iterable[NDArray[Any]]) -> None:
    """Write a `.npy` file from consecutive pieces of its rows.

    Written as a stream: a memory map on a disk that fills up would kill the process.

    Args:
        file: the path of the file.
        dtype: the element type.
        shape: rows and width of the whole array.
        pieces: arrays of that width, together as many rows as the shape has.

    Raises:
        UserError: there is not enough space for the file, or it cannot be written.
    """
    needed, free = np.dtype(dtype).itemsize * shape[0] * shape[1], shutil.disk_usage(file.parent).free
    if needed > free:
        raise UserError(f"{file}: needs {needed >> 20} MiB, {free >> 20} MiB are free; free some space and run again")
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for piece in pieces:
            stream.write(np.ascontiguousarray(piece, dtype).data)


def write_archive(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an `.npz` file of named arrays. Raises UserError if it cannot be written."""
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # of the keyword allow_pickle


def read_archive(file: Path, remedy: str) -> dict[str, NDArray[Any]]:
    """Read all arrays of an `.npz` file.

    Args:
        file: the path of the file.
        remedy: what the user can do about a damaged file, for the message.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # a damaged archive raises OSError, ValueError, KeyError, BadZipFile or zlib.error
        raise UserError(f"{file}: cannot be read ({first_line(error)}); {remedy}") from None
