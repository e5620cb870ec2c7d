"""Text made of the columns of a record: "{name}. {brand}" in a config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from mmrec.errors import UserError

STRONG = re.compile(r"\s*(?:[.,;|/!?\u2013\u2014-](?:\s+|$)|\n\s*)")  # ends what belongs to a column; not in "3.5"
MARKS = re.compile(r"[^\w()\[\]{}<>\u00ab\u00bb\u201c\u201d\"']*")  # separates and belongs to neither side
CONNECTIVE = re.compile(r"\w[\w\s]*\s")  # "by ": says nothing where nothing stands before it
FULL_STOPS = (".", "!", "?", "\u2026")


@dataclass(frozen=True)
class _Field:
    column: str
    separator: str  # from the column before
    before: str  # what goes with the value: "(", "Brand: "
    after: str


@dataclass(frozen=True)
class Template:
    """A pattern with columns in braces.

    Args:
        pattern: as written.
        literals: the text before each column, and after the last.
        columns: in order.
    """

    pattern: str
    literals: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, pattern: str, option: str) -> Template:
        """Read a pattern; without any brace it is the name of one column. Doubled braces stand for themselves.

        Raises:
            UserError: a brace is not closed, or nothing is in it.
        """
        if "{" not in pattern and "}" not in pattern:
            return cls(pattern, ("", ""), (pattern,))
        literals, columns = [""], []
        try:
            for literal, name, spec, conversion in Formatter().parse(pattern):
                literals[-1] += literal
                if name is not None:  # a column's name may have the marks of Python's formats in it
                    columns.append(name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else ""))
                    literals.append("")
        except ValueError as error:
            raise UserError(f"{option}: {pattern!r} is no pattern ({error}): write columns as {{name}}") from None
        if not columns or not all(columns):
            raise UserError(f"{option}: {pattern!r} names no column in its braces: write columns as {{name}}")
        return cls(pattern, tuple(literals), tuple(columns))

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the pattern exactly with its columns filled in; empty if any of them is blank."""
        if not all(values.get(column) for column in self.columns):
            return ""
        filled = (literal + values[column] for literal, column in zip(self.literals, self.columns, strict=False))
        return "".join(filled) + self.literals[-1]

    def write(self, values: Mapping[str, str]) -> str:
        """Return the text; a blank column takes the words and the punctuation that belong to it along."""
        text, passed = "", list[str]()
        for field in self._fields:
            value = values.get(field.column, "")
            passed.append(field.separator)
            if not value:
                continue
            if text:  # of the separators passed since the last column the first strong one stands
                separator = next((mark for mark in passed if STRONG.search(mark)), field.separator)
                if text.endswith(FULL_STOPS) and separator.startswith("."):
                    separator = separator[1:]
                text += separator
            connective = not text and field.separator and CONNECTIVE.fullmatch(field.before)
            text += ("" if connective else field.before) + value + field.after
            passed.clear()
        _, end = _cut_end(self.literals[-1])
        if text.endswith(FULL_STOPS) and end.startswith("."):
            end = end[1:]
        return text + end if text else ""

    @cached_property
    def _fields(self) -> list[_Field]:
        separators, befores, afters = [""], [self.literals[0]], list[str]()
        for literal in self.literals[1:-1]:
            after, separator, before = _cut(literal)
            afters.append(after)
            separators.append(separator)
            befores.append(before)
        afters.append(_cut_end(self.literals[-1])[0])
        parts = zip(self.columns, separators, befores, afters, strict=True)
        return [_Field(*part) for part in parts]


def _cut(literal: str) -> tuple[str, str, str]:
    """Cut the text between two columns: what belongs to the first, the separator, what belongs to the second."""
    if MARKS.fullmatch(literal):
        return "", literal, ""
    found = STRONG.search(literal) or re.search(r"\s+", literal)
    if found is None:
        return "", "", literal
    return literal[: found.start()], found.group(), literal[found.end() :]


def _cut_end(literal: str) -> tuple[str, str]:
    """Cut the text after the last column into what belongs to it and what ends the whole."""
    found = STRONG.search(literal)
    return (literal, "") if found is None else (literal[: found.start()], literal[found.start() :])
