"""The inputs of encoders: texts, and images decoded ahead in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from PIL import Image

from mmrec.data.features.encoders.base import Modality, Part, RejectedItem, Rows, UnreadableImageError, load_rgb

DECODER_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Inputs:
    """Texts or images of a part that can be encoded.

    Args:
        modality: modality of the part.
        rows: (n,) item indices.
        values: n texts, or n prepared images.
        rejected: images that cannot be decoded.
    """

    modality: Modality
    rows: Rows
    values: list[Any]
    rejected: tuple[RejectedItem, ...]

    def longest_first(self) -> Inputs:
        """Return the same inputs sorted by length, so that batches of texts need little padding."""
        order = sorted(range(len(self.values)), key=lambda index: -len(self.values[index]))
        return replace(self, rows=self.rows[order], values=[self.values[index] for index in order])


def read_parts(parts: Sequence[Part], prepare: Callable[[Image.Image], Any] | None = None) -> Iterator[Inputs]:
    """Yield the inputs of each part: its texts that are not blank, or its images.

    Args:
        parts: the parts to read.
        prepare: turns a decoded image into a network's input; called in threads, one part ahead of the caller. None
            if no part is of images.
    """

    def load(path: str) -> Any:
        try:
            image = load_rgb(path)
        except UnreadableImageError as error:
            return RejectedItem("unreadable image", str(error))
        return image if prepare is None else prepare(image)

    ahead: deque[tuple[Modality, Rows, Iterator[Any]]] = deque()
    pool = ThreadPoolExecutor(DECODER_THREADS)
    try:
        for modality, items in parts:
            column = pl.col(modality)
            filled = items.filter(column.str.strip_chars() != "" if modality == "text" else column.is_not_null())
            values = filled[modality].to_list()
            loaded = iter(values) if modality == "text" else pool.map(load, values)
            ahead.append((modality, filled["item"].cast(pl.Int64).to_numpy(), loaded))
            if len(ahead) > 1:
                yield _collect(*ahead.popleft())
        while ahead:
            yield _collect(*ahead.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(modality: Modality, rows: Rows, loaded: Iterator[Any]) -> Inputs:
    results = list(loaded)
    good = [not isinstance(result, RejectedItem) for result in results]
    return Inputs(
        modality,
        rows[good],
        [result for result in results if not isinstance(result, RejectedItem)],
        tuple(result for result in results if isinstance(result, RejectedItem)),
    )
