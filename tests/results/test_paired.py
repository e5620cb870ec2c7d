import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_rel

from mmrec.errors import UserError
from mmrec.results.aggregate import boards
from mmrec.results.load import find_runs
from mmrec.results.paired import compare_users, differences_table, p_of_runs
from mmrec.results.table import Table
from tests.results.test_compare import save


def save_ranks(folder, model, seed, ranks) -> None:
    run = save(folder, model, seed)
    users = [f"u{place % 30}" for place in range(60)]  # two instances each
    pl.DataFrame({"user": users, "item": users, "rank": ranks}).write_parquet(run / "test_ranks.parquet")


def differences(folder) -> Table:
    models = {model.name: model for model in boards(find_runs(folder).runs)[0].models}
    models = {name: models[name] for name in sorted(models)}
    return differences_table("", models, compare_users(models, "base", "ndcg@10"), "ndcg@10")


def cells(table, column) -> list[str]:
    return [row[column].text for row in table.rows]


def test_differences_are_by_user_over_seeds(tmp_path) -> None:
    draw = np.random.default_rng(0)
    ranks = {name: draw.integers(1, 20, 60).astype(float) for name in ("base2", "base1", "other1")}
    save_ranks(tmp_path, "base", 2, ranks["base2"])
    save_ranks(tmp_path, "base", 1, ranks["base1"])
    save_ranks(tmp_path, "other", 1, ranks["other1"])
    save_ranks(tmp_path, "same", 1, ranks["base1"])
    table = differences(tmp_path)
    gains = {name: np.where(r <= 10, 1 / np.log2(r + 1), 0).reshape(2, 30).mean(axis=0) for name, r in ranks.items()}
    base = (gains["base1"] + gains["base2"]) / 2
    assert cells(table, 0) == ["base", "other", "same"]
    assert cells(table, 1) == ["2", "1", "1"]
    assert cells(table, 2)[0] == f"{base.mean():.4f}"
    assert table.rows[0][2].spread == f"{np.std([gains['base1'].mean(), gains['base2'].mean()], ddof=1):.4f}"
    assert cells(table, 3)[1] == f"{gains['other1'].mean() / base.mean() - 1:+.1%}"
    low, high = map(float, cells(table, 4)[1].split())
    assert low < gains["other1"].mean() - base.mean() < high
    p_values = [ttest_rel(gains[name], base).pvalue for name in ("other1", "base1")]
    smaller, larger = sorted(p_values)
    held = {smaller: min(1, 2 * smaller), larger: min(1, max(2 * smaller, larger))}
    assert cells(table, 6) == ["", *(f"{held[p]:.3g}" for p in p_values)]


def test_runs_on_other_users_are_not_compared(tmp_path) -> None:
    save_ranks(tmp_path, "base", 1, [1.0] * 60)
    save(tmp_path, "other")
    with pytest.raises(UserError, match="were tested on different users: run one of them again"):
        differences(tmp_path)


def test_seeds_that_change_nothing_have_no_p() -> None:
    assert p_of_runs({1: 0.3, 2: 0.3}, {1: 0.1, 2: 0.1}) is None  # neither model is trained
    assert p_of_runs({1: 0.3, 2: 0.4}, {1: 0.1}) is None
    assert p_of_runs({1: 0.13, 2: 0.14}, {1: 0.11, 2: 0.12}) is None  # the same but for rounding
    assert 0 < p_of_runs({1: 0.3, 2: 0.4}, {1: 0.1, 2: 0.1}) < 1
