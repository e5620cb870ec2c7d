"""The embedded dataset: a small shop, written as raw Amazon files of the 2018 release and read like any other."""

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
from mmrec.data.sources.toy.shop import Product, draw_photo, make_products, make_record
from mmrec.data.sources.toy.users import make_histories
from mmrec.errors import UserError
from mmrec.utils.json_files import read_json
from mmrec.utils.lock import locked

CATEGORY = "TOY_SHOP"
STAMP = "toy.json"
VERSION = 1
"""Increased when the generator writes something else for the same arguments."""
DAY = 86_400  # seconds; Amazon's times have no hours
OPENING = 1_420_070_400  # 2015-01-01


class Toy(Source):
    """A seeded shop of 288 products whose customers have planted tastes (see `users.py`), with the flaws of real data.

    A few products lack a photo or a text, one photo is cut off, a few lines are broken, and many times tie. The folder
    of the raw files also holds `tastes.csv` (user, taste), which no reader opens: it helps to interpret results.

    Args:
        path: folder of the raw files, which are written on first use.
        seed: seed of the generator.
        users: number of customers.
        name: the dataset's name.
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
        """Return reviews and product records, which are written on first use.

        Raises:
            UserError: `path` is a folder of other files.
        """
        return self._reader().files()

    def read(self) -> RawData:
        """Read the files as those of Amazon."""
        return self._reader().read()

    def _reader(self) -> Amazon:
        folder = Path(self.path)
        stamp = {"version": VERSION, **self.options()}
        if not _is_stamped(folder, stamp):  # without the lock: an existing shop may be read-only
            with locked(folder):
                if not _is_stamped(folder, stamp):
                    _write_shop(folder, stamp, self.seed, self.users)
        return Amazon(str(folder.absolute()), CATEGORY, name=self.name)


def _is_stamped(folder: Path, stamp: dict[str, object]) -> bool:
    if not folder.exists():
        return False
    if not (folder / STAMP).is_file():
        raise UserError(f"{folder} exists and is not a toy shop: set the option path to another folder")
    return bool(read_json(folder / STAMP, {}, f"remove {folder}") == stamp)


def _write_shop(folder: Path, stamp: dict[str, object], seed: int, users: int) -> None:
    """Write the whole shop into a temporary folder, then rename it."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed run
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
        entry = make_record(product, rng)
        image = draw_photo(product, rng)
        if product in without_text:
            entry |= {"title": "", "brand": "", "category": [], "feature": [], "description": []}
        lines.append(json.dumps(entry))
        if product not in without_image:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=90)
            content = buffer.getvalue()
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
    ):  # from the end, so that earlier places stay valid
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
    """Write lines without a time stamp, so that equal content gives equal bytes."""
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
