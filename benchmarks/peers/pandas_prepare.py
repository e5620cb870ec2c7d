"""The steps of preparation in plain pandas; the report is the last line of stdout.

Read, drop repeated pairs, iterate the 5/20-core, sort by user and time, number users and items, split 80/10/10 per
user, write Parquet. No checks of the rows, no items, no manifest: less than mmrec does.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

raw, out = map(Path, sys.argv[1:])
started = time.perf_counter()
table = pd.read_csv(raw / "ratings.csv")
table = table.sort_values(["userId", "timestamp"], kind="stable")
table = table.drop_duplicates(["userId", "movieId"])
while True:
    users, items = table.groupby("userId")["userId"], table.groupby("movieId")["movieId"]
    enough = (users.transform("size") >= 5) & (items.transform("size") >= 20)
    if enough.all():
        break
    table = table[enough]
table["user"] = pd.factorize(table["userId"])[0]
table["item"] = pd.factorize(table["movieId"])[0] + 1
count = table.groupby("user")["user"].transform("size")
from_end = count - 1 - table.groupby("user").cumcount()
held = np.where(count >= 3, np.maximum(1, count // 10), 0)
table["split"] = np.select([from_end < held, from_end < 2 * held], [2, 1], 0).astype(np.int8)
out.mkdir(parents=True, exist_ok=True)
table[["user", "item", "timestamp", "split"]].to_parquet(out / "interactions.parquet", index=False)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
splits = np.bincount(table["split"], minlength=3).tolist()
counts = [int(table["user"].nunique()), int(table["item"].nunique()), len(table), *splits]
print(json.dumps({"seconds": seconds, "peak_memory_mb": peak, "counts": counts}))
