"""MovieLens in the layouts that GroupLens publishes, with posters (Harper and Konstan, TiiS 2015)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Rejected, Source, merge_rejected
from mmrec.data.sources.readers.csv import SURPLUS, CsvFile, Dialect
from mmrec.data.sources.readers.events import EARLIEST, Events, check_events, find_images
from mmrec.data.sources.readers.ids import one_spelling
from mmrec.data.sources.readers.paths import find_raw
from mmrec.errors import UserError

YEAR = re.compile(r"\((\d{4})\)\s*$")
GENRES_100K = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The flags of `u.item`, in order (its `u.genre`)."""

LAYOUTS = (("ratings.csv", "movies.csv"), ("ratings.dat", "movies.dat"), ("u.data", "u.item"))
RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
Movie = tuple[str, str, list[str]]


class MovieLens(Source):
    """Ratings, titles, genres and posters; the files tell the layout.

    | layout | ratings | movies |
    |---|---|---|
    | 25M, 20M, 32M, latest | `ratings.csv` | `movies.csv` |
    | 1M, 10M | `ratings.dat` (`::`) | `movies.dat` (`::`) |
    | 100K | `u.data` (tab) | `u.item` (`|`) |

    The same folder may hold `posters/<movieId>.jpg` (or .png, .webp), and `overviews.csv` with movieId, overview and,
    if known, director and actors. The text of a movie is its title, genres and overview.

    Args:
        path: the folder, see `find_raw`.
        name: the dataset's name.
    """

    def __init__(self, path: str, name: str = "movielens-poster") -> None:
        self.path = path
        self.name = name

    def options(self) -> dict[str, object]:
        """Return no options: the files decide everything."""
        return {}

    def image_folder(self) -> Path | None:
        """Return the folder `posters`."""
        return self._folder() / "posters"

    def files(self) -> list[Path]:
        """Return ratings, movies and overviews.

        Raises:
            UserError: the folder is missing, or its files have none of the layouts.
        """
        folder = self._folder()
        names = next(names for names in LAYOUTS if (folder / names[0]).is_file())
        if not (folder / names[1]).is_file():
            raise UserError(f"{folder / names[1]} is missing: every MovieLens archive has it next to {names[0]}")
        overviews = folder / "overviews.csv"
        return [folder / name for name in names] + ([overviews] if overviews.is_file() else [])

    def _folder(self) -> Path:
        """Return the folder of the ratings: the one that is named, or one inside it, as archives unpack."""
        folder = find_raw(self.path)
        inside = sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []
        found = [place for place in (folder, *inside) if any((place / names[0]).is_file() for names in LAYOUTS)]
        if not found or (found[0] != folder and len(found) > 1):
            raise UserError(
                f"{folder} is not a MovieLens folder: it has no ratings.csv, ratings.dat or u.data"
                + (f", and several folders in it have ({', '.join(place.name for place in found)})" if found else "")
                + ". Unpack an archive of grouplens.org there, or name the folder of the ratings in the option path"
            )
        return found[0]

    def read(self) -> RawData:
        """Read everything."""
        files = self.files()
        events = _ratings(files[0])
        overviews, faults = _overviews(files[2]) if len(files) > 2 else ({}, {})
        images = find_images(self.image_folder())
        movies, more = _movies(files[1])
        movies = [(one_spelling(movie), title, genres) for movie, title, genres in movies]
        named = [movie for movie in movies if movie[0]]
        if len(named) < len(movies):
            more["movie without id"] = Rejected(len(movies) - len(named), str(files[1]))
        items = [_item(*movie, overviews.get(movie[0], {}), images.get(movie[0])) for movie in named]
        return RawData(
            interactions=events.rows.lazy(),
            items=pl.DataFrame(items, schema=ITEM_COLUMNS, orient="row"),
            rows_read=events.count,
            rejected=events.rejected,
            notes=events.notes,
            item_rows_read=len(named) + sum(bad.count for bad in more.values()),
            rejected_items=merge_rejected(more, faults),
            repeated_items=len(named) - len({movie[0] for movie in named}),
        )


def _ratings(path: Path) -> Events:
    """Read the ratings, see `check_events`."""
    if path.suffix == ".csv":
        file = CsvFile(path)
        rows = file.scan(_header(file, RATING_COLUMNS)).select(*RATING_COLUMNS, SURPLUS)
    else:
        # A field of "a::b" cut at each ":" leaves an empty column after each.
        separator, step = (":", 2) if path.suffix == ".dat" else ("\t", 1)
        file = CsvFile(path, Dialect(separator, quote=None, header=False))
        names = [f"field {place}" for place in range(4 * step)]
        fields = names[::step]
        gaps = [name for name in names if name not in fields]
        rows = file.scan(names).select(*fields, pl.coalesce(*gaps, SURPLUS).alias(SURPLUS))
    columns = ("user", "item", "rating", "time")
    written = rows.rename(dict(zip(rows.collect_schema().names(), (*columns, SURPLUS), strict=True)))
    time = pl.col("time").cast(pl.Int64, strict=False)
    with file.reading():
        if not file.dialect.header:
            _require_ratings(path, written.head(1).collect())
        checked = written.with_columns(timestamp=pl.when(time >= EARLIEST).then(time)).drop("time")
        return check_events(checked, lambda row: f"{path}:{file.line_of(row)}", written)


