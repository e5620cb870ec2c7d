"""What a test leaves in `result.json` beside the metrics over all instances."""

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from mmrec.cli import main
from mmrec.data.datamodule import RecDataModule

FOLDER = Path("runs/toy/popularity/seed1")


@pytest.mark.parametrize("suffix", ["", "_uniform100"])
def test_slices_follow_from_the_ranks_and_the_dataset(
    suffix: str, toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    candidates = suffix.removeprefix("_") or "all"
    main(
        ["test", "--config", "lightning_configs/run/toy_popularity.yaml", "--data.root", str(toy.root),
         "--data.source.init_args.path", toy.source.path, "--data.candidates", candidates]
    )  # fmt: skip
    written = json.loads((FOLDER / f"result{suffix}.json").read_text())
    counts = Counter(toy.catalog.train.items.tolist())
    trained_on = [counts[item] for item in range(toy.n_items)]
    items = toy.catalog.item_table.select("raw_id", "image", trained_on=pl.Series(trained_on))
    table = pl.read_parquet(FOLDER / f"test_ranks{suffix}.parquet").join(items, left_on="item", right_on="raw_id")
    expected = {
        "cold": table.filter(pl.col("trained_on") < 20),
        "image_present": table.filter(pl.col("image").is_not_null()),
    }
    for name, rows in expected.items():
        found = written["slices"][name]
        assert found["instances"] == rows.height
        assert found[f"mrr{suffix}"] == pytest.approx((1 / rows["rank"]).mean(), abs=1e-6)
        assert found.keys() == {"instances", *written["metrics"]}
    assert 0 < expected["cold"].height < table.height  # or the test would show nothing
    assert written["slices"]["neither"] == {"instances": 0, **dict.fromkeys(written["metrics"])}
