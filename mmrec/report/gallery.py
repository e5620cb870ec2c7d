"""Users, their items, what each model recommends them, and why: from the `explanations.jsonl` of the runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.explain.rows import read_rows
from mmrec.report.images import Shelf, find_items
from mmrec.report.marks import Piece, pieces
from mmrec.results.aggregate import Board, Model
from mmrec.results.load import Run
from mmrec.utils.tables import read_table

MODELS = 6
"""Largest number of models per user, the best ones, so that a page of many models stays small."""
LIST = 6
"""Items shown of a recommended list."""


@dataclass(frozen=True)
class Item:
    """An item as shown: its title, the position of its thumbnail (None for none), and the facts it shares."""

    title: str
    image: int | None
    shared: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One explained recommendation of one model.

    Args:
        model: printed name of the model.
        colour: colour of the model.
        item: the recommended item.
        place: its rank in the user's list, from 1.
        facts: recorded facts of the item: name, and each value with whether the text rests on it.
        text: the explanation, cut into `pieces`.
        writer: author of the text: the language model, or the grammar with the reason.
        signals: numbers that the model decided with.
        target_rank: rank that the model gave to the user's next item; None if that is not a single item.
        then: the model's list after the whole history, from `lightning predict`; may be empty.
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
    """One user: id, the newest items before the test event (oldest first), the next item, and the recommendations."""

    name: str
    history: list[Item]
    target: Item | None
    choices: list[Choice]


@dataclass(frozen=True)
class Gallery:
    """Users of a board, and the thumbnails (data URIs) that their items point to."""

    users: list[User]
    images: list[str]
    without_data: bool


def gallery(board: Board, users: int) -> Gallery:
    """Return the users whose recommendations the best models of a board have explained, those of most models first.

    Args:
        board: the board.
        users: largest number of users. With 8 history items, a target and `MODELS` recommendations, a user adds at most
            about 0.12 MB to the page, and 0.4 MB with the models' lists.

    Raises:
        UserError: a file of a run is damaged.
    """
    explained = [(model, *found) for model in board.models if (found := _first_explained(model))][:MODELS]
    files = (find_items(run.folder, board.dataset, board.data_hash) for _, run, _ in explained if run.folder)
    items = next((file for file in files if file is not None), None)
    shelf = Shelf(items)
    order: dict[str, int] = {}
    for _, _, rows in explained:
        for user in dict.fromkeys(row["user"] for row in rows):
            order[user] = order.get(user, 0) + 1
    names = sorted(order, key=lambda user: -order[user])[:users]
    sources = [_Source(model, run, rows, names) for model, run, rows in explained]
    return Gallery([_user(name, sources, shelf) for name in names], shelf.images, items is None)


class _Source:
    """What a run recorded about some users: rows of explanations, targets with their ranks, and lists."""

    def __init__(self, model: Model, run: Run, rows: list[dict[str, Any]], users: list[str]) -> None:
        assert run.folder is not None
        self.model = model
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self.rows.setdefault(row["user"], []).append(row)
        self.targets: dict[str, list[tuple[str, float]]] = {}
        if (run.folder / "test_ranks.parquet").is_file():
            for user, item, rank in run.ranks.filter(pl.col("user").is_in(users)).iter_rows():
                self.targets.setdefault(user, []).append((item, rank))
        self.lists = _lists(run.folder / "recommendations.parquet", users)


def _first_explained(model: Model) -> tuple[Run, list[dict[str, Any]]] | None:
    """Return the model's first run with explanations, and their rows."""
    for run in model.runs:
        file = None if run.folder is None else run.folder / "explanations.jsonl"
        if file is not None and file.is_file():
            rows = [row for row in read_rows(file) if row["text"]]
            if rows:
                return run, rows
    return None


def _lists(file: Path, users: list[str]) -> dict[str, list[str]]:
    """Return the first items of each user's list as raw ids; empty if `lightning predict` has not run."""
    if not file.is_file():
        return {}
    table = read_table(file, ["user", "item", "rank"], None, "run `lightning predict` again")
    rows = table.filter(pl.col("user").is_in(users), pl.col("rank") <= LIST).sort("rank")
    return dict(rows.group_by("user").agg("item").iter_rows())


def _user(name: str, sources: list[_Source], shelf: Shelf) -> User:
    own = [source for source in sources if name in source.rows]
    newest = own[0].rows[name][0]
    # A user with several test events was explained before the first of them, and the ranks do not say which that is.
    targets = [source.targets.get(name, []) for source in own]
    target = targets[0][0][0] if targets and len(targets[0]) == 1 else None
    return User(
        name,
        _history(newest, shelf),
        None if target is None else Item(shelf.title(target), shelf.image(target)),
        [choice for source in own for choice in _choices(source, name, target, shelf)],
    )


def _history(row: dict[str, Any], shelf: Shelf) -> list[Item]:
    """Return the history of a row; rows of older versions lack the ids, and so have no images."""
    shown = row["packet"]["history"]
    ids = row.get("history") or []
    ids += [None] * (len(shown) - len(ids))
    return [
        Item(item["title"], None if raw_id is None else shelf.image(raw_id), _words(item["shared"]))
        for item, raw_id in zip(shown, ids, strict=False)
    ]


def _choices(source: _Source, user: str, target: str | None, shelf: Shelf) -> list[Choice]:
    ranks = [rank for item, rank in source.targets.get(user, []) if item == target]
    then = [Item(shelf.title(item), shelf.image(item)) for item in source.lists.get(user, [])]
    made = []
    for row in source.rows[user]:
        packet = row["packet"]
        cited = {statement for sentence in row.get("sentences") or [] for statement in sentence["statements"]}
        named = {(one["name"], one["value"]) for one in row.get("statements") or [] if one["id"] in cited}
        made.append(
            Choice(
                model=source.model.label,
                colour=source.model.colour,
                item=Item(packet["title"], shelf.image(row["item"])),
                place=row["rank"],
                facts=[(name, [(v, (name, v) in named) for v in values]) for name, values in packet["facts"].items()],
                text=pieces(row),
                writer=_writer(row),
                signals=packet["signals"],
                target_rank=ranks[0] if ranks else None,
                then=then,
            )
        )
    return made


def _writer(row: dict[str, Any]) -> str:
    model, cause = row.get("model") or "the language model", row.get("cause")
    if row["source"] == "llm":
        return f"written by {model}"
    if row["source"] == "corrected":
        return f"written by {model}, corrected after a check"
    return "written without a language model" + (f": {cause}" if cause else "")


def _words(shared: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} {', '.join(values)}" for name, values in shared.items())
