"""MovieLens in the layouts GroupLens gives out, with posters beside it (Harper and Konstan, TiiS 2015)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData
from mmrec.data.sources._events import check_events, find_images
from mmrec.data.sources._paths import find_raw
from mmrec.errors import UserError

YEAR = re.compile(r"\((\d{4})\)\s*$")
GENRES_100K = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
).split()
"""The flags of `u.item`, in order (its `u.genre`)."""


class MovieLens:
    """Ratings, titles, genres and posters; the layout is told by the files that are there.

    | layout | ratings | movies |
    |---|---|---|
    | 25M, 20M, 32M, latest | `ratings.csv` | `movies.csv` |
    | 1M, 10M | `ratings.dat` (`::`) | `movies.dat` (`::`, latin-1) |
    | 100K | `u.data` (tab) | `u.item` (`|`, latin-1) |

    Beside them: `posters/<movieId>.jpg` (or .png, .webp), and `overviews.csv` with movieId, overview and, if known,
    director and actors. The text of a movie is its title, genres and overview.

    Args:
        path: the folder, see `find_raw`.
        name: of the dataset.
    """

    def __init__(self, path: str, name: str = "movielens-poster") -> None:
        self.path = path
        self.name = name

    def options(self) -> dict[str, object]:
        """Return nothing: the files say it all."""
        return {}

    def image_folder(self) -> Path | None:
        """Return `posters`, None if there is none."""
        folder = find_raw(self.path) / "posters"
        return folder if folder.is_dir() else None

    def files(self) -> list[Path]:
        """Return ratings, movies and overviews.

        Raises:
            UserError: the folder is not there or in none of the layouts.
        """
        folder = find_raw(self.path)
        for names in (("ratings.csv", "movies.csv"), ("ratings.dat", "movies.dat"), ("u.data", "u.item")):
            if (folder / names[0]).is_file():
                if not (folder / names[1]).is_file():
                    raise UserError(f"{folder / names[1]} is missing: it belongs to {names[0]} in every MovieLens archive")
                overviews = folder / "overviews.csv"
                return [folder / name for name in names] + ([overviews] if overviews.is_file() else [])
        raise UserError(
            f"{folder} is no MovieLens folder: it has no ratings.csv, ratings.dat or u.data. "
            "Unpack an archive of grouplens.org there"
        )

    def read(self) -> RawData:
        """Read everything."""
        files = self.files()
        table = _ratings(files[0])
        events, rejected = check_events(table, files[0])
        overviews = _overviews(files[2]) if len(files) > 2 else {}
        images = find_images(files[0].parent / "posters")
        items = [_item(*movie, overviews.get(movie[0], {}), images.get(movie[0])) for movie in _movies(files[1])]
        return RawData(
            interactions=events.lazy(),
            items=pl.DataFrame(items, schema=ITEM_COLUMNS, orient="row"),
            rows_read=table.height,
            rejected=rejected,
        )


def _ratings(file: Path) -> pl.DataFrame:
    """Read the ratings as strings, with line numbers; a row that is too short has nulls."""
    if file.suffix == ".csv":
        table = _read_csv(file, ("userId", "movieId", "rating", "timestamp"))
    else:
        # A field of "a::b" cut at each ":" leaves an empty column between any two.
        separator, places = (":", (0, 2, 4, 6)) if file.suffix == ".dat" else ("\t", (0, 1, 2, 3))
        wide = pl.read_csv(
            file, separator=separator, has_header=False, infer_schema=False, quote_char=None, truncate_ragged_lines=True
        )
        if wide.width <= places[-1]:
            raise UserError(f"{file}:1: expected user, item, rating and timestamp between {separator * (places[1])!r}")
        table = wide.select(pl.nth(*places))
    table.columns = ["user", "item", "rating", "timestamp"]
    return table.with_row_index("line", offset=2 if file.suffix == ".csv" else 1)


def _read_csv(file: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Read some columns of a CSV as strings.

    Raises:
        UserError: a column is missing, or the file cannot be read as CSV in UTF-8.
    """
    try:
        header = pl.read_csv(file, n_rows=0, infer_schema=False).columns
        missing = [column for column in columns if column not in header]
        if missing:
            raise UserError(f"{file}: no column {missing[0]!r} among {', '.join(header)}")
        return pl.read_csv(file, infer_schema=False, truncate_ragged_lines=True).select(columns)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not readable as CSV in UTF-8: {str(error).splitlines()[0]}") from None


def _movies(file: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield id, title and genres of each movie."""
    if file.suffix == ".csv":
        for movie, title, genres in _read_csv(file, ("movieId", "title", "genres")).iter_rows():
            yield movie, title or "", [] if not genres or genres.startswith("(no ") else genres.split("|")
        return
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), start=1):
        fields = line.split("::") if file.suffix == ".dat" else line.split("|")
        if len(fields) < 3:
            raise UserError(f"{file}:{number}: expected id, title and genres, found {line[:60]!r}")
        if file.suffix == ".dat":
            yield fields[0], "::".join(fields[1:-1]), fields[-1].split("|")
        else:
            flags = zip(GENRES_100K, fields[5:], strict=False)
            yield fields[0], fields[1], [genre for genre, flag in flags if flag == "1"]


def _overviews(file: Path) -> dict[str, dict[str, str]]:
    table = _read_csv(file, ("movieId", "overview"))
    extra = [c for c in ("director", "actors") if c in pl.read_csv(file, n_rows=0, infer_schema=False).columns]
    table = _read_csv(file, ("movieId", "overview", *extra)) if extra else table
    return {row["movieId"]: row for row in table.fill_null("").iter_rows(named=True)}


def _item(
    movie: str, title: str, genres: list[str], overview: dict[str, str], image: str | None
) -> tuple[str, str, str, str | None, str]:
    text = ". ".join(part for part in (title, ", ".join(genres), overview.get("overview", "")) if part)
    year = YEAR.search(title)
    facts: dict[str, str | list[str]] = {"genres": genres}
    if year:
        facts["year"] = year.group(1)
    for name in ("director", "actors"):
        people = [person.strip() for person in overview.get(name, "").split(",") if person.strip()]
        if people:
            facts[name] = people
    return movie, YEAR.sub("", title).strip(), text, image, json.dumps(facts, ensure_ascii=False)
