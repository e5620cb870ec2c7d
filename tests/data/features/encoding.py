"""Items for encoders, and the vectors that an encoder makes of them."""

from __future__ import annotations

import numpy as np
import polars as pl
from PIL import Image

from mmrec.data.features.encoders import Part


def frame(texts=None, images=None, ids=None):
    n = len(texts or images or ids)
    return pl.DataFrame(
        {
            "item": np.arange(1, n + 1, dtype=np.int32),
            "raw_id": ids or [f"a{i}" for i in range(n)],
            "text": pl.Series(texts or [None] * n, dtype=pl.String),
            "image": pl.Series([None if i is None else str(i) for i in images or [None] * n], dtype=pl.String),
        }
    )


def encoded(encoder, items, modality, part=4):
    """Return rows in their order, vectors and rejected items of all parts together."""
    blocks = list(encoder.encode([Part(modality, some) for some in items.iter_slices(part)]))
    rows = np.concatenate([block.rows for block in blocks])
    rejected = [reason for block in blocks for reason in block.rejected]
    vectors, order = np.concatenate([block.vectors for block in blocks if len(block.rows)]), np.argsort(rows)
    return rows[order], vectors[order], rejected


def illustrated_items(folder):
    """Return five items: one text is missing, one is long, one is blank, and one image is missing."""
    rng, files = np.random.default_rng(1), []
    for index in range(5):
        files.append(folder / f"{index}.png")
        Image.fromarray(rng.integers(0, 256, (40 + index, 50, 3), dtype=np.uint8)).save(files[-1])
    files[2] = folder / "absent.png"
    return frame(texts=["a red dress", None, "word " * 200, "naïve café", ""], images=files)
