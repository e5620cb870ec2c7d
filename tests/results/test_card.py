"""The model card of a run."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from mmrec.metrics.ranking import rank_metrics
from mmrec.results.card import write_card

RESULT = {
    "class": "SASRec",
    "dataset": "a|b",
    "model": "sasrec",
    "seed": 2,
    "data_hash": "0123456789abcdef",
    "parameters": 12_345,
    "metrics": {"ndcg@10": 0.25},
    "protocol": {"split": "leave_one_out", "candidates": "all", "mask_history": True, "instances": 400},
    "training": {"epochs": 3, "seconds": 1.5, "best_epoch": 2},
    "slices": {"cold": {"instances": 4, "ndcg@10": 0.125}, "unseen": {"instances": 0, "ndcg@10": None}},
    "hyperparameters": {"lr": 0.001, "text": True},
}


def test_a_run_without_a_result_has_no_card(tmp_path: Path) -> None:
    assert write_card(tmp_path) is None


def test_the_card_names_data_protocol_metrics_options_and_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "sasrec" / "seed2"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(RESULT))
    file = write_card(folder)
    assert file is not None
    card = file.read_text()
    for part in (
        "# sasrec on a\\|b, seed 2",
        "| data hash | 0123456789abcdef |",
        "400 test instances, split leave one out, full ranking, history removed",
        "| ndcg@10 | 0.2500 |  |",
        "| cold | 4 | 0.1250 |",
        "| text | true |",
        f"lightning fit --config {folder}/config.yaml",
    ):
        assert part in card
    assert "unseen" not in card


def test_intervals_treat_the_instances_of_a_user_as_one_draw(tmp_path: Path) -> None:
    folder = tmp_path / "sasrec" / "seed2"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(RESULT))
    generator = np.random.default_rng(0)
    own = generator.integers(1, 30, 400)
    users = np.repeat([f"u{i}" for i in range(400)], 4)
    pl.DataFrame({"user": users, "item": users, "rank": np.repeat(own, 4).astype(float)}).write_parquet(
        folder / "test_ranks.parquet"
    )
    values = rank_metrics(pl.Series(own.astype(float)).to_torch())["ndcg@10"].numpy()
    half = 1.96 * values.std(ddof=1) / 20  # of 400 users, however often each was tested
    card = write_card(folder)
    assert card is not None
    assert f"{values.mean() - half:.4f} to {values.mean() + half:.4f}" in card.read_text()