def _require_ratings(path: Path, first: pl.DataFrame) -> None:
    """Raise a UserError if the first row of a layout without a header does not look like a rating."""
    if not first.height or (first["time"][0] or "").strip().lstrip("-").isdecimal():
        return
    shown = "::" if path.suffix == ".dat" else "tabs"
    if first["time"][0] is not None and not any(
        character.isdecimal() for value in first.row(0) for character in value or ""
    ):
        names = ", ".join(value for value in first.row(0) if value)
        raise UserError(f"{path}:1: is a line of column names ({names}), which this layout does not have: remove it")
    raise UserError(f"{path}:1: expected user, item, rating and timestamp between {shown}")


def _header(file: CsvFile, wanted: tuple[str, ...]) -> list[str]:
    """Return the columns of a CSV.

    Raises:
        UserError: one that is wanted is missing or there twice.
    """
    for column in wanted:
        if column not in file.columns:
            raise UserError(f"{file.path}: no column {column!r} among {', '.join(file.columns)}")
        if file.columns.count(column) > 1:
            raise UserError(f"{file.path}:1: two columns are named {column!r}: rename one")
    return [name if file.columns.index(name) == place else f"{name} {place}" for place, name in enumerate(file.columns)]


def _read(path: Path, wanted: tuple[str, ...], what: str) -> tuple[pl.DataFrame, dict[str, Rejected]]:
    """Read a small CSV as strings; return the rows that are not blank, and those with too many fields by kind.

    Raises:
        UserError: the file is not UTF-8, not readable, or lacks a column that is wanted.
    """
    file = CsvFile(path)
    file.require_utf8()
    with file.reading():
        table = file.scan(_header(file, wanted)).with_row_index("row").collect()
    table = table.filter(pl.any_horizontal(pl.exclude("row").is_not_null()))
    bad = table.filter(pl.col(SURPLUS).is_not_null())
    rejected = {}
    if len(bad):  # for example a comma outside quotation marks
        place = f"{path}:{file.line_of(bad['row'][0])}"
        rejected[f"{what} with too many fields"] = Rejected(len(bad), place, bad[SURPLUS][0][:60])
    return table.filter(pl.col(SURPLUS).is_null()), rejected


def _movies(file: Path) -> tuple[list[Movie], dict[str, Rejected]]:
    """Return id, title and genres of each movie, and the bad rows by kind."""
    if file.suffix != ".csv":
        return list(_lines(file)), {}
    columns = ("movieId", "title", "genres")
    table, rejected = _read(file, columns, "movie")
    rows = table.select(columns).fill_null("").iter_rows()
    movies = [(movie, title, [] if genres.startswith("(no ") else _split(genres)) for movie, title, genres in rows]
    return movies, rejected


def _lines(file: Path) -> Iterator[Movie]:
    """Yield the movies of the layouts without a header."""
    for number, line in enumerate(_decode(file.read_bytes()).rstrip().split("\n"), start=1):
        fields = line.strip().split("::" if file.suffix == ".dat" else "|")
        if len(fields) < 3:
            raise UserError(f"{file}:{number}: expected id, title and genres, found {line[:60]!r}")
        if file.suffix == ".dat":
            yield fields[0], "::".join(fields[1:-1]), _split(fields[-1])
        else:
            flags = zip(GENRES_100K, fields[5:], strict=False)
            yield fields[0], fields[1], [genre for genre, flag in flags if flag == "1"]


def _split(genres: str) -> list[str]:
    return genres.split("|") if genres else []


def _decode(content: bytes) -> str:
    """Decode titles: 10M is in UTF-8, 1M and 100K are in latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _overviews(file: Path) -> tuple[dict[str, dict[str, str]], dict[str, Rejected]]:
    """Return the first overview of each movie, and the bad rows by kind."""
    table, rejected = _read(file, ("movieId", "overview"), "overview")
    first = table.drop("row", SURPLUS).unique("movieId", keep="first", maintain_order=True)
    return {one_spelling(row["movieId"] or ""): row for row in first.fill_null("").iter_rows(named=True)}, rejected


def _item(
    movie: str, title: str, genres: list[str], overview: dict[str, str], image: str | None
) -> tuple[str, str, str, str | None, None, str]:
    text = ". ".join(part for part in (title, ", ".join(genres), overview.get("overview", "")) if part)
    year = YEAR.search(title)
    facts: dict[str, str | list[str]] = {"genres": genres}
    if year:
        facts["year"] = year.group(1)
    for name in ("director", "actors"):
        people = [person.strip() for person in overview.get(name, "").split(",") if person.strip()]
        if people:
            facts[name] = people
    return movie, YEAR.sub("", title).strip(), text, image, None, json.dumps(facts, ensure_ascii=False)
