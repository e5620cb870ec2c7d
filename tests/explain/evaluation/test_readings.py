import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest

from mmrec.errors import UserError
from mmrec.explain import Packet
from mmrec.explain.evaluation.readings import make, tally

KEY = "id,writer\n1A,new\n1B,old\n2A,old\n2B,new\n"


def reading(file: Path, best: tuple[str, str], ratings: str = "5,4,3") -> Path:
    rows = [f"{name},{ratings},{'x' if name in best else ''},{file.stem}" for name in ("1A", "1B", "2A", "2B")]
    file.write_text("# note\nid,truth,use,tone,best,reader\n" + "\n".join(rows) + "\n")
    return file


def test_ratings_preference_and_agreement(tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    key.write_text(KEY)
    files = [
        reading(tmp_path / "a.csv", ("1A", "2B")), reading(tmp_path / "b.csv", ("1A", "2A"), "3,2,1"),
        reading(tmp_path / "c.csv", ("1A", "2B")),
    ]  # fmt: skip
    counted = tally(key, files)
    assert (counted.readers, counted.pairs, counted.majority) == (3, 2, 1)
    assert counted.preferred == pytest.approx(5 / 6)
    assert counted.agreement == pytest.approx(4 / 6)
    assert counted.means["new"] == pytest.approx({"truth": 13 / 3, "use": 10 / 3, "tone": 7 / 3})
    expected = (5 / 6) ** 2 + (1 / 6) ** 2
    assert counted.kappa == pytest.approx((4 / 6 - expected) / (1 - expected))
    assert math.isnan(tally(key, files[:1]).kappa)


def test_incomplete_readings_are_named(tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    key.write_text(KEY)
    with pytest.raises(UserError, match=r"pair 1 has two best"):
        tally(key, [reading(tmp_path / "a.csv", ("1A", "1B"))])
    with pytest.raises(UserError, match="no text is marked"):
        tally(key, [reading(tmp_path / "a.csv", ("", ""))])


def test_a_sheet_of_two_versions_hides_which_is_which(tmp_path: Path) -> None:
    packet = asdict(Packet("Hat", {"brand": ["Miro"]}))
    for name, file, pairs in (("new", "facts.jsonl", 4), ("old", "template.jsonl", 4), ("other", "template.jsonl", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sample.json").write_text(json.dumps({"pairs": list(range(pairs))}))
        rows = [json.dumps({"text": f"{name[0]}-{place}.", "packet": packet}) for place in range(pairs)]
        (tmp_path / name / file).write_text("\n".join(rows))
    make(tmp_path / "sheet", [tmp_path / "new"], [tmp_path / "old"], 2)
    sheet = (tmp_path / "sheet" / "sheet.csv").read_text()
    assert all(text in sheet for text in ("n-0.", "o-0.", "n-2.", "o-2."))
    assert "new" not in sheet.replace("News", "")
    with pytest.raises(UserError, match="different samples"):
        make(tmp_path / "sheet", [tmp_path / "new"], [tmp_path / "other"], 2)
