"""Raw data to a dataset on disk: filters, k-core, indices, split, manifest; written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import mmrec
from mmrec.data.prepare.filters import Dropped, filter_core, filter_events, order_events
from mmrec.data.prepare.held_out import without_held_out
from mmrec.data.prepare.images import check_images, hash_images, list_images
from mmrec.data.prepare.interactions import Interactions, encode, renumber
from mmrec.data.prepare.manifest import FILE, FORMAT_VERSION, Manifest
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.prepare.split import split_interactions
from mmrec.data.prepare.statistics import describe
from mmrec.data.schema import INTERACTION_COLUMNS, SEQUENCES, Note, RawData, Rejected, Source, Split, merge_rejected
from mmrec.errors import UserError, require_folder_name
from mmrec.utils.files import hash_file
from mmrec.utils.lock import locked, partial_folder, remove_abandoned
from mmrec.utils.tables import first_line

DECIMAL_COMMA = re.compile(r"\s*-?[0-9]+,[0-9]+\s*")
GROUPED = re.compile(r"\s*-?[0-9]+(?:[.,][0-9]+)+\s*")
CONTENT_VERSION = 1  # raised when the same files and options give other interactions, texts or counts
LOST_USERS = "users dropped by hold_out_items, who have no other interaction"


def prepare(source: Source, options: PrepareOptions, root: Path) -> Path:
    """Prepare a dataset unless it is there, and return its folder.

    The folder is `<root>/<name>/<fingerprint>/`, and the fingerprint covers the content of every input file and of
    every image, and all options: a folder that exists is up to date, and nothing is ever overwritten. What a user may
    not expect in the raw data is printed to stderr when a dataset is made.

    Args:
        source: reader of the raw files.
        options: filters and split.
        root: folder of all prepared datasets.

    Raises:
        UserError: a file is missing or malformed, too many rows are bad, nothing is left after filtering, or the
            dataset cannot be written.
    """
    inputs = [_describe_file(path) for path in source.files()]
    folder = dataset_folder(source, options, root, inputs)
    if (folder / FILE).is_file():
        return folder
    with locked(folder):
        if (folder / FILE).is_file():  # another process has made it meanwhile
            return folder
        if folder.exists():
            raise UserError(f"{folder} exists without {FILE}, so it is not a whole dataset: remove it, and run again")
        remove_abandoned(folder.parent)
        unfinished = partial_folder(folder)
        shutil.rmtree(unfinished, ignore_errors=True)  # left by a killed run
        try:
            dataset = assemble(source, options, root, inputs)
            _save(dataset, unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    for kind, bad in dataset.manifest.rejected.items():
        entry = Rejected(**bad)
        words = f"{source.name}: rejected {entry.count:,} x {kind} (first {entry.example}){_hint(kind, entry)}"
        print(words, file=sys.stderr)
    for kind, note in dataset.manifest.notes.items():
        print(f"{source.name}: {note['count']:,} {kind} (for example {note['example']})", file=sys.stderr, flush=True)
    return folder


def _save(dataset: Dataset, unfinished: Path, folder: Path) -> None:
    """Write a dataset and put it in its place. Raises UserError, for example where the disk is full."""
    try:
        unfinished.mkdir()
        dataset.save(unfinished)
        os.rename(unfinished, folder)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = first_line(error)
        raise UserError(f"{folder}: cannot be written ({reason}); nothing of it is kept. Is the disk full?") from error


def dataset_folder(
    source: Source, options: PrepareOptions, root: Path, inputs: list[dict[str, Any]] | None = None
) -> Path:
    """Return where `prepare` puts a dataset, without preparing it; what it learns of images is kept for the next time.

    Args:
        source: reader of the raw files.
        options: filters and split.
        root: folder of all prepared datasets.
        inputs: descriptions of the input files if they are known.

    Raises:
        InvalidArgument: the source's name is not valid for a folder.
        UserError: a raw file is missing.
    """
    require_folder_name(source.name, "name")
    inputs = [_describe_file(path) for path in source.files()] if inputs is None else inputs
    return root / source.name / _fingerprint(source, options, inputs, root)[:12]


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory, as it will be on disk.

    Args:
        offsets: (U + 1,) where each user's interactions start.
        item: (n,) item indices, grouped by user, oldest first.
        timestamp: (n,) seconds.
        split: (n,) `Split`.
        items: row = item index, the padding row included.
        users: raw ids by user index.
        manifest: counts and statistics.
    """

    offsets: NDArray[np.int64]
    item: NDArray[np.int32]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]
    items: pl.DataFrame
    users: pl.Series
    manifest: Manifest

    def save(self, folder: Path) -> None:
        """Write all files of a dataset folder, the manifest last."""
        from mmrec.data.prepare.histograms import save_histograms  # matplotlib takes half a second

        lengths = np.diff(self.offsets)
        user = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        arrays: dict[str, NDArray[Any]] = {"item": self.item, "timestamp": self.timestamp, "split": self.split}
        pl.DataFrame({"user": user, **arrays}).write_parquet(folder / "interactions.parquet")
        self.items.write_parquet(folder / "items.parquet")
        users = pl.DataFrame({"user": np.arange(len(lengths), dtype=np.int32), "raw_id": self.users})
        users.write_parquet(folder / "users.parquet")
        (folder / SEQUENCES).mkdir()
        for name, array in {**arrays, "offsets": self.offsets}.items():
            np.save(folder / SEQUENCES / f"{name}.npy", array)
        save_histograms(folder, lengths, np.bincount(self.item, minlength=len(self.items))[1:])
        tables = {name: hash_file(folder / name) for name in ("items.parquet", "users.parquet")}
        replace(self.manifest, files=tables).save(folder)


