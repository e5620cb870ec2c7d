"""A source of rows given in the test, and the bytes of an image."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from PIL import Image

from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.schema import ITEM_COLUMNS, RawData, Rejected

EVENT_COLUMNS = {"user": pl.String, "item": pl.String, "timestamp": pl.Int64, "rating": pl.Float32}
LOOSE = {"user_core": 1, "item_core": 1, "require_text": False, "require_image": False}


@dataclass
class Rows:
    """Events (user, item, timestamp[, rating]) in file order, items by id with text and image."""

    folder: Path
    events: list[tuple]
    texts: dict[str, str] = field(default_factory=dict)
    images: bool = False
    rejected: dict[str, Rejected] = field(default_factory=dict)
    name: str = "rows"
    reads: int = 0

    def files(self) -> list[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "rows.json"
        content = json.dumps([self.events, self.texts])
        if not file.is_file() or file.read_text() != content:  # another thread may be reading it
            file.write_text(content)
        return [file]

    def image_folder(self) -> Path | None:
        return self.folder / "images" if self.images else None

    def options(self) -> dict[str, object]:
        return {}

    def read(self) -> RawData:
        self.reads += 1
        events = [(*map(str, event[:2]), event[2], event[3] if len(event) > 3 else None) for event in self.events]
        folder = self.image_folder()
        files = {path.stem: str(path) for path in folder.iterdir()} if folder else {}
        ids = sorted({event[1] for event in events})
        items = [(item, item, self.texts.get(item), files.get(item), None, None) for item in ids]
        return RawData(
            pl.DataFrame(events, schema=EVENT_COLUMNS, orient="row").lazy(),
            pl.DataFrame(items, schema=ITEM_COLUMNS, orient="row"),
            rows_read=len(events) + sum(entry.count for entry in self.rejected.values()),
            rejected=self.rejected,
        )


def prepared(source: Rows, root: Path, **options: object) -> list[tuple]:
    """Return (user, item, timestamp, split) of the prepared dataset, with raw ids."""
    folder = prepare(source, PrepareOptions(**{**LOOSE, **options}), root)
    table = pl.read_parquet(folder / "interactions.parquet")
    for column in ("user", "item"):
        raw = pl.read_parquet(folder / f"{column}s.parquet").select(column, pl.col("raw_id").alias(f"raw_{column}"))
        table = table.join(raw, on=column, how="left", maintain_order="left")
    return table.select("raw_user", "raw_item", "timestamp", "split").rows()


def jpeg() -> bytes:
    """Return a noisy image of some kilobytes."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()
