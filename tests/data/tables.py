"""Tables of interactions and of items as files, and what a source reads of them."""

import gzip
import json
from pathlib import Path

import polars as pl

from mmrec.data.schema import RawData
from mmrec.data.sources import ItemRecords, TableFormat, Tabular

HEADER = "user,item,time\n"
EVENT = {"user": "u", "item": "i", "time": 1_700_000_000}


def write(folder: Path, name: str, content: str | bytes | list[dict]) -> str:
    """Write text, bytes or rows in the format that the name says; return the path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list) and name.endswith(".parquet"):
        pl.DataFrame(content, infer_schema_length=None).write_parquet(path)
        return str(path)
    if isinstance(content, list) and "json" in name:
        content = "".join(json.dumps(row) + "\n" for row in content)
    elif isinstance(content, list):
        content = pl.DataFrame(content).write_csv(separator="\t" if ".tsv" in name else ",")
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


ITEM_OPTIONS = ("title", "text", "image", "images", "image_url", "attributes", "list_separator")


def tabular(interactions: str | list[str], **options: object) -> Tabular:
    """Return a source of the columns user, item and time; options of item records and formats are given flat."""
    marks = TableFormat(**{name: options.pop(name) for name in ("separator", "quote", "decimal") if name in options})
    records = {name: options.pop(name) for name in ITEM_OPTIONS if name in options}
    files, item = options.pop("items", None), options.pop("item_id", None)
    items = None if files is None else ItemRecords(files=files, id=item, format=marks, **records)
    return Tabular(
        interactions, **{"user": "user", "item": "item", "time": "time", **options}, items=items, format=marks
    )


def events(source: Tabular) -> list[tuple]:
    return source.read().interactions.collect().rows()


def faults(raw: RawData) -> dict[str, tuple[int, str]]:
    rejected = {**raw.rejected, **raw.rejected_items}
    return {kind: (entry.count, Path(entry.first).name) for kind, entry in rejected.items()}