def assemble(
    source: Source,
    options: PrepareOptions,
    root: Path,
    inputs: list[dict[str, Any]] | None = None,
    write: bool = True,
    image_limit: float | None = None,
) -> Dataset:
    """Read, check, filter and split. The only file written is the list of images.

    Args:
        source: reader of the raw files.
        options: filters and split.
        root: folder of all prepared datasets; it holds `<name>/images.parquet`, see `mmrec.data.prepare.images`.
        inputs: descriptions of the input files if they are known.
        write: whether the list of images is written.
        image_limit: share of bad images that is allowed, if not `max_bad_share`.

    Raises:
        UserError: as `prepare`.
    """
    with _steps(f"preparing {source.name}", 5) as step:
        step("reading")
        inputs = [_describe_file(path) for path in source.files()] if inputs is None else inputs
        images = source.image_folder()
        if images is not None and images.exists():
            list_images(images, without=root)  # an unreadable folder is an error for every caller
        raw = source.read()
        if not raw.rows_read:
            raise UserError("the raw files hold no rows: check the options of the source")
        _check_bad_share(raw.rejected, raw.rows_read, "rows", options.max_bad_share)
        _check_bad_share(raw.rejected_items, raw.item_rows_read, "item records", options.max_bad_share)
        events, raw_users, raw_items = encode(_compact(raw))
        if not len(events):
            raise UserError("the raw files hold no interaction that can be used: check the options of the source")
        step("filtering")
        dropped = Dropped()
        items = _item_table(raw, raw_items)
        events = order_events(filter_events(events, options, dropped, raw.timed), items, options, dropped)
        step("checking images")
        # An item with fewer events than the core requires is dropped with or without an image.
        wanted = np.bincount(events.item, minlength=len(items)) >= options.item_core
        with_image = int((items["image"].is_not_null().to_numpy() & wanted).sum())
        items, unreadable = _check_images(
            items, wanted, _memory(source, root), write, lambda *counts: step("checking images", *counts)
        )
        limit = options.max_bad_share if image_limit is None else image_limit
        _check_bad_share(unreadable, with_image, "images", limit)
        step("core and split")
        events = filter_core(events, items, options, dropped)
        step("measuring")
        rejected = merge_rejected(raw.rejected, raw.rejected_items, unreadable)
        return _dataset(source, options, inputs, raw, rejected, dropped, events, items, raw_users)


