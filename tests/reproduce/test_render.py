from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_rel

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.reproduce.render import render, render_statistics
from mmrec.reproduce.spec import Cell, Spec
from tests.reproduce.runs import PROFILE, finished, ranks, row, table

MARKDOWN = """\
# Table 2

## Models, shop

| model | seeds | HR@10 | NDCG@10 |
| --- | ---: | ---: | ---: |
| Base | 1 | 0.5000 | 0.2500 |
| A\\_b & \\<c>‡ | 2 | **1.0000 ± 0.0000** | **0.8155 ± 0.2610**\\* |
| half | 1 | <ins>0.7500</ins> | <ins>0.3750</ins> |
| later | 0 | - | - |

Mean ± standard deviation over seeds where there are several. Best of a column bold, second underlined. \
-: not run, or without this measure.

\\* significantly different from Base in NDCG@10: paired t-test over users, p \\< 0.05 after Holm's correction for 2 \
comparisons.

‡ from code with uncommitted changes, or of unknown version.

dataset: shop, data hash 0123456789ab; protocol: leave\\_one\\_out, 8 test instances; candidates: all items (full \
ranking); seen items: removed from the ranking; seeds: 1, 2; code: fedcba987654, aaaa with uncommitted changes; \
machine: a processor (2 cores, torch 2.14); profile: smoke (trainer.max\\_epochs 3)

## NDCG@10 against Base, shop
"""
LATEX = r"""
\begin{table}[t]
\centering
\caption{Models, shop}
\label{tab:table2_shop}
\begin{tabular}{lrrr}
\toprule
model & seeds & HR@10 & NDCG@10 \\
\midrule
Base & 1 & 0.5000 & 0.2500 \\
A\_b \& \textless{}c\textgreater{}\textsuperscript{\ddag{}} & 2 & \textbf{1.0000 $\pm$ 0.0000} & \textbf{0.8155 $\pm$ 0.2610}\textsuperscript{*} \\
half & 1 & \underline{0.7500} & \underline{0.3750} \\
later & 0 & - & - \\
\bottomrule
\end{tabular}
"""  # noqa: E501


def small(folder: Path) -> tuple[Spec, list[Cell]]:
    """Return a table with two seeds, a sign of each kind, and a row that has not been run."""
    rows = [row("base", "Base"), row("other", "A_b & <c>"), row("half"), row("later")]
    cells = [
        finished(folder, rows[0], [3, 20, 3, 20, 3, 20, 3, 20]),
        finished(folder, rows[1], [1] * 8),
        finished(folder, rows[1], [2] * 8, seed=2, git={"commit": "aaaa", "dirty": True}),
        finished(folder, rows[2], [3, 20, 3, 20, 3, 3, 3, 3]),
    ]
    return table(*rows, baseline="base"), cells


def test_markdown_and_latex_of_a_small_table(tmp_path: Path) -> None:
    spec, cells = small(tmp_path)
    files = render(spec, PROFILE, cells, tmp_path / "out")
    assert [file.name for file in files] == ["table2.md", "table2.csv", "table2.tex"]
    assert files[0].read_text().startswith(MARKDOWN)
    assert LATEX in files[2].read_text()


def test_numbers_of_the_csv_are_unrounded_and_equal_those_of_scipy(tmp_path: Path) -> None:
    base, other = row("base"), row("other")
    ranked = {(of.name, seed): ranks(seed + 5 * (of is base), 15) for of in (base, other) for seed in (1, 2, 3)}
    cells = [finished(tmp_path, of, ranked[of.name, seed], seed) for of in (base, other) for seed in (1, 2, 3)]
    render(table(base, other, baseline="base"), PROFILE, cells, tmp_path / "out")
    gains = {key: np.where(np.array(r) <= 10, 1 / np.log2(np.array(r) + 1), 0) for key, r in ranked.items()}
    of_row = {name: np.stack([gains[name, seed] for seed in (1, 2, 3)]) for name in ("base", "other")}
    line = pl.read_csv(tmp_path / "out/table2.csv").row(
        by_predicate=(pl.col("row") == "other") & (pl.col("column") == "ndcg@10"), named=True
    )
    assert line["seeds"] == 3
    assert line["mean"] == pytest.approx(of_row["other"].mean())
    assert line["deviation"] == pytest.approx(of_row["other"].mean(axis=1).std(ddof=1))
    assert line["difference"] == pytest.approx(of_row["other"].mean() - of_row["base"].mean())
    assert line["p_holm"] == pytest.approx(ttest_rel(of_row["other"].mean(0), of_row["base"].mean(0)).pvalue)
    assert line["p_over_runs"] == pytest.approx(
        ttest_rel(of_row["other"].mean(1), of_row["base"].mean(1)).pvalue, rel=1e-4
    )


