"""Normal form of a text before it is verified: what a reader sees must be what is checked."""

from __future__ import annotations

import unicodedata


def normalise(text: str) -> str:
    """Return the text in NFKC without format characters (zero-width letters, soft hyphens, bidirectional marks).

    Typographic apostrophes and quotation marks become plain ones, dashes become hyphens between spaces.
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf" and not 0xFE00 <= ord(c) <= 0xFE0F)
    return plain.translate(_PLAIN)


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ`´′", "'"), **dict.fromkeys("“”„«»「」『』《》″", '"'), "–": " - ", "—": " - ", "‐": "-",
        "‑": "-",
    }
)  # fmt: skip


def foreign_letters(word: str) -> bool:
    """Return whether a word has letters outside the Latin script, or marks that change a letter.

    Letters of other scripts look like Latin ones (Cyrillic о, Greek ο), so that a reader cannot tell what was checked.
    """
    for letter in word:
        category = unicodedata.category(letter)
        if category[0] == "M" or (category[0] == "L" and not unicodedata.name(letter, "").startswith("LATIN")):
            return True
        if category == "Nd" and not letter.isascii():
            return True
    return False
