"""What is known of the items: facts, text keywords and theme words of images (paper, section 3.5.1).

Everything is read from `items.parquet` of a prepared dataset and from the item images it names. Keywords and theme
words are computed when an item is explained, because a run explains a small part of the catalogue.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from mmrec.data.features.encoders.base import Modality
from mmrec.errors import UserError
from mmrec.explain.facts import is_telling, kind_of, may_be
from mmrec.explain.images import describe_image
from mmrec.explain.text import clean

Facts = dict[str, list[str]]
"""Fact name to its values, for example `{"genre": ["Crime", "Drama"], "year": ["1994"]}`."""
MAX_FACTS = 16
"""Facts of one item that are read; a catalogue row can have hundreds."""
MAX_VALUES = 8
"""Values of one fact that are read."""
THEME_SAMPLE = 100
"""Items whose images tell how common a theme word is."""

_STOP_WORDS = """
a about after all also an and any are as at be because been both but by can could did do does for from had has have he
her his how i if in into is it its just like more most no not of on one only or other our out over she so some such
than that the their them then there these they this those to too up very was we were what when where which while who
will with would you your
ain aren couldn didn doesn don hadn hasn haven isn here let shouldn wasn weren won wouldn
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


class Knowledge:
    """The facts of one prepared dataset.

    Args:
        items: content of `items.parquet`, row = item index.
        source: where the items came from, for messages.
        themes: function that returns the theme words of an item's image, or None for an item without them, see
            `mmrec.explain.themes`.

    `unreadable` collects the items whose image file could not be read.
    """

    def __init__(
        self, items: pl.DataFrame, source: str = "items", themes: Callable[[int], list[str] | None] | None = None
    ) -> None:
        self._items = items
        self._themes = themes
        self._source = source
        self._facts: dict[int, Facts] = {}
        self._image_words: dict[int, list[str]] = {}
        self._theme_counts: Counter[str] | None = None
        self._theme_total = 0
        self.unreadable: set[int] = set()

    @classmethod
    def load(cls, dataset: Path, themes: Callable[[int], list[str] | None] | None = None) -> Knowledge:
        """Read `items.parquet` of a prepared dataset folder.

        Raises:
            UserError: the file is missing, is not a Parquet file or lacks a column.
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

    def __len__(self) -> int:
        """Return the number of items, without padding."""
        return self._items.height - 1

    def raw_id(self, item: int) -> str:
        """Return the id of the item in the user's own data."""
        return str(self._cell(item, "raw_id"))

    def title(self, item: int) -> str:
        """Return the cleaned title; the id if the title has no visible character."""
        title = clean(str(self._cell(item, "title") or ""))
        return title or clean(self.raw_id(item)) or f"item {item}"

    def has_title(self, item: int) -> bool:
        """Return whether the item has a title that can be read."""
        return bool(clean(str(self._cell(item, "title") or "")))

    def facts(self, item: int) -> Facts:
        """Return the item's attributes as cleaned texts; facts without a value are left out.

        Raises:
            UserError: the attributes are not a JSON object.
        """
        if item not in self._facts:
            self._facts[item] = self._facts_of(item, self._cell(item, "attributes"))
        return self._facts[item]

    def type_of(self, item: int) -> str:
        """Return what kind of product the item is, such as "Dress"; empty if no fact says it."""
        facts = telling_facts(self.facts(item))
        return next((value for name, value in facts if kind_of(name) == "type"), "")

    def bits(self, name: str, value: str) -> float:
        """Return the information content of a fact, -log2 of the share of items that have it; 0 if all have it."""
        return math.log2(max(len(self), 1) / max(self._counts[kind_of(name), value.casefold()], 1))

    def word_bits(self, word: str) -> float:
        """Return the information content of a word of the items' texts."""
        return math.log2(max(len(self), 1) / max(self._documents.get(word, 1), 1))

    def title_word_bits(self, word: str) -> float:
        """Return the information content of a word of the items' titles."""
        return math.log2(max(len(self), 1) / max(self._titles.get(word, 1), 1))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Kinds of the facts that the items have."""
        return frozenset(kind for kind, value in self._counts if may_be(kind, value))

    def keywords(self, item: int, count: int = 8) -> list[str]:
        """Return the `count` words of the item's text with the highest tf-idf over the catalogue, strongest first."""
        frequency = Counter(self.text_words(item))
        total = self._items.height
        score = {w: n * math.log(1 + total / self._documents.get(w, 1)) for w, n in frequency.items()}
        return sorted((w for w in score if w not in STOP_WORDS), key=lambda w: (-score[w], w))[:count]

    def has(self, modality: Modality, item: int) -> bool:
        """Return whether the catalogue names a text or an image of the item."""
        return bool(str(self._cell(item, modality) or "").strip())

    def text_words(self, item: int) -> list[str]:
        """Return the words of the item's text."""
        return self.split(str(self._cell(item, "text") or ""))

    def words(self) -> list[list[str] | None]:
        """Return the words of every item's text, row = item index; None without a text."""
        return _words(self._items["text"]).to_list()

    @staticmethod
    def split(text: str) -> list[str]:
        """Split any text into words as the items' texts are split."""
        # Polars takes a millisecond to start, which is most of the time of an explanation.
        return [word for word in "".join(c if c.isalpha() else " " for c in text.lower()).split() if len(word) >= 3]

    def image(self, item: int) -> Path | None:
        """Return the file of the item's image, whether it can be read or not."""
        path = self._cell(item, "image")
        return Path(path) if path else None

    def image_words(self, item: int, read: bool = True) -> list[str]:
        """Return theme words of the item's image, by CLIP where it has CLIP features and else by `describe_image`.

        Args:
            item: index of the item.
            read: open the image file where there are no CLIP features; False to use only what is known already.

        Returns:
            The words, the strongest first; empty without a readable image.
        """
        themes = self._themes(item) if self._themes else None
        if themes is not None:
            return themes
        if item not in self._image_words:
            if not read:
                return []
            self._image_words[item] = self._described(item)
        return self._image_words[item]

    def theme_bits(self, theme: str, read: bool = True) -> float:
        """Return the information content of a theme word, from the images of a sample of the items.

        A shop shows most of its products on white: that an image is white tells nothing there. 0 if the sample was
        not read yet and `read` is false.
        """
        if self._theme_counts is None:
            if not read and self._themes is None:
                return 0.0
            step = max(len(self) // THEME_SAMPLE, 1)
            described = [self.image_words(item) for item in range(1, len(self) + 1, step)]
            shown = [words for words in described if words]
            self._theme_counts = Counter(word for words in shown for word in words)
            self._theme_total = len(shown)
        return math.log2((self._theme_total + 1) / (self._theme_counts[theme] + 1))

    def _described(self, item: int) -> list[str]:
        path = self.image(item)
        if not path:
            return []
        try:
            with Image.open(path) as image:
                return describe_image(image)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # SyntaxError: Pillow on a broken PNG
            self.unreadable.add(item)
            return []

    def all_facts(self) -> Iterator[Facts]:
        """Yield the facts of every item."""
        for item, text in enumerate(self._items["attributes"]):
            if item:
                yield self._facts_of(item, text)

    @cached_property
    def _counts(self) -> Counter[tuple[str, str]]:
        """How many items have each fact, by kind and value in lower case."""
        counts: Counter[tuple[str, str]] = Counter()
        for facts in self.all_facts():
            counts.update(
                {(kind_of(name), value.casefold()) for name, values in facts.items() for value in values}
            )  # fmt: skip
        return counts

    @cached_property
    def _documents(self) -> dict[str, int]:
        """In how many items' texts each word occurs."""
        return self._counted("text")

    @cached_property
    def _titles(self) -> dict[str, int]:
        """In how many items' titles each word occurs."""
        return self._counted("title")

    def _counted(self, column: str) -> dict[str, int]:
        counts = _words(self._items[column]).list.unique().explode().drop_nulls().value_counts()
        return dict(counts.iter_rows())

    def _facts_of(self, item: int, text: str | None) -> Facts:
        try:
            attributes = json.loads(text) if text else {}
        except ValueError:
            attributes = None
        if not isinstance(attributes, dict):
            raise UserError(
                f"{self._source}: the attributes of item {item} are not a JSON object: prepare the dataset again"
            )
        facts: Facts = {}
        for name, value in attributes.items():
            values = [text for text in map(clean, _values(value)) if text][:MAX_VALUES]
            if clean(str(name)) and values and len(facts) < MAX_FACTS:
                facts[clean(str(name))] = values
        return facts

    def _cell(self, item: int, column: str) -> Any:
        if not 0 < item < self._items.height:
            last = self._items.height - 1
            raise UserError(f"{self._source} has items 1 to {last}, not {item}: the model belongs to another dataset")
        return self._items[column][item]


def telling_facts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield name and value of the facts that a reader can make something of, each kind and value once."""
    seen = set()
    for name, values in facts.items():
        for value in values:
            key = (kind_of(name), value.casefold())
            if key not in seen and is_telling(name, value):
                seen.add(key)
                yield name, value


def _words(texts: pl.Series) -> pl.Series:
    """Split each text into its lower-case words of three letters or more."""
    texts = texts.cast(pl.String)  # a column without any text has no type
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
