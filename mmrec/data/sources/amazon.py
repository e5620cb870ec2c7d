"""Amazon reviews as released: 2018 (Ni, Li and McAuley, EMNLP 2019) and 2023 (Hou et al., arXiv:2403.03952)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Rejected, Source, merge_rejected
from mmrec.data.sources.readers.events import check_events, find_images
from mmrec.data.sources.readers.ids import EXACT
from mmrec.data.sources.readers.jsonl import Record, has_lost_digits, read_records, read_table, repeats_a_key
from mmrec.data.sources.readers.paths import find_raw
from mmrec.data.sources.readers.texts import plain_text
from mmrec.errors import UserError

ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
WHOLE = re.compile(r"-?[0-9]{1,18}")
ID = "^[0-9A-Za-z_-]+$"
REVIEW_FIELDS = ("reviewerID", "user_id", "asin", "parent_asin", "unixReviewTime", "timestamp", "overall", "rating")
REVIEW = pl.Schema(
    {
        "user": pl.Categorical(),
        "item": pl.Categorical(),
        "timestamp": pl.Int64(),
        "fraction": pl.Int32(),
        "rating": pl.Categorical(),
    }
)


class Amazon(Source):
    """Reviews and product records of one category; the fields of the files tell the release.

    The folder holds the reviews (`<category>.json.gz` or `<category>_5.json.gz` in 2018, `<Category>.jsonl.gz` in
    2023, compressed or not), the product records (`meta_<category>...`) and the product images,
    `images/<product id>.jpg` (or .png, .webp). Without product records items have neither text nor image.

    Args:
        path: the folder, or the file of the reviews in the folder of the rest, see `find_raw`.
        category: category as the files are named, in any letter case; a file of reviews names its own.
        meta: file of the product records; `meta_<category>...` in the folder of the reviews if null.
        images: folder of the images, empty before the first download; `images` next to the reviews if null.
        name: the dataset's name.
    """

    def __init__(
        self,
        path: str,
        category: str = "AMAZON_FASHION",
        meta: str | None = None,
        images: str | None = None,
        name: str = "amazon-fashion",
    ) -> None:
        self.path = path
        self.category = category
        self.meta = meta
        self.images = images
        self.name = name

    def options(self) -> dict[str, object]:
        """Return the category, as the file of the reviews names it."""
        return {"category": self._reviews().name.split(".")[0].removesuffix("_5")}

    def image_folder(self) -> Path | None:
        """Return the folder of the images."""
        return self._reviews().parent / "images" if self.images is None else find_raw(self.images)

    def files(self) -> list[Path]:
        """Return the reviews and, if there are any, the product records.

        Raises:
            UserError: no reviews of the category, several files that could be them, or no such product records.
        """
        reviews = self._reviews()
        if self.meta is not None:
            return [reviews, find_raw(self.meta)]
        stem = reviews.name.split(".")[0].removesuffix("_5")
        records = _named(reviews.parent, {f"meta_{stem.lower()}"})
        # The releases spell the categories apart: records of the same spelling belong to these reviews.
        records = [path for path in records if path.name.split(".")[0] == f"meta_{stem}"] or records
        if len(records) > 1:
            names = ", ".join(path.name for path in records)
            raise UserError(
                f"{reviews.parent} holds several files of product records ({names}): keep one, "
                "or name it in the option meta"
            )
        return [reviews, *records]

    def read(self) -> RawData:
        """Read everything."""
        files = self.files()
        table, lines, broken = read_table(files[0], REVIEW, _clean_reviews, _review)
        rows = table.lazy().select(pl.col("user", "item", "rating").cast(pl.String), "timestamp", "fraction")
        events = check_events(rows, lambda row: f"{files[0]}:{lines[row]}")
        rejected = merge_rejected(broken, events.rejected)
        rejected_items: dict[str, Rejected] = {}
        items: list[tuple[Any, ...]] = []
        if len(files) > 1:
            images = find_images(self.image_folder())
            records, broken = read_records(files[1], lambda record: _product(record, images))
            items = [item for item in records if item[0]]
            nameless = len(records) - len(items)
            rejected_items = {
                **broken,
                **({"product without id": Rejected(nameless, str(files[1]))} if nameless else {}),
            }
        return RawData(
            interactions=events.rows.lazy(),
            items=pl.DataFrame(items, schema=ITEM_COLUMNS, orient="row"),
            rows_read=table.height + (rejected["broken JSON"].count if "broken JSON" in rejected else 0),
            rejected=rejected,
            item_rows_read=len(items) + sum(bad.count for bad in rejected_items.values()),
            rejected_items=rejected_items,
            repeated_items=len(items) - len({item[0] for item in items}),
            notes=events.notes,
        )

    def _reviews(self) -> Path:
        place = find_raw(self.path)
        if place.is_file():
            return place
        wanted = self.category.lower()
        reviews = _named(place, {wanted, f"{wanted}_5"})
        if len(reviews) != 1:
            found = ", ".join(path.name for path in reviews) or ", ".join(p.name for p in sorted(place.iterdir())[:8])
            problem = "several files that could be the reviews" if reviews else f"no reviews of {self.category}"
            raise UserError(
                f"{place} holds {problem} (found: {found or 'nothing'}): keep one {self.category}.json.gz, "
                f"{self.category}_5.json.gz or .jsonl.gz, name the file in the option path, or set category"
            )
        return reviews[0]


def _named(folder: Path, stems: set[str]) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if any(path.name.lower() == stem + ending for stem in stems for ending in ENDINGS)
    ]


def _clean_reviews(block: bytes) -> pl.DataFrame | None:
    """Read a block of reviews of either release; None unless every line has an ordinary user, item and time."""
    try:
        fields = pl.read_ndjson(block, schema=dict.fromkeys(REVIEW_FIELDS, pl.String))
    except (pl.exceptions.PolarsError, OSError):
        return None
    if repeats_a_key(block, fields) or has_lost_digits(block, fields.select(*REVIEW_FIELDS[:4])):
        return None
    milliseconds = pl.col("timestamp").str.strip_suffix(".0").cast(pl.Int64, strict=False)
    table = fields.select(
        user=pl.coalesce("reviewerID", "user_id"),
        item=pl.coalesce("parent_asin", "asin"),
        timestamp=pl.coalesce("unixReviewTime", (milliseconds // 1000).cast(pl.String)),
        fraction=pl.when(pl.col("unixReviewTime").is_null()).then(milliseconds % 1000 * 10**6).otherwise(0),
        rating=pl.coalesce("overall", "rating"),
    )
    ids = [pl.col(column) for column in ("user", "item")]
    ordinary = (column.str.contains(ID) & ~column.is_in(["true", "false"]) for column in ids)  # not a JSON boolean
    good = table.select(pl.all_horizontal(*ordinary, pl.col("timestamp").is_not_null()).fill_null(False).all()).item()
    return table if good else None


def _review(record: Record) -> tuple[str | None, str | None, str | None, str, str | None]:
    """Return user, item, seconds, nanoseconds and rating of a review of either release, None where not usable."""
    time, fraction = _string(record.get("unixReviewTime")), 0
    if time is None and WHOLE.fullmatch(milliseconds := _string(record.get("timestamp")) or ""):
        time, fraction = str(int(milliseconds) // 1000), int(milliseconds) % 1000 * 10**6  # 2023 counts milliseconds
    rating = _either(record, "overall", "rating")
    return (
        _string(_either(record, "reviewerID", "user_id")),
        _string(_either(record, "parent_asin", "asin")),
        time,
        str(fraction),
        None if rating is None else str(rating),
    )


def _either(record: Record, first: str, second: str) -> object:
    """Return the value of the first key, or of the second where that is missing or null."""
    value = record.get(first)
    return record.get(second) if value is None else value


def _product(record: Record, images: dict[str, str]) -> tuple[str, str, str, str | None, str | None, str]:
    """Return id, title, text, image, its address and facts of a product record of either release."""
    item = _string(_either(record, "parent_asin", "asin")) or ""
    title = _clean(record.get("title"))
    brand = _clean(record.get("brand") or record.get("store"))
    categories = _texts(record.get("category") or record.get("categories"))
    features = _texts(record.get("feature") or record.get("features"))
    parts = (title, brand, *categories, *features, *_texts(record.get("description")))
    text = ". ".join(part for part in parts if part)
    facts: dict[str, Any] = {"brand": brand, "categories": categories, "price": _price(record.get("price"))}
    details = record.get("details")
    if isinstance(details, dict):
        facts |= {_clean(key): _clean(value) for key, value in details.items() if not isinstance(value, dict | list)}
    for feature in features:
        key, colon, value = feature.partition(": ")
        if colon and len(key.split()) <= 2:  # "Material: linen" is a fact, a sentence with a colon is not
            facts.setdefault(key.lower(), value)
    known = {key: value for key, value in facts.items() if key and value}
    return item, title, text, images.get(item), _image_url(record), json.dumps(known, ensure_ascii=False)


def _image_url(record: Record) -> str | None:
    """Return the address of the first image: in 2023 the large one (500 pixels), in 2018 the high resolution."""
    for field in ("images", "imageURLHighRes", "imageURL"):
        images = record.get(field)
        for image in images if isinstance(images, list) else [images]:
            sizes = [image.get(size) for size in ("large", "hi_res", "thumb")] if isinstance(image, dict) else [image]
            for url in sizes:
                if isinstance(url, str) and url.startswith(("http://", "https://")):
                    return url
    return None


def _texts(value: object) -> list[str]:
    """Return the cleaned, non-empty strings of a string or a list."""
    values = value if isinstance(value, list) else [value]
    return [text for text in map(_clean, values) if text]


def _clean(value: object) -> str:
    """Return a text without HTML, its lines joined."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = " ".join(plain_text(str(value)).split())
    return text.encode(errors="replace").decode()  # half of a surrogate pair cannot be encoded


def _price(value: object) -> str:
    """Return the price as given; the 2018 crawl often holds a page's style sheet instead."""
    price = _clean(value)
    return price if len(price) <= 30 and any(character.isdigit() for character in price) else ""


def _string(value: object) -> str | None:
    """Return an id or a number as text, None if it is neither."""
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < EXACT else None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    return text if (text := str(value)).isprintable() else None
