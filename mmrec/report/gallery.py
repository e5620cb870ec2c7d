"""Users, what they had, what each model recommends them, and why: from the `explanations.jsonl` of the runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.errors import UserError
from mmrec.report.marks import Piece, marked, packet_of
from mmrec.report.pictures import Shelf, find_items
from mmrec.results.aggregate import Board, Model, Run
from mmrec.results.load import read_ranks

MODELS = 6
"""Models beside one another; those that rank best, so that a page of many stays small."""
LIST = 6
"""Items shown of a recommended list."""


@dataclass(frozen=True)
class Item:
    """An item as it is shown: its title, the place of its thumbnail (None for none), and what it shares."""

    title: str
    picture: int | None
    shared: str = ""


@dataclass(frozen=True)
class Choice:
    """What one model recommends to a user.

    Args:
        model: its name.
        colour: of the model.
        item: the explained recommendation.
        place: in the user's list, from 1.
        facts: recorded of the item: name, and each value with whether the text names it.
        text: the explanation, cut by `marked`.
        writer: who wrote it: the language model, or the template and why.
        signals: numbers the model decided with.
        target_rank: where the model had what the user chose next; None where that is not one item.
        then: its list for the whole history, from `lightning predict`; may be empty.
    """

    model: str
    colour: int
    item: Item
    place: int
    facts: list[tuple[str, list[tuple[str, bool]]]]
    text: list[Piece]
    writer: str
    signals: dict[str, float]
    target_rank: float | None
    then: list[Item]


@dataclass(frozen=True)
class User:
    """One user: id, the newest items before the test event (oldest first), what came next, and the choices."""

    name: str
    history: list[Item]
    target: Item | None
    choices: list[Choice]


@dataclass(frozen=True)
class Gallery:
    """Users of a board, and the thumbnails (data URIs) that they point into."""

    users: list[User]
    pictures: list[str]
    without_data: bool


def gallery(board: Board, users: int) -> Gallery:
    """Collect the users that the board's best models have explained, those of most models first.

    Args:
        board: models that compare.
        users: how many at most. With 8 history items, a target, and `MODELS` recommendations each, a user adds at most
            about 0.12 MB to the page, and 0.4 MB with the models' lists.

    Raises:
        UserError: a file of a run is damaged.
    """
    explained = [(model, run, rows) for model in board.models for run, rows in [_first_explained(model)] if rows]
    explained = explained[:MODELS]
    found = (find_items(run.folder, board.dataset, board.data_hash) for _, run, _ in explained if run.folder)
    items = next((file for file in found if file is not None), None)
    shelf = Shelf(items)
    order: dict[str, int] = {}
    for _, _, rows in explained:
        for user in dict.fromkeys(row["user"] for row in rows):
            order[user] = order.get(user, 0) + 1
    names = sorted(order, key=lambda user: -order[user])[:users]
    sources = [_Source(model, run, rows, names) for model, run, rows in explained]
    return Gallery([_user(name, sources, shelf) for name in names], shelf.pictures, items is None)


class _Source:
    """What a run says of some users: rows of explanations, targets with their ranks, and lists."""

    def __init__(self, model: Model, run: Run, rows: list[dict[str, Any]], users: list[str]) -> None:
        assert run.folder is not None
        self.model = model
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self.rows.setdefault(row["user"], []).append(row)
        self.targets: dict[str, list[tuple[str, float]]] = {}
        if (run.folder / "test_ranks.parquet").is_file():
            for user, item, rank in read_ranks(run.folder).filter(pl.col("user").is_in(users)).iter_rows():
                self.targets.setdefault(user, []).append((item, rank))
        self.lists = _lists(run.folder / "recommendations.parquet", users)


def _first_explained(model: Model) -> tuple[Run, list[dict[str, Any]]]:
    """Return the model's first run with explanations, and their rows."""
    for run in model.runs:
        if run.folder is not None and (rows := _rows(run.folder / "explanations.jsonl")):
            return run, rows
    return model.runs[0], []


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON lines ({error}); run `lightning test` again") from None
    return [row for row in rows if row["text"]]


def _lists(file: Path, users: list[str]) -> dict[str, list[str]]:
    """Return the beginning of each user's list, raw item ids; empty if `lightning predict` has not run."""
    if not file.is_file():
        return {}
    try:
        rows = pl.scan_parquet(file, glob=False).filter(pl.col("user").is_in(users), pl.col("rank") <= LIST)
        table = rows.sort("rank").group_by("user").agg("item").collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{file}: unreadable ({str(error).splitlines()[0]}); run `lightning predict` again") from None
    return dict(table.iter_rows())


def _user(name: str, sources: list[_Source], shelf: Shelf) -> User:
    own = [source for source in sources if name in source.rows]
    newest = own[0].rows[name][0]
    # A user with several test events was explained before the first of them, and the ranks do not say which that is.
    targets = [source.targets.get(name, []) for source in own]
    target = targets[0][0][0] if targets and len(targets[0]) == 1 else None
    return User(
        name,
        _history(newest, shelf),
        None if target is None else Item(shelf.title(target), shelf.picture(target)),
        [choice for source in own for choice in _choices(source, name, target, shelf)],
    )


def _history(row: dict[str, Any], shelf: Shelf) -> list[Item]:
    """Return the history of a row; one that was written before rows had its ids shows it without pictures."""
    shown = row["packet"]["history"]
    ids = row.get("history") or [None] * len(shown)
    return [
        Item(item["title"], None if raw_id is None else shelf.picture(raw_id), _words(item["shared"]))
        for item, raw_id in zip(shown, ids, strict=True)
    ]


def _choices(source: _Source, user: str, target: str | None, shelf: Shelf) -> list[Choice]:
    ranks = [rank for item, rank in source.targets.get(user, []) if item == target]
    then = [Item(shelf.title(item), shelf.picture(item)) for item in source.lists.get(user, [])]
    made = []
    for row in source.rows[user]:
        packet = packet_of(row["packet"])
        pieces = marked(row["text"], packet)
        named = " ".join(piece.text for piece in pieces if piece.kind and piece.holds)
        facts = [(name, [(value, _is_in(value, named)) for value in values]) for name, values in packet.facts.items()]
        item = Item(packet.title, shelf.picture(row["item"]))
        made.append(
            Choice(
                model=source.model.name,
                colour=source.model.colour,
                item=item,
                place=row["rank"],
                facts=facts,
                text=pieces,
                writer=_writer(row),
                signals=packet.signals,
                target_rank=ranks[0] if ranks else None,
                then=then,
            )
        )
    return made


def _is_in(value: str, text: str) -> bool:
    """Whether a text has a value as whole words, in any letter case."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None


def _writer(row: dict[str, Any]) -> str:
    model = row.get("model") or "the language model"
    if row["source"] == "llm":
        return f"written by {model}"
    if row["source"] == "corrected":
        return f"written by {model}, corrected once it was told what was wrong"
    return "written by the template" + (f": {row['cause']}" if row["cause"] else "")


def _words(shared: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} {', '.join(values)}" for name, values in shared.items())
