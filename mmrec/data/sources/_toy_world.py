"""The toy world: a catalogue of independent attributes and shoppers whose tastes each hang on one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GARMENTS = ("hat", "shirt", "trousers", "shoes", "bag")
COLOURS = ("red", "green", "blue", "yellow")
PATTERNS = ("plain", "hoops", "pinstripes", "dots")
MOTIFS = ("star", "sun", "peak", "cross")
BADGES = ("purple", "orange", "black", "teal")
BRANDS = (
    *("Norvale", "Tamsin", "Quillor", "Bexley", "Ardmore", "Kestin", "Lorrim", "Oswick"),
    *("Pellard", "Rivenna", "Sorrel", "Thornby", "Ulmere", "Verrick", "Wexcombe", "Yarrow"),
)
"""Brand b has the motif b // 4 on a badge of colour b % 4: a brand can be read as well as seen."""
FAMILIES = (
    ("linen", "flax", "homespun", "breezy"),
    ("denim", "selvedge", "rugged", "workwear"),
    ("velvet", "plush", "opulent", "evening"),
    ("wool", "merino", "knitted", "cosy"),
    ("silk", "satin", "lustrous", "draped"),
    ("leather", "suede", "biker", "studded"),
    ("cotton", "jersey", "casual", "everyday"),
    ("nylon", "ripstop", "technical", "trail"),
    ("lace", "crochet", "romantic", "bridal"),
    ("tweed", "woollen", "heritage", "country"),
    ("fleece", "polar", "alpine", "thermal"),
    ("corduroy", "needlecord", "retro", "vintage"),
    ("mesh", "breathable", "athletic", "sprint"),
    ("canvas", "waxed", "nautical", "harbour"),
    ("cashmere", "featherlight", "luxury", "boutique"),
    ("bamboo", "organic", "botanical", "yoga"),
)
"""Words of one material and style; only texts show them."""

TASTES = ("image", "text", "order", "long_term")
LOYALTY = 0.95  # chance that a held-out event follows the taste
STRETCH = (26, 30)  # events of other brands before a long-term shopper returns to the favourite

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Catalogue:
    """Items by attribute, each (n,) int64, all drawn independently and about equally often.

    Args:
        garment: index into `GARMENTS`; in text and picture.
        look: colour * 4 + pattern; in the picture alone.
        family: index into `FAMILIES`; in the text alone.
        brand: index into `BRANDS`; in text and picture.
        intact: (n,) bool, false for the few items without a picture or a text.
    """

    garment: Ints
    look: Ints
    family: Ints
    brand: Ints
    intact: Bools

    @classmethod
    def draw(cls, n_items: int, n_flawed: int, rng: np.random.Generator) -> Catalogue:
        """Draw `n_items`, the first `n_flawed` of which are not intact."""
        sizes = (len(GARMENTS), len(COLOURS) * len(PATTERNS), len(FAMILIES), len(BRANDS))
        columns = (rng.permutation(np.arange(n_items) % size) for size in sizes)
        return cls(*columns, intact=np.arange(n_items) >= n_flawed)

    @property
    def step(self) -> Ints:
        """(n,) place in the cycle that shoppers with a taste for order follow: 20 pairs of garment and motif."""
        # 5 garments and 4 motifs advance together and meet again after 20 steps, so every pair has its place.
        places = {(place % len(GARMENTS), place % len(MOTIFS)): place for place in range(20)}
        motif = self.brand // len(BADGES)
        return np.array([places[pair] for pair in zip(self.garment.tolist(), motif.tolist(), strict=True)])


class Shopper:
    """Buys items one after the other, none twice.

    Args:
        catalogue: what there is.
        rng: source of chance.
    """

    def __init__(self, catalogue: Catalogue, rng: np.random.Generator) -> None:
        self.catalogue = catalogue
        self.rng = rng
        self.bought: list[int] = []
        self.left = np.ones(len(catalogue.look), dtype=bool)

    def buy(self, wanted: Bools | None = None, loyalty: float = 1.0) -> None:
        """Buy an intact item of the wanted ones; with chance 1 - loyalty, or if none is left, any item at all."""
        if wanted is not None and self.rng.random() < loyalty:
            choice = np.flatnonzero(wanted & self.left & self.catalogue.intact)
        else:
            choice = np.flatnonzero(self.left)
        if not len(choice):
            choice = np.flatnonzero(self.left)
        item = int(self.rng.choice(choice))
        self.left[item] = False
        self.bought.append(item)

    def like(self, wanted: Bools) -> list[int]:
        """Buy 12 to 20 items, two of three after the taste, the last two nearly always so."""
        for _ in range(self.rng.integers(10, 19)):
            self.buy(wanted, loyalty=0.65)
        return self._hold_out(wanted)

    def follow_order(self) -> list[int]:
        """Buy 22 to 30 items, each one step of the cycle after the one before it."""
        step = self.catalogue.step
        self.buy(self.catalogue.intact)
        for _ in range(self.rng.integers(21, 30)):
            self.buy(step == (step[self.bought[-1]] + 1) % 20, LOYALTY)
        return self.bought

    def return_late(self, favourite: Bools) -> list[int]:
        """Buy favourites early, then once after each long stretch of others; the last two are favourites."""
        # Never two favourites in a row before the end: what comes next cannot be told from what came last.
        for _ in range(10):
            self.buy(favourite)
            self.buy(~favourite)
        for _ in range(self.rng.integers(0, 2)):
            self._stretch(~favourite)
            self.buy(favourite)
        self._stretch(~favourite)
        return self._hold_out(favourite)

    def _stretch(self, others: Bools) -> None:
        for _ in range(self.rng.integers(STRETCH[0], STRETCH[1] + 1)):
            self.buy(others)

    def _hold_out(self, wanted: Bools) -> list[int]:
        for _ in range(2):
            # A miss is intact too, lest dropping it by the modality filter shifts what is held out.
            self.buy(wanted if self.rng.random() < LOYALTY else self.catalogue.intact)
        return self.bought


def shop(catalogue: Catalogue, n_users: int, rng: np.random.Generator) -> Iterator[tuple[str, list[int]]]:
    """Yield the taste of each user and the items bought, in order. The tastes have equally many users."""
    for user in range(n_users):
        taste, turn = TASTES[user % len(TASTES)], user // len(TASTES)
        shopper = Shopper(catalogue, rng)
        if taste == "order":
            yield taste, shopper.follow_order()
        elif taste == "long_term":
            yield taste, shopper.return_late(catalogue.brand == turn % len(BRANDS))
        else:
            attribute: NDArray[Any] = catalogue.look if taste == "image" else catalogue.family
            yield taste, shopper.like(attribute == turn % 16)
