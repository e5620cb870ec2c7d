"""Patterns with columns in braces, such as "{name}. {brand}", and the text they make of a record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

import polars as pl

from mmrec.errors import InvalidArgument

STRONG = re.compile(r"\s*(?:[.,;|/!?\u2013\u2014-](?:\s+|$)|\n\s*)")  # ends the words around a column; not in "3.5"
MARKS = re.compile(r"[^\w()\[\]{}<>\u00ab\u00bb\u201c\u201d\"']*")  # separates two columns and belongs to neither
CONNECTIVE = re.compile(r"\w[\w\s]*\s")  # "by ": left out where no value is before it
FULL_STOPS = (".", "!", "?", "\u2026")
SPEC = re.compile(r"(?P<pad>(?P<fill>.)?(?P<side>[<>])|(?P<zero>0))?(?P<width>[0-9]+)?(?:\.(?P<length>[0-9]+))?")
"""What may follow a column's name after a colon: Python's formats of strings, such as .7, 0>10 and 010."""


@dataclass(frozen=True)
class _Field:
    column: str
    spec: str
    separator: str  # after the column before
    before: str  # words that go with the value: "(", "Brand: "
    after: str


@dataclass(frozen=True)
class Template:
    """A pattern with columns in braces.

    Args:
        pattern: the pattern as written.
        literals: the text before each column, and after the last.
        columns: their names, in order.
        specs: how each column is cut and padded, see `parse`.
    """

    pattern: str
    literals: tuple[str, ...]
    columns: tuple[str, ...]
    specs: tuple[str, ...]

    @classmethod
    def parse(cls, pattern: str, option: str) -> Template:
        """Read a pattern; without any brace it is the name of one column. Doubled braces stand for themselves.

        After a colon a format of Python's strings cuts or pads the value: {id:.7} is its first seven characters,
        {id:0>10} (or {id:010}) has zeros before it up to ten characters. Anything else is part of the column's name.

        Raises:
            InvalidArgument: a brace is not closed, or is empty.
        """
        if "{" not in pattern and "}" not in pattern:
            return cls(pattern, ("", ""), (pattern,), ("",))
        literals, columns, specs = [""], list[str](), list[str]()
        try:
            for literal, name, spec, conversion in Formatter().parse(pattern):
                literals[-1] += literal
                if name is not None:  # a column's name may have the marks of Python's formats in it
                    cut = _python_spec(spec or "")
                    name += f"!{conversion}" if conversion else ""
                    columns.append(name if cut or not spec else f"{name}:{spec}")
                    specs.append(cut)
                    literals.append("")
        except ValueError as error:
            words = f"{pattern!r} is not a pattern ({error}): write columns as {{name}}"
            raise InvalidArgument(option, f"{option}: {words}") from None
        if not columns or not all(columns):
            words = f"{pattern!r} names no column in its braces: write columns as {{name}}"
            raise InvalidArgument(option, f"{option}: {words}")
        return cls(pattern, tuple(literals), tuple(columns), tuple(specs))

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the pattern exactly with its columns filled in; empty if any of them is blank."""
        if not all(values.get(column) for column in self.columns):
            return ""
        filled = zip(self.literals, self.columns, self.specs, strict=False)
        return "".join(literal + format(values[column], spec) for literal, column, spec in filled) + self.literals[-1]

    def fill_columns(self, values: Mapping[str, pl.Expr]) -> pl.Expr:
        """Return `fill` of whole columns; null or blank if any of them is."""
        if self.columns == (self.pattern,):
            return values[self.pattern]
        parts = [pl.lit(self.literals[0])]
        for column, spec, literal in zip(self.columns, self.specs, self.literals[1:], strict=True):
            parts += [_formatted(values[column].str.strip_chars(), spec), pl.lit(literal)]
        blank = pl.any_horizontal(values[column].str.strip_chars() == "" for column in self.columns)
        return pl.when(blank).then(pl.lit("")).otherwise(pl.concat_str(parts))

    def write(self, values: Mapping[str, str]) -> str:
        """Return the text; the words and the punctuation around a blank column are left out."""
        text, passed = "", list[str]()
        for field in self._fields:
            value = format(values.get(field.column, ""), field.spec) if values.get(field.column) else ""
            passed.append(field.separator)
            if not value:
                continue
            if text:  # of the separators since the last column, the first strong one is kept
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
        parts = zip(self.columns, self.specs, separators, befores, afters, strict=True)
        return [_Field(*part) for part in parts]


def _cut(literal: str) -> tuple[str, str, str]:
    """Cut the text between two columns: words of the first, the separator, words of the second."""
    if MARKS.fullmatch(literal):
        return "", literal, ""
    found = STRONG.search(literal) or re.search(r"\s+", literal)
    if found is None:
        return "", "", literal
    return literal[: found.start()], found.group(), literal[found.end() :]


def _cut_end(literal: str) -> tuple[str, str]:
    """Cut the text after the last column: words that belong to it, and the end of the whole."""
    found = STRONG.search(literal)
    return (literal, "") if found is None else (literal[: found.start()], literal[found.start() :])


def _python_spec(spec: str) -> str:
    """Return a format of strings, empty if it is not one; {id:010} has zeros in front, not behind as in Python."""
    found = SPEC.fullmatch(spec)
    if found is None or not (found["width"] or found["length"]):
        return ""
    return f"0>{spec[1:]}" if found["zero"] and found["width"] else spec


def _formatted(text: pl.Expr, spec: str) -> pl.Expr:
    """Return `format(value, spec)` of a column."""
    found = SPEC.fullmatch(spec)
    assert found is not None
    if found["length"]:
        text = text.str.head(int(found["length"]))
    if found["width"]:
        pad = text.str.pad_start if found["side"] == ">" else text.str.pad_end
        text = pad(int(found["width"]), found["fill"] or " ")
    return text
