"""Several explanations at once, in their order, with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def in_order(
    work: Callable[..., T], workers: int, title: str, first: Sequence[Any], *more: Iterable[Any]
) -> Generator[T]:
    """Yield `work` of each element, as `map` does, with some workers; what is waiting is dropped at an exception.

    Args:
        work: function of one element of each sequence; called in threads.
        workers: number of threads.
        title: title of the progress bar, which only a terminal shows.
        first: elements to work on.
        more: sequences of further arguments, of the same length.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        yield from track(
            pool.map(work, first, *more), title, len(first), console=Console(stderr=True), transient=True,
            disable=not sys.stderr.isatty(),
        )  # fmt: skip
    finally:
        pool.shutdown(cancel_futures=True)
