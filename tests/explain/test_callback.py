from pathlib import Path

import pytest
from pytorch_lightning import LightningModule, Trainer

from mmrec.explain.callback import ExplainRecommendations


@pytest.mark.parametrize("cut", [{"fast_dev_run": True}, {"limit_test_batches": 1}, {"limit_test_batches": 0.5}])
def test_a_test_that_is_cut_short_keeps_the_explanations_of_the_run(cut: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "explanations.jsonl"
    file.write_text("of the whole test")
    trainer = Trainer(logger=False, default_root_dir=tmp_path, accelerator="cpu", **cut)
    trainer.datamodule = None
    ExplainRecommendations().on_test_end(trainer, LightningModule())
    assert file.read_text() == "of the whole test"
