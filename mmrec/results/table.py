"""A table of entries, some of them marked, as Markdown and as LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

DIFFERS, UNSURE = "*", "‡"
"""Signs that a legend explains: a significant difference, code of no known commit."""
TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", UNSURE: r"\ddag{}",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One cell.

    Args:
        text: as it is to be read, not escaped.
        mark: the best of its column is bold, the second underlined.
        signs: behind the text, explained in a note.
    """

    text: str
    mark: Literal["best", "second"] | None = None
    signs: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: its caption.
        columns: headings, the first of names and the others of numbers.
        rows: as many entries each as there are columns.
        notes: below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()


def marks(values: Sequence[str | None], highest: bool) -> list[Literal["best", "second"] | None]:
    """Mark the best and the second of printed numbers; those that print alike alike, and none where all do."""
    numbers = [None if value is None else float(value.replace(",", "")) for value in values]
    levels = sorted({number for number in numbers if number is not None}, reverse=highest)
    if len(levels) < 2:
        return [None] * len(values)
    places: dict[float, Literal["best", "second"]] = {levels[0]: "best", levels[1]: "second"}
    return [None if number is None else places.get(number) for number in numbers]


def markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, without its title."""
    lines = [
        _line(escaped(name) for name in table.columns),
        _line(["---", *["---:"] * (len(table.columns) - 1)]),
        *(_line(_md_entry(entry) for entry in row) for row in table.rows),
    ]
    return "\n".join([*lines, *(f"\n{escaped(note)}" for note in table.notes)]) + "\n"


def latex(table: Table, label: str) -> str:
    r"""Return the table as a LaTeX float with the rules of booktabs.

    Args:
        table: what to print.
        label: for `\ref`, "tab:" before it.
    """
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{_tex(table.title)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
        r"\toprule",
        _tex_line(_tex(name) for name in table.columns),
        r"\midrule",
        *(_tex_line(_tex_entry(entry) for entry in row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip\footnotesize {_tex(note)}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_|<])", r"\\\1", text)


def _md_entry(entry: Entry) -> str:
    text = escaped(entry.text)
    if entry.mark is not None:
        text = f"**{text}**" if entry.mark == "best" else f"<ins>{text}</ins>"  # GitHub strips <u>
    return text + escaped(entry.signs)


def _tex_line(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _tex(text: str) -> str:
    return "".join(TEX.get(character, character) for character in text)


def _tex_entry(entry: Entry) -> str:
    text = _tex(entry.text)
    if entry.mark is not None:
        text = rf"\{'textbf' if entry.mark == 'best' else 'underline'}{{{text}}}"
    return text + (rf"\textsuperscript{{{_tex(entry.signs)}}}" if entry.signs else "")
