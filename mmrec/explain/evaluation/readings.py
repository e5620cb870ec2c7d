"""Blind readings: a sheet with two versions of each text, and the tally of what the readers wrote.

`python -m mmrec.explain.evaluation.readings make OUT --new FOLDER ... --old FOLDER ... --pairs 10` writes the sheet
from folders of `mmrec explain evaluate` on the same runs and samples, one of the new version and one of the old for
each data set. `tally KEY READINGS ...` prints ratings, preference and agreement of the readers' files.
"""

from __future__ import annotations

import csv
import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from mmrec.errors import UserError
from mmrec.explain.evaluation.sheet import BEST, QUESTIONS, write_sheet
from mmrec.explain.packet import HistoryItem, Packet
from mmrec.utils.json_files import read_json, read_json_lines

NEW, OLD = "new", "old"
AGAIN = "run `mmrec explain evaluate` again"


@dataclass(frozen=True)
class Tally:
    """What the readers wrote.

    Args:
        readers: number of readers.
        pairs: number of pairs that all of them read.
        means: writer to the mean rating of each question.
        preferred: share of (reader, pair) in which the new text is the best one.
        majority: share of pairs in which most readers prefer the new text.
        agreement: share of pairs of readers that prefer the same text.
        kappa: Fleiss' kappa of the preference (Fleiss, 1971); NaN if all readers prefer one writer everywhere.
    """

    readers: int
    pairs: int
    means: Mapping[str, Mapping[str, float]]
    preferred: float
    majority: float
    agreement: float
    kappa: float


def make(folder: Path, new: Sequence[Path], old: Sequence[Path], pairs: int) -> None:
    """Write a sheet with the new and the old text of some pairs of each data set.

    Raises:
        UserError: two folders are of different samples, or an old folder is missing for a new one.
    """
    if len(new) != len(old):
        raise UserError(f"{len(new)} new and {len(old)} old folders: give one old folder for each new one")
    packets: list[Packet] = []
    texts: dict[str, list[str]] = {NEW: [], OLD: []}
    for ours, theirs in zip(new, old, strict=True):
        samples = [read_json(path / "sample.json", {"pairs": [Any]}, AGAIN)["pairs"] for path in (ours, theirs)]
        if samples[0] != samples[1]:
            raise UserError(f"{ours} and {theirs}: different samples; use the same run, --pairs and --seed")
        rows = _rows(ours / "facts.jsonl")
        step = max(len(rows) // pairs, 1)
        chosen = range(0, len(rows), step)[:pairs]
        before = _rows(theirs / "template.jsonl")
        for place in chosen:
            saved = rows[place]["packet"]
            assert isinstance(saved, dict)
            packets.append(Packet(**{**saved, "history": [HistoryItem(**item) for item in saved["history"]]}))
            texts[NEW].append(str(rows[place]["text"]))
            texts[OLD].append(str(before[place]["text"]))
    write_sheet(folder, packets, texts)


def tally(key: Path, readings: Sequence[Path]) -> Tally:
    """Count the readings.

    Args:
        key: `sheet_key.csv`.
        readings: one CSV file per reader, as `sheet.html` saves it or as `sheet.csv` is filled in.

    Raises:
        UserError: a reader's file has no ratings or does not name one best text for each pair it has.
    """
    writers = {row["id"]: row["writer"] for row in _table(key)}
    sums: dict[str, dict[str, list[float]]] = {w: {q: [] for q in QUESTIONS} for w in sorted(set(writers.values()))}
    choices: list[dict[str, str]] = []
    for file in readings:
        best: dict[str, str] = {}
        for row in _table(file):
            if row.get("id") not in writers:
                continue
            writer = writers[row["id"]]
            for question in QUESTIONS:
                if (row.get(question) or "").strip():
                    sums[writer][question].append(float(row[question]))
            if (row.get(BEST) or "").strip():
                pair = row["id"][:-1]
                if pair in best:
                    raise UserError(f"{file}: pair {pair} has two best texts; mark one")
                best[pair] = writer
        if not best:
            raise UserError(f"{file}: no text is marked as the best one; fill in the column {BEST}")
        choices.append(best)
    common = sorted(set.intersection(*(set(best) for best in choices)))
    votes = [[best[pair] == NEW for best in choices] for pair in common]
    return Tally(
        readers=len(choices),
        pairs=len(common),
        means={w: {q: sum(v) / len(v) for q, v in of.items() if v} for w, of in sums.items()},
        preferred=sum(sum(vote) for vote in votes) / sum(len(vote) for vote in votes) if votes else float("nan"),
        majority=sum(2 * sum(vote) > len(vote) for vote in votes) / len(votes) if votes else float("nan"),
        agreement=_agreement(votes),
        kappa=_kappa(votes),
    )


def _agreement(votes: Sequence[Sequence[bool]]) -> float:
    """Return the share of pairs of readers that agree, over all texts; NaN for one reader."""
    same = [a == b for vote in votes for a, b in combinations(vote, 2)]
    return sum(same) / len(same) if same else float("nan")


def _kappa(votes: Sequence[Sequence[bool]]) -> float:
    """Return Fleiss' kappa of yes-no votes."""
    total = sum(len(vote) for vote in votes)
    share = sum(sum(vote) for vote in votes) / total if total else 0.0
    expected = share**2 + (1 - share) ** 2
    return (_agreement(votes) - expected) / (1 - expected) if expected < 1 else float("nan")


def _rows(file: Path) -> list[dict[str, object]]:
    return read_json_lines(file, {"text": str, "packet": {str: Any}}, AGAIN)


def _table(file: Path) -> list[dict[str, str]]:
    """Read a CSV file; lines that begin with # are notes."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines(keepends=True) if not line.startswith("#")]
    return list(csv.DictReader(lines))


def main() -> None:
    """Make a sheet or count readings."""
    parser = ArgumentParser(prog="python -m mmrec.explain.evaluation.readings", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="write a sheet")
    making.add_argument("out", type=Path)
    making.add_argument("--new", type=Path, nargs="+", required=True, help="folders of this version's evaluations")
    making.add_argument("--old", type=Path, nargs="+", required=True, help="folders of the old version's evaluations")
    making.add_argument("--pairs", type=int, default=10, help="pairs of each data set")
    counting = commands.add_parser("tally", help="count readings")
    counting.add_argument("key", type=Path, help="sheet_key.csv")
    counting.add_argument("readings", type=Path, nargs="+", help="one CSV file per reader")
    options = parser.parse_args()
    if options.command == "make":
        make(options.out, options.new, options.old, options.pairs)
        print(f"written to {options.out}")
    else:
        print(json.dumps(vars(tally(options.key, options.readings)), indent=1))


if __name__ == "__main__":
    main()
