r"""The vector library and its Top-K neighbours by cosine (paper, section 3.2, eq. 4-5).

V = {e_1, ..., e_I}                                             (4)
N(i) = Top-K_j cos(e_i, e_j),  j ≠ i                            (5)
"""

from __future__ import annotations

import logging
from functools import cache
from math import sqrt
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.errors import InvalidArgument, require, require_choice
from mmrec.retrieval import exact

Backend = Literal["torch", "faiss", "faiss_ivf"]
INSTALL = "pip install 'mmrec[cpu]', or 'mmrec[gpu]' for a GPU (one of them: they overwrite each other's files)"
log = logging.getLogger(__name__)
PROBED = 16  # inverted lists that a search reads; benchmarks/neighbours.py measures the recall


def nearest_neighbours(vectors: Tensor, k: int, backend: Backend = "torch") -> Tensor:
    """Return the K nearest other items of each item by cosine.

    Args:
        vectors: (I, D) item vectors; row 0 is padding, and is excluded from queries and results.
        k: K.
        backend: "torch" (blocked products, see `mmrec.retrieval.exact`) and "faiss" (a flat inner-product index over
            normalised vectors) are exact, so that "torch" takes the place of a "faiss" that is not installed;
            "faiss_ivf" reads the nearest 16 of 4√I inverted lists and misses some neighbours, for catalogues of several
            100,000 items.

    Returns:
        (I, K) int64, nearest first. A zero vector has no cosine, so such an item is a neighbour of no other item, and
        its own row contains the item itself K times. So does the row of PAD, and the end of every row for which fewer
        than K neighbours were found.

    Raises:
        InvalidArgument: there are fewer than K other items, the backend is unknown, or "faiss_ivf" lacks faiss.
    """
    n_items = len(vectors)
    require(1 <= k <= n_items - 2, "k", k, f"between 1 and {n_items - 2}, the number of other items")
    require_choice("backend", backend, Backend)
    table = torch.arange(n_items, device=vectors.device)[:, None].repeat(1, k)
    # The cosine with a zero vector is undefined; as a product it would be 0 and beat every negative cosine.
    known = 1 + torch.nonzero(vectors[1:].detach().any(dim=1)).squeeze(1)
    if len(known) > 1:
        library, sought = F.normalize(vectors[known].detach().float(), dim=1), min(k + 1, len(known))
        if backend == "torch" or (backend == "faiss" and not _has_faiss()):
            found = exact.search(library, sought)
        else:
            found = _search_faiss(library, sought, inverted_lists=backend == "faiss_ivf")
        found = _drop_self(found)
        table[known, : found.shape[1]] = known[found]
    return table


def _search_faiss(library: Tensor, k: int, inverted_lists: bool) -> Tensor:
    if not _has_faiss():
        raise InvalidArgument("backend", f"backend faiss_ivf needs faiss: {INSTALL}, or choose backend torch")
    import faiss

    rows = library.cpu().numpy()
    index: faiss.Index = faiss.IndexFlatIP(rows.shape[1])
    if inverted_lists:
        cells = max(1, min(int(4 * sqrt(len(rows))), len(rows) // 39))  # faiss needs 39 vectors per cell for training
        index = faiss.IndexIVFFlat(index, rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = PROBED
    if library.is_cuda and hasattr(faiss, "StandardGpuResources"):
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), library.device.index or 0, index)
    index.train(rows)
    index.add(rows)
    found = torch.from_numpy(index.search(rows, k)[1]).to(library.device)
    # -1 fills a row for which the lists hold fewer than k vectors.
    return torch.where(found < 0, torch.arange(len(found), device=found.device)[:, None], found)


@cache
def _has_faiss() -> bool:
    """Whether faiss can be imported; the first answer "no" is logged with the extra to install."""
    try:
        import faiss  # noqa: F401
    except ImportError:
        log.warning(f"faiss is not installed, so neighbours are searched with PyTorch, exactly as well; {INSTALL}")
        return False
    return True


def _drop_self(found: Tensor) -> Tensor:
    """Return (n, K + 1) without each row's own index; where identical vectors displaced it, without the farthest."""
    own = found == torch.arange(len(found), device=found.device)[:, None]
    order = own.int().argsort(dim=1, stable=True)
    return found.gather(1, order)[:, :-1]
