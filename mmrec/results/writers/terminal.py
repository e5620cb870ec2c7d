"""A table in the terminal."""

from __future__ import annotations

from textwrap import wrap

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mmrec.results.table import Cell, Table

HEAD = 10
"""Width at which a heading is wrapped, in characters."""
STYLES = {"best": "bold", "second": "underline", None: ""}


def write(table: Table, console: Console) -> None:
    """Print a table with its title and notes."""
    shown = RichTable(title=Text(table.title), box=box.SIMPLE_HEAD)
    for column in table.columns:  # words wrap where there is too little room, numbers are never cut
        heading = wrap(column.heading, HEAD, break_long_words=False)
        head = Text("\n".join(word for word in (*heading, column.note) if word))
        shown.add_column(head, justify="left" if column.words else "right", no_wrap=not column.words, overflow="fold")
    for place, row in enumerate(table.rows):
        if place in table.rules:
            shown.add_section()
        shown.add_row(*map(_cell, row))
    console.print(shown)
    for note in table.notes:
        console.print(Text(note, style="dim"))


def _cell(cell: Cell) -> Text:
    spread = f" ± {cell.spread}" if cell.spread else ""
    return Text(cell.text + spread + cell.signs, style=STYLES[cell.mark])