@pytest.mark.parametrize("comparisons", [1, 30])
def test_only_corrected_p_values_are_called_significant(comparisons: int, tmp_path: Path) -> None:
    base, others = row("base"), [row(f"m{number}") for number in range(comparisons)]
    better = [1.0 if user % 12 == 0 else 3.0 for user in range(60)]  # p about .02
    cells = [finished(tmp_path, base, [3.0] * 60)] + [finished(tmp_path, other, better) for other in others]
    files = render(table(base, *others, baseline="base"), PROFILE, cells, tmp_path / "out")
    text = files[0].read_text() + files[2].read_text()
    assert ("significant" in text) == (comparisons == 1)
    assert ("\\*" in text) == ("textsuperscript{*}" in text) == (comparisons == 1)


def test_the_papers_numbers_are_shown_next_to_ours(tmp_path: Path) -> None:
    rows = [row("base", "Base"), row("base_m", "Base + M"), row("own", "our own")]
    cells = [finished(tmp_path, of, ranks(number, 20)) for number, of in enumerate(rows)]
    spec = table(*rows, metrics=("ndcg@10", "mrr"), paper_table=5, baseline="base")
    lines = render(spec, PROFILE, cells, tmp_path / "out")[0].read_text().splitlines()
    assert "| model | seeds | NDCG@10 | reported | MRR |" in lines
    table_of = {line.split(" | ")[0]: line.split(" | ") for line in lines if line.startswith("| ")}
    assert next(line.split(" | ")[3] for line in lines if line.startswith("| Base + M ")) == "0.2956"
    assert table_of["| Base + M"][-1] == "+5.1% |"  # in the table of differences
    assert table_of["| our own"][-1].strip("| ") == ""


@pytest.mark.parametrize(
    "change",
    [
        {"data_hash": "other"},
        {"protocol": {"split": "ratio", "candidates": "all", "mask_history": True, "instances": 60}},
    ],
)
def test_runs_of_other_data_or_protocol_are_refused_by_name(change: dict[str, object], tmp_path: Path) -> None:
    one, other = row("one"), row("other")
    cells = [finished(tmp_path, one, ranks(1, 5)), finished(tmp_path, other, ranks(1, 5), **change)]
    words = r"other/seed1/result\.json and .*one/seed1/result\.json differ in "
    with pytest.raises(UserError, match=words + next(iter(change))):
        render(table(one, other), PROFILE, cells, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_without_finished_runs_or_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="table2: no run of profile smoke has finished"):
        render(table(row("one")), PROFILE, [], tmp_path)
    cells = [finished(tmp_path, row("one"), ranks(1, 5))]
    with pytest.raises(UserError, match=r"one/seed1/result\.json has no coverage@10: run `lightning test`"):
        render(table(row("one"), metrics=("coverage@10",)), PROFILE, cells, tmp_path)


def test_statistics_are_those_of_the_manifests(toy: RecDataModule, tmp_path: Path) -> None:
    spec = table(name="table1", kind="statistics", paper_table=1, metrics=("users", "items", "interactions"))
    render_statistics(spec, PROFILE, [toy.catalog.manifest], tmp_path)
    counts = pl.read_csv(tmp_path / "table1.csv").select("column", "value").rows()
    assert dict(counts) == {"users": 800, "items": toy.n_items - 1, "interactions": len(toy.catalog.items)}
    assert f"| toy | 800 | {toy.n_items - 1} | {len(toy.catalog.items):,} |" in (tmp_path / "table1.md").read_text()
