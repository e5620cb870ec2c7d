"""Reader of W&B's offline records: a log of protocol buffers in the framing of LevelDB."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK = 32768
HEADER = 7
FIRST, LAST = (1, 2), (1, 4)
"""Codes of record parts: whole or first ones, and whole or last ones."""


@dataclass
class Recorded:
    """Everything that one run has recorded."""

    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: set[str] = field(default_factory=set)
    summary: dict[str, Any] = field(default_factory=dict)


def recorded(run: Path) -> Recorded:
    """Read the one offline record of a run, given its folder."""
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    found = Recorded()
    for content in _records(file.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(content)
        if record.HasField("run"):
            found.group, found.job_type, found.tags = record.run.run_group, record.run.job_type, list(record.run.tags)
        for item in (*record.run.config.update, *record.config.update):
            found.config[".".join(item.nested_key) or item.key] = json.loads(item.value_json)
        found.history |= {".".join(item.nested_key) or item.key for item in record.history.item}
        for item in record.summary.update:
            found.summary[".".join(item.nested_key) or item.key] = json.loads(item.value_json)
    return found


def _records(data: bytes) -> Iterator[bytes]:
    place, content = HEADER, b""  # the file begins with a header
    while place + HEADER <= len(data):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        _, length, part = struct.unpack("<IHB", data[place : place + HEADER])
        content = (b"" if part in FIRST else content) + data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if part in LAST:
            yield content
