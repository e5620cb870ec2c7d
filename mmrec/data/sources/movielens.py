"""MovieLens in the layouts GroupLens gives out, with posters beside it (Harper and Konstan, TiiS 2015)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Rejected
from mmrec.data.sources._events import check_events, find_images, merge_rejected
from mmrec.data.sources._paths import find_raw
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


class MovieLens:
    """Ratings, titles, genres and posters; the layout is told by the files that are there.

    | layout | ratings | movies |
    |---|---|---|
    | 25M, 20M, 32M, latest | `ratings.csv` | `movies.csv` |
    | 1M, 10M | `ratings.dat` (`::`) | `movies.dat` (`::`) |
    | 100K | `u.data` (tab) | `u.item` (`|`) |

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
                    raise UserError(f"{folder / names[1]} is missing: every MovieLens archive has it by {names[0]}")
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
        movies = list(_movies(files[1]))
        items = [_item(*movie, overviews.get(movie[0], {}), images.get(movie[0])) for movie in movies if movie[0]]
        nameless = len(movies) - len(items)
        if nameless:
            rejected = merge_rejected(rejected, {"movie without id": Rejected(nameless, str(files[1]))})
        return RawData(
            interactions=events.lazy(),
            items=pl.DataFrame(items, schema=ITEM_COLUMNS, orient="row"),
            rows_read=table.height + len(movies),
            rejected=rejected,
        )


def _ratings(file: Path) -> pl.DataFrame:
    """Read the ratings as strings, with line numbers; a row that is too short has nulls, `surplus` what is too much."""
    if file.suffix == ".csv":
        header = _header(file, ("userId", "movieId", "rating", "timestamp"))
        table = _read_strings(file, [*header, "surplus"], skip_rows=1)
        table = table.select("userId", "movieId", "rating", "timestamp", "surplus")
    else:
        # A field of "a::b" cut at each ":" leaves an empty column between any two.
        separator, places = (":", (0, 2, 4, 6, 8)) if file.suffix == ".dat" else ("\t", (0, 1, 2, 3, 4))
        names = [f"field {place}" for place in range(places[-1] + 1)]
        table = _read_strings(file, names, separator=separator, quote_char=None).select(pl.nth(*places))
        if table.height and table.row(0)[3] is None:
            fields = "user, item, rating and timestamp"
            raise UserError(f"{file}:1: expected {fields} between {'::' if separator == ':' else 'tabs'}")
    table.columns = ["user", "item", "rating", "timestamp", "surplus"]
    return table.with_row_index("line", offset=2 if file.suffix == ".csv" else 1)


def _header(file: Path, wanted: tuple[str, ...]) -> list[str]:
    """Return the columns of a CSV.

    Raises:
        UserError: one that is wanted is missing.
    """
    with _explained(file):
        header = pl.read_csv(file, n_rows=0, infer_schema=False).columns
    missing = [column for column in wanted if column not in header]
    if missing:
        raise UserError(f"{file}: no column {missing[0]!r} among {', '.join(header)}")
    return header


def _read_strings(file: Path, columns: list[str], **options: Any) -> pl.DataFrame:
    """Read a file of separated values as strings; rows may be shorter or longer than `columns`."""
    schema = dict.fromkeys(columns, pl.String)
    with _explained(file):
        return pl.read_csv(
            file,
            has_header=False,
            schema=schema,
            missing_columns="insert",
            truncate_ragged_lines=True,
            raise_if_empty=False,
            **options,
        )


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not readable as text in UTF-8: {str(error).splitlines()[0]}") from None


def _movies(file: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield id, title and genres of each movie."""
    if file.suffix == ".csv":
        table = _read_strings(file, _header(file, ("movieId", "title", "genres")), skip_rows=1)
        for movie, title, genres in table.select("movieId", "title", "genres").iter_rows():
            yield movie, title or "", [] if not genres or genres.startswith("(no ") else genres.split("|")
        return
    for number, line in enumerate(_decode(file.read_bytes()).rstrip().split("\n"), start=1):
        fields = line.strip().split("::" if file.suffix == ".dat" else "|")
        if len(fields) < 3:
            raise UserError(f"{file}:{number}: expected id, title and genres, found {line[:60]!r}")
        if file.suffix == ".dat":
            yield fields[0], "::".join(fields[1:-1]), fields[-1].split("|")
        else:
            flags = zip(GENRES_100K, fields[5:], strict=False)
            yield fields[0], fields[1], [genre for genre, flag in flags if flag == "1"]


def _decode(content: bytes) -> str:
    """Decode titles: 10M is in UTF-8, 1M and 100K are in latin-1."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _overviews(file: Path) -> dict[str, dict[str, str]]:
    table = _read_strings(file, _header(file, ("movieId", "overview")), skip_rows=1)
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
