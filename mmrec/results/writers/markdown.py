"""A table in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmrec.results.table import Cell, Table


def markdown(table: Table) -> str:
    """Return a table with its title as a heading of the second level."""
    lines = [
        f"## {escaped(table.title)}\n",
        _line(escaped(" ".join(word for word in (one.heading, one.note) if word)) for one in table.columns),
        _line("---" if column.words else "---:" for column in table.columns),
        *(_line(_cell(cell) for cell in row) for row in table.rows),
    ]
    return "\n".join([*lines, *(f"\n{escaped(note)}" for note in table.notes)]) + "\n"


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_|<])", r"\\\1", text)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text + (f" ± {cell.spread}" if cell.spread else ""))
    if cell.mark is not None:
        text = f"**{text}**" if cell.mark == "best" else f"<ins>{text}</ins>"  # GitHub strips <u>
    return text + escaped(cell.signs)
