import json
from dataclasses import replace
from pathlib import Path

import pytest

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.models.popularity import Popularity
from mmrec.reproduce.latency import REQUESTS, WARM_UP, latency_ms
from mmrec.results.load import read_run
from tests.training.test_save_results import FOLDER, result_of


def test_latency_is_measured_on_single_requests_and_once_per_test(
    toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_of(toy, tmp_path, monkeypatch)
    run = read_run(FOLDER / "result.json")
    asked = []
    recommend = Popularity.recommend
    monkeypatch.setattr(
        Popularity,
        "recommend",
        lambda self, batch, k: (asked.append((len(batch.user), k)), recommend(self, batch, k))[1],
    )
    measured = latency_ms(run)
    assert 0 < measured < 1000
    assert asked == [(1, 10)] * (WARM_UP + REQUESTS)
    assert latency_ms(run) == measured
    assert len(asked) == WARM_UP + REQUESTS
    made = json.loads((FOLDER / "latency.json").read_text())
    assert made["p95_ms"] >= made["median_ms"]
    latency_ms(replace(run, result={**run.result, "finished": "later"}))
    assert len(asked) == 2 * (WARM_UP + REQUESTS)
    (FOLDER / "latency.json").write_text('{"median_ms": "fast"}')
    with pytest.raises(UserError, match=r"latency\.json: median_ms must be a finite number; remove it"):
        latency_ms(run)
