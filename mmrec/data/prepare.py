"""Raw data to a dataset on disk: filters, k-core, indices, split, manifest; atomic, re-used while nothing changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
from filelock import FileLock
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import mmrec
from mmrec.data.manifest import FILE, FORMAT_VERSION, Manifest
from mmrec.data.schema import RawData, Rejected, Source, Split
from mmrec.data.split import SplitRule, split_interactions
from mmrec.errors import UserError


@dataclass(frozen=True)
class PrepareOptions:
    """How raw interactions become a dataset; the defaults are the paper's.

    Args:
        user_core: interactions a user must have.
        item_core: interactions an item must have.
        iterate_core: repeat both filters until nothing changes (a k-core); false applies them once.
        require_text: drop items without text.
        require_image: drop items without a readable image.
        repeats: of repeated user-item pairs keep the first event or all.
        split: see `split_interactions`.
        min_rating: drop interactions rated lower, or not rated.
        max_bad_share: share of bad rows above which preparation stops.
    """

    user_core: int = 5
    item_core: int = 20
    iterate_core: bool = True
    require_text: bool = True
    require_image: bool = True
    repeats: Literal["first", "all"] = "first"
    split: SplitRule = "ratio"
    min_rating: float | None = None
    max_bad_share: float = 0.01


def prepare(source: Source, options: PrepareOptions, root: Path) -> Path:
    """Prepare a dataset, or find that it is there.

    The folder is `<root>/<name>/<fingerprint>/`, and the fingerprint covers the content of every input file, the list
    of images and all options: what exists is up to date, and nothing is ever overwritten.

    Args:
        source: reads the raw files.
        options: filters and split.
        root: where prepared datasets are kept.

    Returns:
        the dataset's folder.

    Raises:
        UserError: a file is missing or malformed, too many rows are bad, or nothing is left after filtering.
    """
    inputs = [_describe_file(path) for path in source.files()]
    folder = root / source.name / _fingerprint(source, options, inputs)[:12]
    if (folder / FILE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if (folder / FILE).is_file():  # another process has made it meanwhile
            return folder
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # what a killed run has left
        partial.mkdir()
        try:
            _build(source, options, inputs, partial)
            os.rename(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _fingerprint(source: Source, options: PrepareOptions, inputs: list[dict[str, Any]]) -> str:
    image_folder = source.image_folder()
    images: list[object] = []
    if image_folder is not None:
        # With the place, since items.parquet has absolute paths: they would dangle once the images have moved.
        images = [str(image_folder.absolute()), sorted((e.name, e.stat().st_size) for e in os.scandir(image_folder))]
    content = [entry["sha256"] for entry in inputs]
    identity = [FORMAT_VERSION, type(source).__name__, source.options(), asdict(options), content, images]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _describe_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}


def _build(source: Source, options: PrepareOptions, inputs: list[dict[str, Any]], folder: Path) -> None:
    with _steps(f"preparing {source.name}", 5) as step:
        step("reading")
        raw = source.read()
        if not raw.rows_read:
            raise UserError("the raw files hold no rows at all: check data.source")
        _check_bad_share(raw.rejected, raw.rows_read, "rows", options.max_bad_share)
        events, raw_users, raw_items = _encode_ids(raw.interactions.collect())
        step("checking images")
        items = _item_table(raw, raw_items)
        with_image = items["image"].count()
        items, unreadable = _check_images(items)
        _check_bad_share(unreadable, with_image, "images", options.max_bad_share)
        step("filtering")
        events, dropped = _filter(events, items, options)
        step("splitting")
        events = events.sort("user", "timestamp", "row")  # ties in time keep the file's order
        events = events.with_columns(split=split_interactions(events, options.split))
        events, user_order, item_order = _relabel(events)
        step("writing")
        table = events.select(
            pl.col("user").cast(pl.Int32), pl.col("item").cast(pl.Int32), "timestamp", pl.col("split").cast(pl.Int8)
        )
        table.write_parquet(folder / "interactions.parquet")
        users = pl.DataFrame({"raw_id": raw_users.gather(user_order)}).with_row_index("user")
        users.with_columns(pl.col("user").cast(pl.Int32)).write_parquet(folder / "users.parquet")
        kept_items = _with_padding(items[item_order])
        kept_items.write_parquet(folder / "items.parquet")
        rejected = {**raw.rejected, **unreadable}
        _manifest(source, options, inputs, raw, rejected, dropped, table, kept_items, len(users)).save(folder)


@contextmanager
def _steps(title: str, total: int) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=total)
        done = -1

        def step(name: str) -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=done, description=f"{title}: {name}")

        yield step


def _check_bad_share(rejected: dict[str, Rejected], total: int, what: str, limit: float) -> None:
    bad = sum(entry.count for entry in rejected.values())
    if bad > limit * total:
        kind, worst = max(rejected.items(), key=lambda entry: entry[1].count)
        raise UserError(
            f"{bad:,} of {total:,} {what} are bad, more than data.prepare.max_bad_share ({limit:.2%}) allows; "
            f"most often: {kind} ({worst.count:,}, first at {worst.first})"
        )


def _encode_ids(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
    """Replace raw ids by codes in order of appearance; return the table with its row numbers and the ids by code."""
    table = table.with_row_index("row")
    ids = {}
    for column in ("user", "item"):
        ids[column] = table[column].unique(maintain_order=True)
        codes = pl.DataFrame({column: ids[column]}).with_row_index("code")
        table = table.join(codes, on=column, how="left", maintain_order="left").drop(column)
        table = table.rename({"code": column})
    return table, ids["user"], ids["item"]


def _item_table(raw: RawData, raw_items: pl.Series) -> pl.DataFrame:
    """Return what is known of each interacted item, row = code; a blank text counts as none."""
    known = raw.items.unique("item", keep="first", maintain_order=True)
    table = pl.DataFrame({"item": raw_items}).join(known, on="item", how="left", maintain_order="left")
    blank = pl.col("text").str.strip_chars() == ""
    return table.with_columns(text=pl.when(blank).then(None).otherwise(pl.col("text")))


def _check_images(items: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Rejected]]:
    """Open every image; return the items with only readable ones, and how many were not."""

    def readable(path: str | None) -> bool:
        if path is None:
            return False
        try:
            with Image.open(path) as image:
                image.draft("L", (1, 1))  # JPEG only: decodes at an eighth of the size
                image.load()  # not verify(), which does not see that a JPEG is cut off
        except Exception:  # what a decoder raises on a malformed file is anyone's guess
            return False
        return True

    with ThreadPoolExecutor() as pool:
        good = pl.Series(pool.map(readable, items["image"]), dtype=pl.Boolean)
    bad = items.filter(~good)["image"].drop_nulls()
    checked = items.with_columns(image=pl.when(good).then(pl.col("image")))
    return checked, {"unreadable image": Rejected(len(bad), bad[0])} if len(bad) else {}


def _filter(events: pl.DataFrame, items: pl.DataFrame, options: PrepareOptions) -> tuple[pl.DataFrame, dict[str, int]]:
    """Apply all filters; return what is left and how many interactions each filter took."""
    dropped: dict[str, int] = {}

    def keep(name: str, left: pl.DataFrame) -> pl.DataFrame:
        dropped[name] = events.height - left.height
        if not left.height:
            raise UserError(f"no interaction is left after the filter {name}: relax data.prepare.{name}")
        return left

    if options.min_rating is not None:
        events = keep("min_rating", events.filter(pl.col("rating") >= options.min_rating))
    for name, column, required in (
        ("require_text", "text", options.require_text),
        ("require_image", "image", options.require_image),
    ):
        if required:
            present = items.with_row_index("code").filter(pl.col(column).is_not_null())["code"]
            events = keep(name, events.filter(pl.col("item").is_in(present.implode())))
    if options.repeats == "first":
        events = events.sort("timestamp", "row")
        events = keep("repeats", events.unique(["user", "item"], keep="first", maintain_order=True))
    before = events.height
    while True:
        enough = (pl.len().over("user") >= options.user_core) & (pl.len().over("item") >= options.item_core)
        left = events.filter(enough)
        done = left.height == events.height or not options.iterate_core
        events = left
        if done:
            break
    dropped["core"] = before - events.height
    if not events.height:
        raise UserError(
            f"no interaction is left after the {options.user_core}/{options.item_core}-core: "
            "lower data.prepare.user_core or item_core"
        )
    return events, dropped


def _relabel(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
    """Number users from 0 and items from 1 by first appearance in the file, whatever their raw ids are.

    Returns:
        the events grouped by user, chronological, and the old codes of users and items in their new order.
    """
    in_file = events.sort("row")
    orders = {column: in_file[column].unique(maintain_order=True) for column in ("user", "item")}
    for column, first in (("user", 0), ("item", 1)):
        new = pl.DataFrame({column: orders[column]}).with_row_index("new", offset=first)
        events = events.join(new, on=column, how="left", maintain_order="left").drop(column).rename({"new": column})
    # Within a user the order stands; a stable sort only puts the users in theirs.
    return events.sort("user", maintain_order=True), orders["user"], orders["item"]


def _with_padding(items: pl.DataFrame) -> pl.DataFrame:
    items = items.rename({"item": "raw_id"})
    padding = pl.DataFrame({"raw_id": [""]}).with_columns(
        pl.lit(None, dtype=pl.String).alias(column) for column in items.columns if column != "raw_id"
    )
    return pl.concat([padding, items]).with_row_index("item").with_columns(pl.col("item").cast(pl.Int32))


def _manifest(
    source: Source,
    options: PrepareOptions,
    inputs: list[dict[str, Any]],
    raw: RawData,
    rejected: dict[str, Rejected],
    dropped: dict[str, int],
    table: pl.DataFrame,
    items: pl.DataFrame,
    n_users: int,
) -> Manifest:
    digest = hashlib.sha256()
    for column in ("user", "item", "timestamp", "split"):
        digest.update(table[column].to_numpy().tobytes())
    same_user = pl.col("user") == pl.col("user").shift(1)
    tied = same_user & (pl.col("timestamp") == pl.col("timestamp").shift(1))
    pairs = table.select(same_user.sum().alias("pairs"), tied.sum().alias("ties"))
    newest = table.filter(pl.col("split") == int(Split.TRAIN)).select(pl.col("timestamp").max()).item()
    test = table.filter(pl.col("split") == int(Split.TEST))["timestamp"]
    first = ~same_user.fill_null(False)
    without = table.filter(first & (pl.col("split") != int(Split.TRAIN)))["split"]
    return Manifest(
        dataset=source.name,
        source={"class": type(source).__name__, **source.options()},
        options=asdict(options),
        n_users=n_users,
        n_items=len(items),
        n_interactions=table.height,
        splits={split.name.lower(): int((table["split"] == int(split)).sum()) for split in Split},
        rows_read=raw.rows_read,
        rejected={kind: asdict(entry) for kind, entry in rejected.items()},
        dropped=dropped,
        missing={name: int(items[name][1:].is_null().sum()) for name in ("text", "image")},
        tie_share=pairs["ties"][0] / max(1, pairs["pairs"][0]),
        leak_share=(test < newest).sum() / max(1, len(test)),
        without_history={split.name.lower(): int((without == int(split)).sum()) for split in (Split.VALID, Split.TEST)},
        inputs=inputs,
        data_hash=digest.hexdigest(),
        version=mmrec.__version__,
    )
