"""Reading of `explanations.jsonl`, see the package: one reader for everything that shows explanations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmrec.utils.json_files import read_json_lines

FACTS = {str: [str]}
SHAPE = {
    "user": str,
    "item": str,
    "rank": int,
    "score": (float, None),
    "text": (str, None),
    "source": str,
    "cause": (str, None),
    "reason": (str, None),
    "model": (str, None),
    "history": ([str], None),
    "sentences": ([{"text": str, "statements": [str], "spans": [[(int, str)]]}], None),
    "statements": ([{"id": str, "text": str, "name": str, "value": str}], None),
    "packet": {
        "title": str, "facts": FACTS, "history": [{"title": str, "shared": FACTS}], "signals": {str: float},
    },
}  # fmt: skip
"""The parts of a row that are shown; a row has more, see `mmrec.explain`."""
AGAIN = "run `lightning test` again, or move the file away"


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of explanations.

    Raises:
        UserError: the file is missing or damaged, or a row has another form; the message names the line.
    """
    return read_json_lines(file, SHAPE, AGAIN)
