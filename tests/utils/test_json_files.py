from pathlib import Path
from typing import Any

import pytest

from mmrec.errors import UserError
from mmrec.utils.json_files import mismatch, read_json, read_json_lines, unknown_key

SHAPE = {"name": str, "seeds": [int], "scores": ({str: (float, None)}, None), "dirty": bool, "more": ({str: Any}, None)}
FITS = {"name": "a", "seeds": [1, 2], "scores": {"x": 0.5, "y": None, "z": 3}, "dirty": False, "other": object()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"scores": None, "more": {"any": object()}}, None),
        ({"name": None}, "name must be a text"),
        ({"seeds": [1, True]}, "seeds[1] must be a whole number"),
        ({"seeds": {}}, "seeds must be a list"),
        ({"scores": {"x": float("nan")}}, "scores.x must be a finite number"),
        ({"scores": {"x": True}}, "scores.x must be a finite number"),
        ({"scores": [1]}, "scores must be a mapping"),
        ({"dirty": 1}, "dirty must be true or false"),
    ],
)
def test_the_first_value_of_another_shape_is_named(change: dict[str, object], words: str | None) -> None:
    assert mismatch({**FITS, **change}, SHAPE) == words


def test_the_first_unknown_key_is_named_with_its_place() -> None:
    shape = {"rows": ([{"name": str}], None), "options": {str: Any}}
    assert unknown_key({"rows": [{"name": 1}], "options": {"anything": {"at": "all"}}}, shape) is None
    words = "rows[1].colour is not a key here; the keys are name"
    assert unknown_key({"rows": [{"name": "a"}, {"colour": 1}]}, shape) == words
    assert unknown_key({"row": 1}, shape) == "row is not a key here; the keys are options, rows"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"{} {}"])
def test_a_file_that_is_not_json_is_named_with_advice(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json: .*; make it again$"):
        read_json(file, {}, "make it again")


def test_a_torn_line_is_named_by_its_number_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"name": "a"}\n\n{"name": "b"}\n')
    assert [row["name"] for row in read_json_lines(file, {"name": str}, "")] == ["a", "b"]
    file.write_text('{"name": "a"}\n{"na')
    with pytest.raises(UserError, match=r"a\.jsonl:2: not valid JSON"):
        read_json_lines(file, {"name": str}, "")
