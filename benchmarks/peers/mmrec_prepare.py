"""Prepare a folder of MovieLens files with mmrec; the report is the last line of stdout."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.prepare.pipeline import prepare
from mmrec.data.sources import MovieLens

raw, out = map(Path, sys.argv[1:])
started = time.perf_counter()
folder = prepare(MovieLens(str(raw)), PrepareOptions(require_image=False), out)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

from mmrec.data.catalog import Catalog  # noqa: E402  PyTorch is no part of preparation

started = time.perf_counter()
catalog = Catalog(folder)
opened = time.perf_counter() - started
manifest = catalog.manifest
report = {"seconds": seconds, "peak_memory_mb": peak, "open_seconds": opened}
counts = [manifest.n_users, manifest.n_items - 1, manifest.n_interactions, *manifest.splits.values()]
print(json.dumps({**report, "counts": counts}))
