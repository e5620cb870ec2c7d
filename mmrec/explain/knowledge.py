"""What is known of the items: facts, text keywords and visual theme words (paper, section 3.5.1).

Everything is read from `items.parquet` of a prepared dataset and from the item images it names. Keywords and visual
words are worked out when an item is explained, since a run explains a small part of the catalogue.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mmrec.errors import UserError
from mmrec.explain.linking.vocabulary import Vocabulary

Facts = dict[str, list[str]]
"""Fact name to its values, say `{"genre": ["Crime", "Drama"], "year": ["1994"]}`."""

_STOP_WORDS = """
a about after all also an and any are as at be because been both but by can could did do does for from had has have he
her his how i if in into is it its just like more most no not of on one only or other our out over she so some such
than that the their them then there these they this those to too up very was we were what when where which while who
will with would you your
ain aren couldn didn doesn don hadn hasn haven isn here let shouldn wasn weren won wouldn
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
COLOURS = {
    "black": (15, 15, 15),
    "grey": (128, 128, 128),
    "white": (245, 245, 245),
    "red": (200, 30, 35),
    "orange": (240, 130, 30),
    "yellow": (245, 215, 50),
    "green": (50, 140, 60),
    "teal": (30, 150, 155),
    "blue": (40, 80, 190),
    "purple": (120, 50, 150),
    "pink": (240, 140, 180),
    "brown": (105, 65, 35),
    "beige": (225, 205, 170),
}
"""Named colours, sRGB."""


class Knowledge:
    """The fact store of one prepared dataset.

    Args:
        items: the content of `items.parquet`, row = item index.
        source: where it came from, for messages.
        themes: theme words of an item's picture, or None for an item without, see `mmrec.explain.themes`.

    `unreadable` collects items whose image was named but could not be read when it was asked for.
    """

    def __init__(
        self, items: pl.DataFrame, source: str = "items", themes: Callable[[int], list[str] | None] | None = None
    ) -> None:
        self._items = items
        self._themes = themes
        self._source = source
        self.unreadable: set[int] = set()

    @classmethod
    def load(cls, dataset: Path, themes: Callable[[int], list[str] | None] | None = None) -> Knowledge:
        """Read `items.parquet` of a prepared dataset folder.

        Raises:
            UserError: if the file is missing, is no Parquet file or lacks a column.
        """
        path = Path(dataset) / "items.parquet"
        if not path.is_file():
            raise UserError(f"{path} is missing: name the folder of a prepared dataset, or prepare it first")
        columns = ["item", "raw_id", "title", "text", "image", "attributes"]
        try:
            return cls(pl.read_parquet(path, columns=columns, glob=False).sort("item"), str(path), themes)
        except pl.exceptions.PolarsError as error:
            raise UserError(
                f"{path} cannot be read ({str(error).splitlines()[0]}): prepare the dataset again"
            ) from None

    def raw_id(self, item: int) -> str:
        """Return the id the item has in the user's own data."""
        return str(self._row(item)["raw_id"])

    def title(self, item: int) -> str:
        """Return the title, or the raw id where there is none."""
        return self._row(item)["title"] or self.raw_id(item)

    def facts(self, item: int) -> Facts:
        """Return the item's attributes, every value as text; names without a value are left out.

        Raises:
            UserError: if the attributes are not a JSON object.
        """
        return self._facts_of(item, self._row(item)["attributes"])

    def keywords(self, item: int, count: int = 8) -> list[str]:
        """Return the `count` words of the item's text with the highest tf-idf over the catalogue, strongest first."""
        frequency = Counter(_words(pl.Series([self._row(item)["text"]], dtype=pl.String)).explode().drop_nulls())
        total = self._items.height
        score = {w: n * math.log(1 + total / self._documents.get(w, 1)) for w, n in frequency.items()}
        return sorted((w for w in score if w not in STOP_WORDS), key=lambda w: (-score[w], w))[:count]

    def words(self) -> list[list[str] | None]:
        """Return the words of every item's text, row = item index; None where there is no text."""
        return _words(self._items["text"]).to_list()

    @staticmethod
    def split(text: str) -> list[str]:
        """Split any text into words as the items' texts are."""
        return _words(pl.Series([text])).to_list()[0]  # type: ignore[no-any-return]

    def picture(self, item: int) -> Path | None:
        """Return the file of the item's picture, whether it can be read or not."""
        path = self._row(item)["image"]
        return Path(path) if path else None

    def visual_words(self, item: int) -> list[str]:
        """Return theme words of the item's picture, by CLIP where it has CLIP features and else by `describe_image`.

        Empty where there is no readable picture.
        """
        themes = self._themes(item) if self._themes else None
        if themes is not None:
            return themes
        path = self._row(item)["image"]
        if not path:
            return []
        try:
            with Image.open(path) as image:
                return describe_image(image)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # SyntaxError: Pillow on a broken PNG
            self.unreadable.add(item)
            return []

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What the facts of the whole catalogue may say, by kind."""
        facts = (
            (name, value)
            for item, text in enumerate(self._items["attributes"])
            for name, values in self._facts_of(item, text).items()
            for value in values
        )
        lower = self._items["text"].str.extract_all(r"\b\p{Ll}{3,}\b").explode().drop_nulls().unique()
        return Vocabulary(facts, self._items["title"].drop_nulls(), lower)

    @cached_property
    def _documents(self) -> dict[str, int]:
        """In how many items' texts each word occurs."""
        counts = _words(self._items["text"]).list.unique().explode().drop_nulls().value_counts()
        return dict(counts.iter_rows())

    def _facts_of(self, item: int, text: str | None) -> Facts:
        try:
            attributes = json.loads(text) if text else {}
        except ValueError:
            attributes = None
        if not isinstance(attributes, dict):
            raise UserError(f"{self._source}: attributes of item {item} are no JSON object: prepare the dataset again")
        facts = {str(name): _values(value) for name, value in attributes.items()}
        return {name: values for name, values in facts.items() if values}

    def _row(self, item: int) -> dict[str, Any]:
        if not 0 < item < self._items.height:
            last = self._items.height - 1
            raise UserError(f"{self._source} has items 1 to {last}, not {item}: the model belongs to another dataset")
        return self._items.row(item, named=True)


