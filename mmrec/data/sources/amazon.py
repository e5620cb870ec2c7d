"""Amazon reviews as released: 2018 (Ni, Li and McAuley, EMNLP 2019) and 2023 (Hou et al., arXiv:2403.03952)."""

from __future__ import annotations

import gzip
import html
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Rejected
from mmrec.data.sources._events import check_events, find_images, merge_rejected
from mmrec.data.sources._paths import find_raw
from mmrec.errors import UserError

ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
TAG = re.compile(r"<[^>]+>")
BROKEN = "broken JSON"


class Amazon:
    """Reviews and product records of one category; the release is told by the fields of the files.

    The folder holds the reviews (`<category>.json.gz` or `<category>_5.json.gz` in 2018, `<Category>.jsonl.gz` in
    2023, compressed or not), the product records (`meta_<category>...`) and the product images,
    `images/<product id>.jpg` (or .png, .webp). Without product records there is neither text nor image.

    Args:
        path: the folder, see `find_raw`.
        category: as the files are named, in any letter case.
        images: folder of the images; `<path>/images` if null.
        name: of the dataset.
    """

    def __init__(
        self, path: str, category: str = "AMAZON_FASHION", images: str | None = None, name: str = "amazon-fashion"
    ) -> None:
        self.path = path
        self.category = category
        self.images = images
        self.name = name

    def options(self) -> dict[str, object]:
        """Return the category."""
        return {"category": self.category}

    def image_folder(self) -> Path | None:
        """Return the folder of the images, None if there is none."""
        folder = find_raw(self.path) / "images" if self.images is None else find_raw(self.images)
        return folder if folder.is_dir() else None

    def files(self) -> list[Path]:
        """Return the reviews and, if there are any, the product records.

        Raises:
            UserError: no reviews of the category, or several files that could be them.
        """
        folder = find_raw(self.path)
        wanted = self.category.lower()
        reviews = _named(folder, {wanted, f"{wanted}_5"})
        if len(reviews) != 1:
            found = ", ".join(path.name for path in reviews) or ", ".join(p.name for p in sorted(folder.iterdir())[:8])
            problem = "several files that could be the reviews" if reviews else f"no reviews of {self.category}"
            raise UserError(
                f"{folder} holds {problem} (found: {found or 'nothing'}): keep one {self.category}.json.gz, "
                f"{self.category}_5.json.gz or .jsonl.gz, or set data.source.init_args.category"
            )
        return reviews + _named(folder, {f"meta_{wanted}"})[:1]

    def read(self) -> RawData:
        """Read everything."""
        files = self.files()
        rows, broken = _read_json_lines(files[0], _review)
        columns = ("user", "item", "timestamp", "rating", "line")
        schema = dict.fromkeys(columns[:4], pl.String) | {"line": pl.Int64}
        events, rejected = check_events(pl.DataFrame(rows, schema=schema, orient="row"), files[0])
        rows_read = len(rows) + sum(entry.count for entry in broken.values())
        images = find_images(folder) if (folder := self.image_folder()) else {}
        items: list[tuple[Any, ...]] = []
        broken_records: dict[str, Rejected] = {}
        if len(files) > 1:
            items, broken_records = _read_json_lines(files[1], lambda record, line: _product(record, images))
            rows_read += len(items) + sum(entry.count for entry in broken_records.values())
        return RawData(
            interactions=events.lazy(),
            items=pl.DataFrame([item for item in items if item[0]], schema=ITEM_COLUMNS, orient="row"),
            rows_read=rows_read,
            rejected=merge_rejected(broken, rejected, broken_records),
        )


def _named(folder: Path, stems: set[str]) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if any(path.name.lower() == stem + ending for stem in stems for ending in ENDINGS)
    ]


def _read_json_lines(
    file: Path, convert: Callable[[dict[str, Any], int], tuple[Any, ...]]
) -> tuple[list[tuple[Any, ...]], dict[str, Rejected]]:
    """Convert each line's object; count the lines that are none."""
    rows, broken, first = [], 0, 0
    for number, line in _lines(file):
        try:
            record = json.loads(line)
        except ValueError:  # includes text that is not UTF-8
            record = None
        if isinstance(record, dict):
            rows.append(convert(record, number))
        elif line.strip():
            broken, first = broken + 1, first or number
    return rows, {BROKEN: Rejected(broken, f"{file}:{first}")} if broken else {}


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                yield number, line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{file}:{number + 1}: the gzip data ends or breaks here ({error}); download it again") from None


def _review(record: dict[str, Any], line: int) -> tuple[str | None, str | None, str | None, str | None, int]:
    """Return user, item, time in seconds, rating and line of a review of either release."""
    time = record.get("unixReviewTime")
    if time is None and isinstance(record.get("timestamp"), int):
        time = record["timestamp"] // 1000  # 2023 counts milliseconds
    return (
        _string(record.get("reviewerID", record.get("user_id"))),
        _string(record.get("parent_asin", record.get("asin"))),
        _string(time),
        _string(record.get("overall", record.get("rating"))),
        line,
    )


def _product(record: dict[str, Any], images: dict[str, str]) -> tuple[str, str, str, str | None, str]:
    """Return id, title, text, image and facts of a product record of either release."""
    item = _string(record.get("parent_asin", record.get("asin"))) or ""
    title = _clean(record.get("title"))
    brand = _clean(record.get("brand") or record.get("store"))
    categories = _texts(record.get("category") or record.get("categories"))
    features = _texts(record.get("feature") or record.get("features"))
    text = ". ".join(part for part in (title, brand, *categories, *features, *_texts(record.get("description"))) if part)
    facts: dict[str, Any] = {"brand": brand, "categories": categories, "price": _clean(record.get("price"))}
    details = record.get("details")
    if isinstance(details, dict):
        facts |= {_clean(key): _clean(value) for key, value in details.items() if not isinstance(value, dict | list)}
    for feature in features:
        key, colon, value = feature.partition(": ")
        if colon and len(key.split()) <= 2:  # "Material: linen" is a fact, a sentence with a colon is not
            facts.setdefault(key.lower(), value)
    known = {key: value for key, value in facts.items() if key and value}
    return item, title, text, images.get(item), json.dumps(known, ensure_ascii=False)


def _texts(value: object) -> list[str]:
    """Return the cleaned, non-empty strings of a string or a list."""
    values = value if isinstance(value, list) else [value]
    return [text for text in map(_clean, values) if text]


def _clean(value: object) -> str:
    """Unescape HTML, drop its tags, and join the lines."""
    if value is None or isinstance(value, dict | list):
        return ""
    return " ".join(TAG.sub(" ", html.unescape(str(value))).split())


def _string(value: object) -> str | None:
    return None if value is None or isinstance(value, dict | list | bool) else str(value)