def missing_images(source: Source, options: PrepareOptions, root: Path) -> tuple[pl.DataFrame, Path]:
    """Return the addresses of missing images, for items that pass the filters if an image is not required.

    Args:
        source: reader of the raw files.
        options: filters; `require_image` is ignored.
        root: folder of all prepared datasets; nothing is written.

    Returns:
        columns id and url, and the folder where the source looks for images.

    Raises:
        UserError: the source has no such folder, no item has an address, or as `prepare`.
    """
    folder = source.image_folder()
    if folder is None:
        raise UserError("the source has no folder of images: name one in its option images")
    # Any number of broken images is allowed: they are to be replaced.
    items = assemble(source, replace(options, require_image=False), root, write=False, image_limit=1.0).items[1:]
    if not items["image_url"].count():
        raise UserError(f"no item of {source.name} has an address of an image: use --urls FILE and --to {folder}")
    lacking = items.filter(pl.col("image").is_null() & pl.col("image_url").is_not_null())
    return lacking.select(id="raw_id", url="image_url"), folder


def _dataset(
    source: Source,
    options: PrepareOptions,
    inputs: list[dict[str, Any]],
    raw: RawData,
    rejected: dict[str, Rejected],
    dropped: Dropped,
    events: Interactions,
    items: pl.DataFrame,
    raw_users: pl.Series,
) -> Dataset:
    """Number users from 0 and items from 1 by first appearance in the files, split, and measure."""
    user, kept_users = renumber(events.user)
    item, kept_items = renumber(events.item)
    item += 1
    offsets = _offsets(user)
    timestamp = events.timestamp
    if not raw.timed:
        timestamp = np.arange(len(item), dtype=np.int64) - np.repeat(offsets[:-1], np.diff(offsets))
    split = split_interactions(offsets, timestamp, options.split)
    notes = raw.notes
    if options.hold_out_items:
        stays = without_held_out(item, split, options.hold_out_items)
        if not stays.any():
            raise UserError("no interaction is left after hold_out_items: lower the option hold_out_items")
        dropped.counts["hold_out_items"] = int((~stays).sum())
        item, timestamp, split = item[stays], timestamp[stays], split[stays]
        user, left = renumber(user[stays])  # a user may have lost all interactions
        lost = np.delete(kept_users, left)
        if len(lost):
            notes = {**notes, LOST_USERS: Note(len(lost), repr(raw_users[int(lost[0])]))}
        kept_users, offsets = kept_users[left], _offsets(user)
    table = _with_padding(items[kept_items])
    digest = hashlib.sha256()
    for column in (user, item, timestamp, split):
        digest.update(column.data)
    manifest = Manifest(
        dataset=source.name,
        source={"class": type(source).__name__, **source.options()},
        options=asdict(options),
        n_users=len(kept_users),
        n_items=len(table),
        n_interactions=len(item),
        splits={part.name.lower(): int((split == part).sum()) for part in Split},
        rows_read=raw.rows_read,
        item_rows_read=raw.item_rows_read,
        rejected={kind: asdict(entry) for kind, entry in rejected.items()},
        repeated_items=raw.repeated_items,
        dropped=dropped.counts,
        missing={name: int(table[name][1:].is_null().sum()) for name in ("text", "image")},
        statistics=describe(offsets, item, timestamp, split, table, rule=options.split, timed=raw.timed),
        inputs=inputs,
        data_hash=digest.hexdigest(),
        version=mmrec.__version__,
        notes={kind: asdict(note) for kind, note in notes.items()},
        timed=raw.timed,
    )
    return Dataset(offsets, item, timestamp, split, table, raw_users.gather(kept_users), manifest)