def describe_image(image: Image.Image) -> list[str]:
    """Describe an image by its main colours, brightness and contrast.

    The image is averaged down to 32 x 32 over white; each pixel takes the nearest of `COLOURS` in CIE L*a*b*, where
    distance follows perception. Colours of at least 15 % of the pixels are named, the largest first, three at most.
    Mean lightness (0 to 100) below 35 is "dark" and above 70 "bright"; its standard deviation below 10 is
    "low contrast" and above 30 "high contrast".
    """
    canvas = Image.new("RGBA", (32, 32), "white")
    canvas.alpha_composite(image.convert("RGBA").resize((32, 32), Image.Resampling.BOX))
    lab = _lab(np.asarray(canvas.convert("RGB"), dtype=np.float64).reshape(-1, 3))
    palette = _lab(np.array(list(COLOURS.values()), dtype=np.float64))
    nearest = np.linalg.norm(lab[:, None] - palette[None], axis=2).argmin(axis=1)
    names = list(COLOURS)
    words = [names[i] for i, n in Counter(nearest.tolist()).most_common(3) if n >= 0.15 * len(nearest)]
    mean, spread = float(lab[:, 0].mean()), float(lab[:, 0].std())
    words += ["dark"] if mean < 35 else ["bright"] if mean > 70 else []
    words += ["low contrast"] if spread < 10 else ["high contrast"] if spread > 30 else []
    return words


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert sRGB in 0 to 255, shape (n, 3), to CIE L*a*b* under D65 (IEC 61966-2-1 and CIE 15)."""
    c = rgb / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)  # the row sums are the white point
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _words(texts: pl.Series) -> pl.Series:
    """Split each text into its lower-case words of three letters or more."""
    return texts.str.to_lowercase().str.extract_all(r"\p{L}{3,}")


def _values(value: object) -> list[str]:
    """Flatten one attribute to texts."""
    if value is None or value == "" or value != value:  # NaN is unequal to itself
        return []
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, dict):
        return [f"{name}: {text}" for name, inner in value.items() for text in _values(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _values(inner)]
    return [str(value)]
