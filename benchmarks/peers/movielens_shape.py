"""Ratings in the shape of MovieLens-25M, of any size: files to measure preparation with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

USERS_AT_20M = 150_000
ITEMS = 45_000
BLOCK = 4_000_000  # ratings made at once


def write_ratings(folder: Path, rows: int, seed: int = 0) -> int:
    """Write `ratings.csv` and `movies.csv` as GroupLens does: by user, then by movie, no pair twice.

    Activity of users is log-normal (median some 70 ratings, a few thousand at most), popularity of movies follows
    Zipf's law with exponent 1, so that both cores of preparation have something to drop. Every user rates within a
    few weeks.

    Args:
        folder: where to.
        rows: about how many ratings.
        seed: of the draw.

    Returns:
        the number of ratings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.arange(1, 4 * ITEMS))[:ITEMS]
    with (folder / "movies.csv").open("w") as file:
        file.write("movieId,title,genres\n")
        file.writelines(f"{movie},Film {movie} (1999),Comedy|Drama\n" for movie in ids)
    shares = np.cumsum(1 / np.arange(1, ITEMS + 1))
    activity = np.minimum(rng.lognormal(4.3, 1.1, max(10, USERS_AT_20M * rows // 20_000_000)), 4000)
    counts = np.ceil(activity * rows / activity.sum() * 1.44).astype(np.int64)  # 1.44: pairs drawn twice are dropped
    total = 0
    with (folder / "ratings.csv").open("wb") as out:
        for block in np.array_split(np.arange(len(counts)), -(-int(counts.sum()) // BLOCK)):
            table = _block(rng, block, counts[block], ids, shares)
            table.write_csv(out, include_header=total == 0)
            total += table.height
    return total


def _block(
    rng: np.random.Generator, users: np.ndarray, counts: np.ndarray, ids: np.ndarray, shares: np.ndarray
) -> pl.DataFrame:
    user = np.repeat(users, counts)
    item = np.searchsorted(shares, rng.random(len(user)) * shares[-1])
    pairs = np.unique(user * ITEMS + item)
    user, item = pairs // ITEMS, pairs % ITEMS
    start = rng.integers(800_000_000, 1_570_000_000, len(users))
    return pl.DataFrame(
        {
            "userId": user + 1,
            "movieId": ids[item],
            "rating": rng.integers(1, 11, len(user)) / 2,
            "timestamp": start[user - users[0]] + rng.integers(0, 300_000, len(user)) * 7,
        }
    ).sort("userId", "movieId")
