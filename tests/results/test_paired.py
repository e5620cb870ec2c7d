import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_rel

from mmrec.errors import UserError
from mmrec.results.load import load_results
from mmrec.results.paired import paired_table
from tests.results.test_compare import save


def save_ranks(folder, model, seed, ranks) -> None:
    run = save(folder, model, seed)
    users = [f"u{place % 30}" for place in range(60)]  # two instances each
    pl.DataFrame({"user": users, "item": users, "rank": ranks}).write_parquet(run / "test_ranks.parquet")


def cells(table, column) -> list[str]:
    return list(table.columns[column].cells)


def test_differences_are_by_user_over_seeds(tmp_path) -> None:
    draw = np.random.default_rng(0)
    ranks = {name: draw.integers(1, 20, 60).astype(float) for name in ("base2", "base1", "other1")}
    save_ranks(tmp_path, "base", 2, ranks["base2"])
    save_ranks(tmp_path, "base", 1, ranks["base1"])
    save_ranks(tmp_path, "other", 1, ranks["other1"])
    save_ranks(tmp_path, "same", 1, ranks["base1"])
    table = paired_table(load_results(tmp_path), "base")
    gains = {name: np.where(r <= 10, 1 / np.log2(r + 1), 0).reshape(2, 30).mean(axis=0) for name, r in ranks.items()}
    base = (gains["base1"] + gains["base2"]) / 2
    assert cells(table, 0) == ["base", "other", "same"]
    assert cells(table, 1) == ["2", "1", "1"]
    assert cells(table, 2)[0] == f"{base.mean():.4f}"
    assert cells(table, 3)[0] == f"{np.std([gains['base1'].mean(), gains['base2'].mean()], ddof=1):.4f}"
    assert cells(table, 4)[1] == f"{gains['other1'].mean() / base.mean() - 1:+.1%}"
    low, high = map(float, cells(table, 5)[1].split())
    assert low < gains["other1"].mean() - base.mean() < high
    p_values = [ttest_rel(gains[name], base).pvalue for name in ("other1", "base1")]
    smaller, larger = sorted(p_values)
    held = {smaller: min(1, 2 * smaller), larger: min(1, max(2 * smaller, larger))}
    assert cells(table, 7) == ["", *(f"{held[p]:.3g}" for p in p_values)]


def test_a_name_that_is_not_there_is_said(tmp_path) -> None:
    save_ranks(tmp_path, "base", 1, [1.0] * 60)
    with pytest.raises(UserError, match="--against sasrec: no such model here, but base"):
        paired_table(load_results(tmp_path), "sasrec")
