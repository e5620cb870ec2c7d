"""A table in LaTeX, with the rules of booktabs."""

from __future__ import annotations

from collections.abc import Iterable

from mmrec.results.table import UNSURE, Cell, Table

PREAMBLE = "% needs the package booktabs\n"
TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", UNSURE: r"\ddag{}",
}  # fmt: skip


def latex(table: Table, label: str) -> str:
    r"""Return a table as a LaTeX float.

    Args:
        table: the table.
        label: name for `\ref`, without "tab:".
    """
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escaped(table.title)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{''.join('l' if column.words else 'r' for column in table.columns)}}}",
        r"\toprule",
        _line(escaped(" ".join(word for word in (one.heading, one.note) if word)) for one in table.columns),
        r"\midrule",
        *(_line(_cell(cell) for cell in row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip\footnotesize {escaped(note)}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return a text that LaTeX sets as it is."""
    return "".join(TEX.get(character, character) for character in text)


def _line(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text + (f" ± {cell.spread}" if cell.spread else ""))
    if cell.mark is not None:
        text = rf"\{'textbf' if cell.mark == 'best' else 'underline'}{{{text}}}"
    return text + (rf"\textsuperscript{{{escaped(cell.signs)}}}" if cell.signs else "")
