"""The index of a bundle: item vectors in a Faiss file, and its recall against exact search."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmrec.errors import UserError
from mmrec.utils.files import replacing

IndexKind = Literal["exact", "ivf", "hnsw"]
Floats = NDArray[np.float32]

LEAST_RECALL = 0.95
"""Recall@k that the search effort of an approximate index is raised to."""
NEEDED = "faiss is not installed: pip install 'mmrec[cpu]' (or 'mmrec[gpu]')"


class VectorIndex:
    """The items with the largest inner products, by Faiss. Positions count from 0, in the order of `items.json`.

    Args:
        index: an index of Faiss over the item vectors, without padding.
        kind: its kind.
        k: length of the lists that the search effort of an approximate index is made for.
    """

    def __init__(self, index: Any, kind: IndexKind, k: int = 0) -> None:
        self.index = index
        self.kind = kind
        self.k = k

    def reaches(self, depth: int) -> bool:
        """Return whether the effort is made for lists of a length."""
        return self.kind == "exact" or depth <= self.k

    def search(self, vectors: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the inner products and positions (n, k) of the best items of vectors (n, D); -1 where none is left."""
        scores, positions = self.index.search(np.ascontiguousarray(vectors), k)
        return scores, positions

    @property
    def effort(self) -> int:
        """`nprobe` of IVF, `efSearch` of HNSW, 0 for an exact index."""
        if self.kind == "ivf":
            return int(self.index.nprobe)
        return int(self.index.hnsw.efSearch) if self.kind == "hnsw" else 0

    @effort.setter
    def effort(self, value: int) -> None:
        if self.kind == "ivf":
            self.index.nprobe = value
        elif self.kind == "hnsw":
            self.index.hnsw.efSearch = value

    @property
    def largest_effort(self) -> int:
        """The effort beyond which nothing is gained."""
        return int(self.index.nlist if self.kind == "ivf" else self.index.ntotal) if self.kind != "exact" else 0

    def save(self, file: Path) -> None:
        """Write the Faiss file."""
        faiss = _faiss()
        with replacing(file) as temporary:
            faiss.write_index(self.index, str(temporary))


def build_index(vectors: Floats, kind: IndexKind) -> VectorIndex:
    """Return an index over item vectors (n, D).

    "exact" compares all; "ivf" the vectors of the nearest of 4√n cells; "hnsw" walks a graph with 32 links per vector.

    Raises:
        UserError: faiss is not installed.
    """
    faiss = _faiss()
    rows, width = np.ascontiguousarray(vectors, np.float32), vectors.shape[1]
    if kind == "exact":
        index = faiss.IndexFlatIP(width)
    elif kind == "ivf":
        cells = max(1, min(int(4 * sqrt(len(rows))), len(rows) // 39))  # faiss trains a cell on 39 vectors at least
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
        # A tenth of the default's products: 2 instead of 20 minutes for a million items on one core.
        index.cp.niter, index.cp.max_points_per_centroid = 10, 64
    else:
        index = faiss.IndexHNSWFlat(width, 32, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    return VectorIndex(index, kind)


def read_index(file: Path, kind: IndexKind, k: int) -> VectorIndex:
    """Read a Faiss file; `k` is the length of list that it was made for.

    Raises:
        UserError: faiss is not installed, or the file is damaged.
    """
    faiss = _faiss()
    try:
        return VectorIndex(faiss.read_index(str(file)), kind, k)
    except RuntimeError as error:
        raise UserError(f"{file}: not readable by this faiss ({str(error)[:80]}); export the run again") from None


def recall(index: VectorIndex, exact: VectorIndex, queries: Floats, k: int) -> float:
    """Return the mean share of the exact k best items of queries (n, D) that an index finds."""
    found, best = index.search(queries, k)[1], exact.search(queries, k)[1]
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, best, strict=True)]) / best.shape[1])


def tune(index: VectorIndex, exact: VectorIndex, queries: Floats, k: int, least: float = LEAST_RECALL) -> float:
    """Double the search effort until the recall@k of queries (n, D) is reached, and return the recall."""
    index.effort = 16 if index.kind == "hnsw" else 1
    while (reached := recall(index, exact, queries, k)) < least and index.effort < index.largest_effort:
        index.effort = min(2 * index.effort, index.largest_effort)
    return reached


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise UserError(NEEDED) from None
    return faiss
