"""The sequences of a prepared dataset as two Parquet files, for libraries that read no dataset of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from mmrec.data.catalog import Catalog
from mmrec.data.loaders.indexing import ragged
from mmrec.data.schema import Split


def write_sequences(catalog: Catalog, length: int, folder: Path) -> dict[str, int]:
    """Write what `TrainLoader` and `EvalLoader` serve, with item ids from 0 (ours less 1, for there is no padding).

    `train.parquet` holds `item_id`, each user's newest `length` + 1 training events; `test.parquet` one row for each
    event of the test split: `item_id`, the newest `length` before it, `ground_truth`, and `seen_ids`, all before it.

    Args:
        catalog: the dataset.
        length: L.
        folder: takes the files.

    Returns:
        n_users, n_items (real ones), longest (of `seen_ids`), targets (of a training epoch), instances (of the test).
    """
    view = catalog.train
    users = torch.nonzero(view.offsets.diff() >= 2).squeeze(1)
    end = view.offsets[users + 1]
    start = torch.maximum(view.offsets[users], end - length - 1)
    train = {"item_id": _lists(view.items, start, end)}

    rows = catalog.instances(Split.TEST)
    first = catalog.offsets[catalog.user_of(rows)]
    test = {
        "item_id": _lists(catalog.items, torch.maximum(first, rows - length), rows),
        "ground_truth": _lists(catalog.items, rows, rows + 1),
        "seen_ids": _lists(catalog.items, first, rows),
    }
    pq.write_table(pa.table(train), folder / "train.parquet")
    pq.write_table(pa.table(test), folder / "test.parquet")
    return {
        "n_users": catalog.n_users,
        "n_items": catalog.n_items - 1,
        "longest": int((rows - first).max()),
        "targets": int((end - start - 1).sum()),
        "instances": len(rows),
    }


def _lists(items: Tensor, start: Tensor, end: Tensor) -> pa.ListArray:
    """Return rows `items[start:end]`."""
    values, offsets = ragged(items, start, end)
    return pa.ListArray.from_arrays(offsets.numpy().astype(np.int32), values.numpy() - 1)
