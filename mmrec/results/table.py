"""The one table type of all commands; `mmrec.results.writers` turns it into text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mmrec.utils.text import visible

DIFFERS, UNSURE = "*", "‡"
"""Signs that a note explains: a significant difference, code with uncommitted changes or of unknown version."""
Mark = Literal["best", "second"]


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: content as printed, not escaped.
        value: unrounded content, for CSV and for sorting on the page; None if `text` is all there is.
        spread: standard deviation as printed.
        mark: the best of a column is bold, the second underlined.
        signs: signs behind the text, explained in a note.
        hint: tooltip on the page.
        shade: strength of the background on the page, in percent.
        colour: colour of the model's dot on the page, None for no dot.
    """

    text: str
    value: float | str | None = None
    spread: str = ""
    mark: Mark | None = None
    signs: str = ""
    hint: str = ""
    shade: int = 0
    colour: int | None = None

    def __post_init__(self) -> None:
        """Remove what would steer a terminal or hide text: names and ids come from files and folders."""
        object.__setattr__(self, "text", visible(self.text))
        if isinstance(self.value, str):
            object.__setattr__(self, "value", visible(self.value))


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Args:
        heading: its name.
        note: second line of the head.
        words: whether the column holds words, which are set to the left; else numbers.
        sorted: whether the rows come in its order, largest first.
    """

    heading: str
    note: str = ""
    words: bool = False
    sorted: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: its caption.
        columns: heads of the columns.
        rows: rows with one cell per column.
        notes: paragraphs below the table.
        rules: numbers of the rows above which the terminal draws a line.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()


ABSENT = Cell("-")


def marks(printed: Sequence[str | None], highest: bool) -> list[Mark | None]:
    """Mark the best and the second best of a column; numbers that print alike are marked alike.

    Args:
        printed: the numbers as printed, None for a missing one.
        highest: whether the highest number is the best.

    Returns:
        a mark for each, None for all if all print alike.
    """
    numbers = [None if text is None else float(text.replace(",", "")) for text in printed]
    levels = sorted({number for number in numbers if number is not None}, reverse=highest)
    if len(levels) < 2:
        return [None] * len(numbers)
    places: dict[float, Mark] = {levels[0]: "best", levels[1]: "second"}
    return [None if number is None else places.get(number) for number in numbers]
