"""Example tables, and run folders in the form that `lightning test` writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from mmrec.metrics.ranking import mean_metrics
from mmrec.reproduce.spec import Cell, Profile, Row, Spec

PROFILE = Profile("smoke", ("shop",), (1,), (("trainer.max_epochs", "3"),), (0, ()))
MACHINE = {"device": "a processor", "cores": 2, "torch": "2.14"}


def row(name: str, label: str | None = None, value: float | None = None) -> Row:
    return Row(name, label or name, name, None, (), value)


def table(*rows: Row, name: str = "table2", **changes: Any) -> Spec:
    given = {"title": "Models", "kind": "comparison", "paper_table": None, "metrics": ("hr@10", "ndcg@10")}
    return Spec(name=name, rows=rows, profiles={"smoke": PROFILE}, **{**given, "baseline": None, **changes})


def ranks(seed: int, highest: int, users: int = 60) -> list[float]:
    """Return the rank of each user's target, drawn from 1 to the highest."""
    return np.random.default_rng(seed).integers(1, highest + 1, users).astype(float).tolist()


def finished(folder: Path, of: Row, ranked: Sequence[float], seed: int = 1, **changes: Any) -> Cell:
    """Write the folder of a run whose users have these ranks."""
    run = folder / of.name / f"seed{seed}"
    run.mkdir(parents=True)
    protocol = {"split": "leave_one_out", "candidates": "all", "mask_history": True, "instances": len(ranked)}
    metrics = {name: value.item() for name, value in mean_metrics(torch.tensor(ranked)).items()}
    result = {
        "dataset": "shop", "model": of.name, "seed": seed, "metrics": metrics, "protocol": protocol,
        "data_hash": "0123456789abcdef", "parameters": 1, "training": {"epochs": 4, "seconds": 10.0},
        "peak_memory_mb": {"host": 1500}, "git": {"commit": "fedcba9876543210", "dirty": False}, "machine": MACHINE,
        "finished": "today", **changes,
    }  # fmt: skip
    (run / "result.json").write_text(json.dumps(result))
    users = [f"u{user:02}" for user in range(len(ranked))]
    pl.DataFrame({"user": users, "item": users, "rank": list(ranked)}).write_parquet(run / "test_ranks.parquet")
    return Cell(of, "shop", seed, run)
