from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrec.reproduce.collect import collect
from mmrec.reproduce.columns import column
from mmrec.reproduce.figures import draw, intervals
from mmrec.reproduce.render import render
from tests.reproduce.runs import PROFILE, finished, ranks, row, table


def test_a_figure_is_written_twice_and_the_same_each_time(tmp_path: Path) -> None:
    rows = [row("full", "a <b> & c"), row("less")]
    spec = table(*rows, name="figure2", metrics=("ndcg@10",))
    cells = [finished(tmp_path, of, ranks(number, 9)) for number, of in enumerate(rows)]
    first = {file.name: file.read_bytes() for file in render(spec, PROFILE, cells, tmp_path / "out")}
    again = {file.name: file.read_bytes() for file in render(spec, PROFILE, cells, tmp_path / "out")}
    assert first.keys() == {f"figure2.{ending}" for ending in ("md", "csv", "tex", "png", "svg")}
    assert first == again
    assert b"a &lt;b&gt; &amp; c" in first["figure2.svg"]
    assert b"data hash 0123456789ab" in first["figure2.svg"]


def test_a_sweep_is_a_curve_over_its_values(tmp_path: Path) -> None:
    rows = [row("k20", "K = 20", 20), row("k5", "K = 5", 5), row("k50", "K = 50", 50)]
    spec = table(*rows, name="figure3", kind="sweep", metrics=("ndcg@10",))
    cells = [finished(tmp_path, of, ranks(seed, 9), seed) for of in rows[:2] for seed in (1, 2)]
    figure = draw(spec, collect(spec, cells)["shop"], "")
    assert figure is not None
    curve = figure.axes[0].lines[0]
    assert list(curve.get_xdata()) == [5, 20]  # in order, without the row that has not been run
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["K = 5", "K = 20"]


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_error_bars_are_over_seeds_or_else_over_users(seeds: tuple[int, ...], tmp_path: Path) -> None:
    one = row("one")
    cells = [finished(tmp_path, one, ranks(seed, 15), seed) for seed in seeds]
    models = list(collect(table(one), cells)["shop"].values())
    ends = intervals(models, column("ndcg@10"))[0]
    assert ends is not None
    drawn = [ranks(seed, 15) for seed in seeds]
    gains = [np.where(np.array(r) <= 10, 1 / np.log2(np.array(r) + 1), 0) for r in drawn]
    means = [values.mean() for values in gains]
    half = np.std(means, ddof=1) if len(seeds) > 1 else 1.96 * gains[0].std(ddof=1) / np.sqrt(60)
    assert ends == pytest.approx((np.mean(means) - half, np.mean(means) + half), abs=0.01 if len(seeds) == 1 else 1e-6)
    assert intervals(models, column("memory_mb"))[0] == (None if len(seeds) == 1 else (1500, 1500))


def test_an_interval_over_users_surrounds_the_mean_that_is_drawn(tmp_path: Path) -> None:
    one = row("one")
    # The first 20 of 40 users have nine instances each, all hits; each of the others has one miss.
    cell = finished(tmp_path, one, [1.0] * 180 + [99.0] * 20)
    users = [f"u{place % 20}" for place in range(180)] + [f"v{place}" for place in range(20)]
    ranks_file = cell.folder / "test_ranks.parquet"
    pl.read_parquet(ranks_file).with_columns(user=pl.Series(users)).write_parquet(ranks_file)
    models = list(collect(table(one), [cell])["shop"].values())
    low, high = intervals(models, column("hr@10"))[0] or (0, 0)
    assert low < 0.9 < high < 1
    assert models[0].mean(column("hr@10")) == pytest.approx(0.9)
