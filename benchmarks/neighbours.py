"""Refreshing the neighbour index: the backends of mmrec beside a plain product with topk, turn by turn.

Prints seconds, ratios and recall on random and on clustered vectors and writes them, with the machine's description, as
JSON. Recall is the share of neighbours that are as near as the K-th of the plain search, so that ties and rounding
count as no miss.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, get_args

import torch
from harness import HERE, one_line_errors, quiet_machine, write_result
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor
from torch.nn import functional as F

from mmrec.errors import UserError
from mmrec.retrieval.index import Backend, nearest_neighbours
from mmrec.utils.allocator import keep_freed_memory

ELEMENTS = 2**24  # similarities of the plain search that are alive at a time, as in mmrec
CENTRES, NOISE = 200, 0.5  # of clustered vectors; the noise is half as long as a centre
TOLERANCE = 1e-6  # of a cosine
TOGETHER = 256  # rows whose neighbours are compared at a time
PLAIN, FLAT = "plain", "faiss"


def random_vectors(n_items: int, width: int, generator: torch.Generator) -> Tensor:
    """Return (I, D) directions drawn uniformly: nothing is near to anything, the hardest case of inverted lists."""
    return F.normalize(torch.randn(n_items, width, generator=generator), dim=1)


def clustered_vectors(n_items: int, width: int, generator: torch.Generator) -> Tensor:
    """Return (I, D), each one of the centres with noise, all of length 1."""
    centres = random_vectors(CENTRES, width, generator)
    centre = torch.randint(CENTRES, (n_items,), generator=generator)
    return F.normalize(centres[centre] + NOISE * random_vectors(n_items, width, generator), dim=1)


KINDS = {"random": random_vectors, "clustered": clustered_vectors}


def plain_neighbours(vectors: Tensor, k: int) -> Tensor:
    """Find what `nearest_neighbours` does by fp32 products and topk, of vectors of length 1; row 0 means nothing."""
    library = vectors[1:]
    table = torch.zeros(len(vectors), k, dtype=torch.int64)
    for rows in torch.arange(len(library)).split(max(1, ELEMENTS // len(library))):
        similarity = library[rows] @ library.T
        similarity[torch.arange(len(rows)), rows] = -torch.inf
        table[1 + rows] = 1 + similarity.topk(k, dim=1).indices
    return table


def cosines(vectors: Tensor, neighbours: Tensor) -> Tensor:
    """Return the exact cosine (I, K) of each row with its neighbours, -inf with itself."""
    exact = vectors.double()
    rows = torch.arange(len(exact))
    parts = zip(rows.split(TOGETHER), neighbours.split(TOGETHER), strict=True)
    values = torch.cat([torch.bmm(exact[found], exact[row, :, None]).squeeze(2) for row, found in parts])
    return values.masked_fill_(neighbours == rows[:, None], -torch.inf)


def recall(vectors: Tensor, neighbours: Tensor, plain: Tensor) -> float:
    """Return the share of neighbours (I, K) that are as near as the K-th of the plain search."""
    least = cosines(vectors, plain).amin(dim=1, keepdim=True) - TOLERANCE
    return (cosines(vectors, neighbours) >= least)[1:].double().mean().item()


def measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Search one kind of vectors by every side in turn, once to warm up and then for the record."""
    generator = torch.Generator().manual_seed(options.seed)
    vectors = torch.cat([torch.zeros(1, options.width), KINDS[kind](options.items, options.width, generator)])
    sides: dict[str, Callable[[Tensor, int], Tensor]] = {PLAIN: plain_neighbours}
    sides |= {backend: partial(nearest_neighbours, backend=backend) for backend in get_args(Backend)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found: dict[str, Tensor] = {}
    for turn in range(1 + options.rounds):
        print(f"{kind}: {f'round {turn} of {options.rounds}' if turn else 'warm-up'}", file=sys.stderr, flush=True)
        for name, search in sides.items():
            start = perf_counter()
            found[name] = search(vectors, options.neighbours)
            seconds[name].append(perf_counter() - start)
    timed = {name: values[1:] for name, values in seconds.items()}
    return {name: summary(name, timed, recall(vectors, found[name], found[PLAIN])) for name in sides}


def summary(name: str, seconds: dict[str, list[float]], share: float) -> dict[str, Any]:
    """Put the rounds of one side together; a ratio is the median over rounds."""
    own = seconds[name]
    ratios = {
        f"to_{other}": median(ours / theirs for ours, theirs in zip(own, seconds[other], strict=True))
        for other in (PLAIN, FLAT)
    }
    spread = {"seconds": median(own), "seconds_min": min(own), "seconds_max": max(own)}
    return {**spread, **ratios, "recall": share, "rounds": own}


def compare(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    machine = quiet_machine()
    kept = ("items", "width", "neighbours", "rounds", "threads", "seed")
    result = {
        "machine": machine,
        "settings": {**{key: getattr(options, key) for key in kept}, "centres": CENTRES, "noise": NOISE},
        **{kind: measure(kind, options) for kind in KINDS},
        "versions": {"torch": torch.__version__, "faiss": version_of_faiss()},
    }
    show(result)
    write_result(options.output, result)


def show(result: dict[str, Any]) -> None:
    """Print a table for each kind of vectors."""
    settings = result["settings"]
    names = ("seconds: median (lowest to highest)", ": plain", ": faiss", "recall")
    for kind in KINDS:
        title = f"{settings['neighbours']} neighbours of {settings['items']:,} {kind} vectors, D {settings['width']}"
        table = Table("", *(Column(name, justify="right") for name in names), title=title)
        for name, side in result[kind].items():
            spread = f"{side['seconds']:.2f} ({side['seconds_min']:.2f} to {side['seconds_max']:.2f})"
            ratios = (f"{side[f'to_{other}']:.2f}" for other in (PLAIN, FLAT))
            table.add_row(name, spread, *ratios, f"{side['recall']:.4f}")
        Console().print(table)


def set_threads(threads: int) -> None:
    """Let torch and faiss compute with so many threads.

    Raises:
        UserError: faiss is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UserError("faiss is not installed: pip install 'mmrec[cpu]'") from None
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)


def version_of_faiss() -> str:
    import faiss

    return str(faiss.__version__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000, help="I, padding not counted")
    parser.add_argument("--width", type=int, default=512, help="D")
    parser.add_argument("--neighbours", type=int, default=20, help="K")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side has its turn, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of the vectors")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "neighbours.json")
    options = parser.parse_args()
    if min(options.items, options.width, options.neighbours, options.rounds, options.threads) < 1:
        parser.error("--items, --width, --neighbours, --rounds and --threads are at least 1")
    if options.neighbours >= options.items:
        parser.error("--neighbours must be below --items: an item is no neighbour of its own")
    keep_freed_memory()  # as the command line does at start-up
    with one_line_errors():
        set_threads(options.threads)
        compare(options)


if __name__ == "__main__":
    main()
