from pathlib import Path

import polars as pl
import pytest

from mmrec.cli.main import main
from mmrec.report.images import Shelf
from mmrec.results.table import Cell
from mmrec.utils.suggest import did_you_mean
from mmrec.utils.text import visible

HOSTILE = "Red\x1b[31m \u202etee\u200b\x07\nhat"


def test_foreign_text_has_no_character_that_steers_or_hides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert visible(HOSTILE) == "Red[31m tee hat"
    assert Cell(HOSTILE, HOSTILE) == Cell("Red[31m tee hat", "Red[31m tee hat")
    items = pl.DataFrame({"raw_id": [None, "a"], "title": [None, HOSTILE], "image": [None, None]})
    items.cast(pl.String).write_parquet(tmp_path / "items.parquet")
    assert Shelf(tmp_path / "items.parquet").title("a") == "Red[31m tee hat"
    with pytest.raises(SystemExit):
        main(["compare", HOSTILE])
    assert "\x1b" not in capsys.readouterr().err


def test_the_name_that_was_meant() -> None:
    assert did_you_mean("Sasrecc", ["ease", "sasrec"]) == " (did you mean sasrec?)"
    assert did_you_mean("x", ["ease", "sasrec"]) == ""
