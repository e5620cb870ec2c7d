"""The embedded data set: a small shop, written as raw Amazon files of the 2018 release and read like any other."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

from mmrec.data.schema import RawData, Source
from mmrec.data.sources.amazon import Amazon
from mmrec.data.sources.toy.shop import Product, make_products, photo, record
from mmrec.data.sources.toy.users import make_histories
from mmrec.errors import UserError
from mmrec.utils.lock import locked

CATEGORY = "TOY_SHOP"
STAMP = "toy.json"
VERSION = 1
"""Raised when the generator writes something else for the same arguments."""
DAY = 86_400  # Amazon's times have no hours
OPENING = 1_420_070_400  # 2015-01-01


class Toy(Source):
    """A seeded shop of 288 products whose customers have planted tastes (see `users.py`); flawed as real data is.

    A few products lack a photo or a text, one photo is cut off, a few lines are broken, and many times tie. Beside the
    raw files stands `tastes.csv` (user, taste), which no reader opens: it is for looking at results.

    Args:
        path: where the raw files are written on first use.
        seed: of the generator.
        users: number of customers.
        name: of the dataset.
    """

    def __init__(self, path: str = "data/toy/raw", seed: int = 0, users: int = 800, name: str = "toy") -> None:
        self.path = path
        self.seed = seed
        self.users = users
        self.name = name

    def options(self) -> dict[str, object]:
        """Return seed and size."""
        return {"seed": self.seed, "users": self.users}

    def image_folder(self) -> Path | None:
        """Return the folder of the photos."""
        return self._reader().image_folder()

    def files(self) -> list[Path]:
        """Return reviews and product records, writing them first if need be.

        Raises:
            UserError: `path` is a folder of something else.
        """
        return self._reader().files()

    def read(self) -> RawData:
        """Read what was written, as Amazon's."""
        return self._reader().read()

    def _reader(self) -> Amazon:
        folder = Path(self.path)
        stamp = {"version": VERSION, **self.options()}
        if not _is_stamped(folder, stamp):  # without the lock: what is there may be read-only
            with locked(folder):
                if not _is_stamped(folder, stamp):
                    _write_beside(folder, stamp, self.seed, self.users)
        return Amazon(str(folder.absolute()), CATEGORY, name=self.name)


def _is_stamped(folder: Path, stamp: dict[str, object]) -> bool:
    if not folder.exists():
        return False
    if not (folder / STAMP).is_file():
        raise UserError(f"{folder} exists and is no toy shop: give data.source.init_args.path another place")
    return bool(json.loads((folder / STAMP).read_text()) == stamp)


def _write_beside(folder: Path, stamp: dict[str, object], seed: int, users: int) -> None:
    """Write the whole shop into a folder beside, then put it in place."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run has left
    (partial / "images").mkdir(parents=True)
    try:
        rng = random.Random(seed)
        products = make_products(rng)
        _write_products(partial, products, rng)
        _write_reviews(partial, products, users, rng)
        (partial / STAMP).write_text(json.dumps(stamp))
        if folder.exists():
            shutil.rmtree(folder)  # an earlier shop of other arguments, see _is_stamped
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_products(folder: Path, products: list[Product], rng: random.Random) -> None:
    flawed = rng.sample(products, 9)
    without_image, without_text, cut_off = set(flawed[:4]), set(flawed[4:8]), flawed[8]
    lines = []
    for product in products:
        entry = record(product, rng)
        image = photo(product, rng)
        if product in without_text:
            entry |= {"title": "", "brand": "", "category": [], "feature": [], "description": []}
        lines.append(json.dumps(entry))
        if product not in without_image:
            picture = io.BytesIO()
            image.save(picture, "JPEG", quality=90)
            content = picture.getvalue()
            (folder / "images" / f"{product.asin}.jpg").write_bytes(content[:9] if product == cut_off else content)
    lines.insert(100, '{"asin": "B000000000", "title": "cut')
    _write_gzip(folder / f"meta_{CATEGORY}.json.gz", lines)


def _write_reviews(folder: Path, products: list[Product], users: int, rng: random.Random) -> None:
    reviews: list[tuple[int, dict[str, Any]]] = []
    ids = [f"A{number:013X}" for number in rng.sample(range(16**9), users)]
    histories = make_histories(products, users, rng)
    for user, (_, history) in zip(ids, histories, strict=True):
        day = rng.randrange(700)
        for product in history:
            day += rng.choice((0, 0, 1, 2, 5))  # two in five purchases fall on the day of the one before
            entry = {"reviewerID": user, "asin": product.asin, "overall": float(rng.choice((3, 4, 4, 5, 5, 5)))}
            reviews.append((day, {**entry, "verified": True, "unixReviewTime": OPENING + day * DAY}))
    reviews.sort(key=lambda entry: entry[0])  # stable: on one day a customer's purchases stay in their order
    lines = [json.dumps(review) for _, review in reviews]
    for place in sorted(
        rng.sample(range(len(lines)), 12), reverse=True
    ):  # from the end: what is before keeps its place
        lines.insert(place, _flawed_line(reviews[place][1], place))
    _write_gzip(folder / f"{CATEGORY}.json.gz", lines)
    with (folder / "tastes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("user", "taste"), *sorted(zip(ids, (taste for taste, _ in histories), strict=True))]
        )


def _flawed_line(review: dict[str, Any], place: int) -> str:
    """Return a line that a reader must reject, or one that repeats a purchase."""
    if place % 4 == 0:
        return json.dumps(review)[:-20]
    if place % 4 == 1:
        return json.dumps({**review, "reviewerID": ""})
    if place % 4 == 2:
        return json.dumps({**review, "unixReviewTime": -1})
    return json.dumps(review)


def _write_gzip(path: Path, lines: list[str]) -> None:
    """Write lines with no time stamp inside, so that equal content is equal bytes."""
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
