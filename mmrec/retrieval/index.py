"""The global vector library and its Top-K neighbours by cosine (paper, section 3.2, eq. 4-5)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.errors import UserError

Backend = Literal["faiss", "torch"]
BLOCK_ELEMENTS = 2**24  # similarities alive at a time in the torch backend: 64 MB of fp32


def nearest_neighbours(vectors: Tensor, k: int, backend: Backend = "faiss") -> Tensor:
    """Find the K nearest other items of each item by cosine, exactly.

    Args:
        vectors: (I, D) item vectors; row 0 is padding and neither asks nor answers.
        k: K.
        backend: "faiss" (a flat inner-product index over normalised vectors) or "torch" (blocked products, for
            devices that faiss does not serve).

    Returns:
        (I, K) int64, nearest first. An item whose vector is zero resembles nothing: no other row names it, and its own
        row names itself, as does the row of PAD and the end of a row where fewer than K others have a vector.

    Raises:
        UserError: there are not K other items, or faiss is not installed.
    """
    n_items = len(vectors)
    if not 1 <= k <= n_items - 2:
        raise UserError(f"neighbours must be between 1 and {n_items - 2}, the number of other items, but is {k}")
    table = torch.arange(n_items, device=vectors.device)[:, None].repeat(1, k)
    # The cosine with a zero vector is undefined; the 0 that a product makes of it would beat every negative cosine.
    known = 1 + torch.nonzero(vectors[1:].detach().any(dim=1)).squeeze(1)
    if len(known) > 1:
        library = F.normalize(vectors[known].detach().float(), dim=1)
        search = _search_faiss if backend == "faiss" else _search_torch
        found = _drop_self(search(library, min(k + 1, len(known))))
        table[known, : found.shape[1]] = known[found]
    return table


def _search_faiss(library: Tensor, k: int) -> Tensor:
    try:
        import faiss
    except ImportError:
        raise UserError(
            "faiss is not installed: pip install 'mmrec[cpu]' (or 'mmrec[gpu]'), "
            "or choose model.init_args.index_backend: torch"
        ) from None
    rows = library.cpu().numpy()
    index: faiss.Index = faiss.IndexFlatIP(rows.shape[1])
    if library.is_cuda and hasattr(faiss, "StandardGpuResources"):
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), library.device.index or 0, index)
    index.add(rows)
    return torch.from_numpy(index.search(rows, k)[1]).to(library.device)


def _search_torch(library: Tensor, k: int) -> Tensor:
    block = max(1, BLOCK_ELEMENTS // len(library))
    return torch.cat([(rows @ library.T).topk(k, dim=1).indices for rows in library.split(block)])


def _drop_self(found: Tensor) -> Tensor:
    """Remove each row's own index from (n, K + 1); where twins crowded it out, remove the farthest instead."""
    own = found == torch.arange(len(found), device=found.device)[:, None]
    order = own.int().argsort(dim=1, stable=True)
    return found.gather(1, order)[:, :-1]