def _offsets(user: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return where the interactions of each user start, (U + 1,), of interactions grouped by user."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(user), dtype=np.int64)])


def _fingerprint(source: Source, options: PrepareOptions, inputs: list[dict[str, Any]], root: Path) -> str:
    images = _describe_images(source, root)
    content = [entry["sha256"] for entry in inputs]
    identity = [
        FORMAT_VERSION,
        CONTENT_VERSION,
        type(source).__name__,
        source.options(),
        asdict(options),
        content,
        images,
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _describe_images(source: Source, root: Path) -> list[object]:
    """Return the source's folder of images with the paths and hashes of its files; empty without a folder.

    The folder's path is part of it, since items.parquet has absolute paths, which are wrong once the images have moved.
    Files below `root` are not: prepared datasets may lie in the folder of the images.

    Raises:
        OSError: a folder cannot be read.
    """
    folder = source.image_folder()
    if folder is None or not folder.exists():
        return []
    files, skipped = list_images(folder, without=root)
    with _steps(f"comparing images of {source.name}", 1) as step:
        hashes = hash_images(list(map(str, files)), _memory(source, root), lambda *counts: step("reading", *counts))
    found = [(str(file.relative_to(folder)), content) for file, content in zip(files, hashes, strict=True)]
    linked = [(str(path.relative_to(folder)), str(target)) for path, target in skipped]
    return [str(folder.absolute()), found, *([linked] if linked else [])]


def _memory(source: Source, root: Path) -> Path:
    """Return the file that keeps what is known of images, see `mmrec.data.prepare.images`."""
    return root / source.name / "images.parquet"


def _describe_file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": hash_file(path)}


@contextmanager
def _steps(title: str, total: int) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=total)
        names: list[str] = []

        def step(name: str, done: int = 0, of: int = 1) -> None:
            if name not in names:
                names.append(name)
            share = f" {done:,}/{of:,}" if done else ""
            progress.update(task, completed=len(names) - 1 + done / of, description=f"{title}: {name}{share}")

        yield step


def _check_bad_share(rejected: dict[str, Rejected], total: int, what: str, limit: float) -> None:
    bad = sum(entry.count for entry in rejected.values())
    if bad > limit * total:
        kind, worst = max(rejected.items(), key=lambda entry: entry[1].count)
        raise UserError(
            f"{bad:,} of {total:,} {what} are bad, more than max_bad_share ({limit:.2%}) allows; "
            f"most often: {kind} ({worst.count:,}, first at {worst.example})"
            f"{_hint(kind, worst) or '; mend them, or raise max_bad_share to go on without them'}"
        )


def _hint(kind: str, bad: Rejected) -> str:
    """Return advice on a number that is malformed because of its marks; empty for other rows."""
    value = bad.value if kind in ("malformed rating", "malformed weight") else None
    if value is None:
        return ""
    if DECIMAL_COMMA.fullmatch(value):
        return "; set the option format.decimal to ',' if that is a decimal comma"
    if GROUPED.fullmatch(value):  # such as 1.234 where format.decimal is ',': a point separates thousands there
        return "; write numbers without marks between thousands, and with the decimal mark that format.decimal names"
    return ""


def _compact(raw: RawData) -> pl.DataFrame:
    """Collect the interactions with ids as categories (a source may give strings), and free those of `raw`."""
    interactions, raw.interactions = raw.interactions, pl.LazyFrame()
    names = interactions.collect_schema().names()
    columns = (pl.col(name).cast(dtype) for name, dtype in INTERACTION_COLUMNS.items() if name in names)
    return interactions.select(columns).collect(engine="streaming")


def _item_table(raw: RawData, raw_items: pl.Series) -> pl.DataFrame:
    """Return the record of each item in the interactions, row = code; a blank text becomes null."""
    known = raw.items.unique("item", keep="first", maintain_order=True)
    table = pl.DataFrame({"item": raw_items}).join(known, on="item", how="left", maintain_order="left")
    blank = pl.col("text").str.strip_chars() == ""
    return table.with_columns(text=pl.when(blank).then(None).otherwise(pl.col("text")))


def _check_images(
    items: pl.DataFrame, wanted: NDArray[np.bool_], memory: Path, write: bool, progress: Any
) -> tuple[pl.DataFrame, dict[str, Rejected]]:
    """Open the images of the wanted items; return the items with readable images only, and the number of others."""
    files = items.select("image").with_row_index("code").filter(pl.Series(wanted) & pl.col("image").is_not_null())
    good = pl.Series(check_images(files["image"].to_list(), memory, write, progress), dtype=pl.Boolean)
    bad = files.filter(~good)
    unreadable = pl.col("code").is_in(bad["code"].implode())
    checked = items.with_row_index("code").with_columns(image=pl.when(~unreadable).then("image")).drop("code")
    return checked, {"unreadable image": Rejected(len(bad), bad["image"][0])} if len(bad) else {}


def _with_padding(items: pl.DataFrame) -> pl.DataFrame:
    items = items.rename({"item": "raw_id"})
    padding = pl.DataFrame({"raw_id": [""]}).with_columns(
        pl.lit(None, dtype=pl.String).alias(column) for column in items.columns if column != "raw_id"
    )
    return pl.concat([padding, items]).with_row_index("item").with_columns(pl.col("item").cast(pl.Int32))
