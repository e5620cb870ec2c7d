"""Two histograms of a dataset: lengths of histories, and popularity of items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Counts = NDArray[np.integer[Any]]
BINS = 40


def save_histograms(folder: Path, lengths: Counts, popularity: Counts) -> None:
    """Write `sequence_lengths.png` and `popularity.png`.

    Args:
        folder: folder of the dataset.
        lengths: (U,) number of interactions per user.
        popularity: (I - 1,) number of interactions per item.
    """
    _draw_histogram(folder / "sequence_lengths.png", lengths, "interactions per user", "users")
    _draw_histogram(folder / "popularity.png", popularity, "interactions per item", "items")


def _draw_histogram(file: Path, counts: Counts, what: str, of: str) -> None:
    """Draw counts on logarithmic bins with whole-numbered edges: they span orders of magnitude."""
    edges = np.unique(np.geomspace(max(1, counts.min()), counts.max() + 1, BINS + 1).round())
    if len(edges) < 2:  # all counts are equal
        edges = np.array([edges[0], edges[0] + 1])
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.hist(counts, bins=edges.tolist(), color="#4477aa")
    axes.axvline(float(np.median(counts)), color="#222222", linestyle="--", label=f"median {np.median(counts):g}")
    axes.set(xscale="log", xlabel=what, ylabel=of, title=f"{len(counts):,} {of}, mean {counts.mean():.1f}")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150, metadata={"Software": None})  # without a version, equal data gives equal bytes
