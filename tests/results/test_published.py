"""The paper's numbers: equal to the printed ones, and consistent where the paper prints one twice."""

import re
from pathlib import Path

import polars as pl
import pytest

from mmrec.results.published import numbers, reported

IMPROVED = {5: "Base", 6: "No contrast (Base + M + RA + S)"}


def test_every_number_equals_the_papers(real_data: Path) -> None:
    paper = real_data.parent / "paper" / "mm-racl-kal.md"
    if not paper.is_file():
        pytest.skip(f"the paper is not at {paper}")
    tables = re.split(r"^Table (?=\d\. )", paper.read_text(), flags=re.MULTILINE)[1:]
    printed = {}
    for text in tables:
        rows = [line.split("\t") for line in text.splitlines() if "\t" in line][1:]
        cells = [[cell.strip("%").replace(",", "") for cell in row if re.fullmatch(r"[\d.,]+%?", cell)] for row in rows]
        printed[int(text[0])] = [[float(cell) for cell in row] for row in cells]
    assert printed.keys() == {1, 2, 3, 4, 5, 6}
    ours = {table: [list(reported(table, row).values()) for row in rows_of(table)] for table in printed}
    assert ours == printed


def test_rows_have_the_columns_of_their_table() -> None:
    assert numbers().group_by("table").len().sort("table")["len"].to_list() == [6, 35, 35, 24, 9, 11]
    assert not numbers().select("table", "row", "column").is_duplicated().any()


@pytest.mark.parametrize("table", IMPROVED)
def test_improvements_follow_from_the_numbers(table: int) -> None:
    base = reported(table, IMPROVED[table])["ndcg@10"]
    for row in rows_of(table)[1:]:
        figures = reported(table, row)
        assert round(100 * (figures["ndcg@10"] / base - 1), 2) == figures["improvement"], row


def test_a_number_printed_twice_is_the_same() -> None:
    for row in set(rows_of(4)) & set(rows_of(2)):
        assert reported(4, row).items() <= reported(2, row).items()
    full = reported(2, "MM-RACL-KAL")["ndcg@10"]
    assert reported(5, "MM-RACL-KAL")["ndcg@10"] == full
    assert reported(6, "All, L_ii with retrieved hard negatives")["ndcg@10"] == full
    assert reported(6, IMPROVED[6])["ndcg@10"] == reported(5, "Base + M + RA + S")["ndcg@10"]


@pytest.mark.parametrize("table", [2, 3])
def test_metrics_are_in_their_order(table: int) -> None:
    for row in rows_of(table):
        figures = reported(table, row)
        assert figures["mrr"] < figures["ndcg@10"] < figures["ndcg@20"] < figures["hr@10"] < figures["hr@20"] < 1


def rows_of(table: int) -> list[str]:
    return numbers().filter(pl.col("table") == table)["row"].unique(maintain_order=True).to_list()
