"""What a test leaves in `result.json` in addition to the metrics over all instances."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch

from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.models.popularity import Popularity
from mmrec.training.callbacks.save_results import SaveResults

FOLDER = Path("runs/toy/popularity/seed1")


def result_of(toy: RecDataModule, folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str = "") -> dict[str, Any]:
    """Test the popularity model in a folder and return its result."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    candidates = suffix.removeprefix("_") or "all"
    main(
        ["test", "--data", "toy", "--model", "popularity", "--data.root", str(toy.root),
         "--data.source.init_args.path", toy.source.path, "--data.candidates", candidates]
    )  # fmt: skip
    return json.loads((FOLDER / f"result{suffix}.json").read_text())


@pytest.mark.parametrize("suffix", ["", "_uniform100"])
def test_slices_follow_from_the_ranks_and_the_dataset(
    suffix: str, toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = result_of(toy, tmp_path, monkeypatch, suffix)
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


def test_beyond_accuracy_is_of_the_lists_that_recommend_gives(
    toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures = result_of(toy, tmp_path, monkeypatch)["beyond_accuracy"]
    model = Popularity(toy.n_items)
    model.attach(toy.catalog, None)
    shown = torch.cat([model.recommend(batch, 10)[1] for batch in toy.test_dataloader()])
    assert measures["coverage@10"] == pytest.approx(len(shown.unique()) / (toy.n_items - 1), abs=1e-6)
    share = toy.catalog.train.popularity[shown] / len(toy.catalog.train.items)
    assert measures["novelty@10"] == pytest.approx(-share.log2().mean().item(), abs=1e-5)
    assert measures["text_diversity@10"] is None
    assert result_of(toy, tmp_path, monkeypatch, "_uniform100")["beyond_accuracy"] is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"epochs": 2}', '{"epochs": 2, "seconds": "two"}'])
def test_a_damaged_training_file_ends_in_one_line(
    content: str, toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(content)
    monkeypatch.setattr(Popularity, "trains_on", "windows")  # a model without training has no such file
    with pytest.raises(UserError, match=r"training\.json: .*; fit again$"):
        SaveResults()._training(folder, Popularity(toy.n_items))


@pytest.mark.parametrize("of_result", [True, False])
def test_a_checkpoint_removes_earlier_results_and_no_file_of_the_user(of_result: bool, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"data_hash": "abc123"}')
    (tmp_path / "README.md").write_text("a card of abc123" if of_result else "the user's own page")
    for name in ("result_seen_history_kept.json", "test_ranks.parquet", "training.json", "result_2024.json"):
        (tmp_path / name).touch()
    callback = SaveResults()
    trainer = SimpleNamespace(is_global_zero=True, default_root_dir=tmp_path)
    callback.on_save_checkpoint(trainer, Popularity(2), {})  # not in a fit
    assert (tmp_path / "result.json").is_file()
    callback.on_train_start(trainer, Popularity(2))
    callback.on_save_checkpoint(trainer, Popularity(2), {})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"result_2024.json", *([] if of_result else ["README.md"])}
