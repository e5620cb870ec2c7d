"""Two pictures of a dataset: how long the histories are, and how popularity falls off."""

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
        folder: of the dataset.
        lengths: (U,) interactions of each user.
        popularity: (I - 1,) interactions of each item.
    """
    _histogram(folder / "sequence_lengths.png", lengths, "interactions of a user", "users")
    _histogram(folder / "popularity.png", popularity, "interactions of an item", "items")


def _histogram(file: Path, counts: Counts, what: str, of: str) -> None:
    """Draw counts on logarithmic bins with whole-numbered edges: they span orders of magnitude."""
    edges = np.unique(np.geomspace(max(1, counts.min()), counts.max() + 1, BINS + 1).round())
    if len(edges) < 2:  # all alike
        edges = np.array([edges[0], edges[0] + 1])
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.hist(counts, bins=edges.tolist(), color="#4477aa")
    axes.axvline(float(np.median(counts)), color="#222222", linestyle="--", label=f"median {np.median(counts):g}")
    axes.set(xscale="log", xlabel=what, ylabel=of, title=f"{len(counts):,} {of}, mean {counts.mean():.1f}")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150, metadata={"Software": None})  # no version inside: equal data are equal bytes
