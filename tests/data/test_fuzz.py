"""Whatever bytes a file holds, a reader ends in counted rows or one UserError, and takes no row that is not in it.

The default suite tries the same inputs each time; `pytest tests/data/test_fuzz.py --hypothesis-profile=fuzz` searches
for others in some minutes, and prints the input of a failure.
"""

import contextlib
import csv
import gzip
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmrec.data.schema import RawData, Source
from mmrec.data.sources import Amazon, MovieLens, Tabular
from mmrec.errors import UserError

Event = tuple[str, str, int]
ROWS = [(f"u{k % 7:03}", f"{k % 11:02}", 10**9 + 37 * k, 1 + k % 5) for k in range(40)]
NASTY = [
    b'"',
    b'""',
    b"\n",
    b"\r\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b",",
    b"::",
    b"\t",
    b"{",
    b"}",
    b"[" * 2000,
]
NASTY += [
    b"-",
    b"9" * 30,
    b"e308",
    b"nan",
    b"null",
    b'\n"',
    b'",\n',
    b"\\",
    b"\\ud800",
    "٣é".encode(),
    b" ",
    b"\xc3",
    b'\\"',
]
EDIT = st.tuples(st.integers(0, 2000), st.integers(0, 40), st.sampled_from(NASTY))


def mangle(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replace stretches of some length at some places."""
    for place, length, new in edits:
        start = place % (len(content) + 1)
        content = content[:start] + new + content[start + length :]
    return content


def movielens_csv(folder: Path, content: bytes) -> Source:
    (folder / "ratings.csv").write_bytes(content)
    (folder / "movies.csv").write_text("movieId,title,genres\n")
    return MovieLens(str(folder))


def movielens_dat(folder: Path, content: bytes) -> Source:
    (folder / "ratings.dat").write_bytes(content)
    (folder / "movies.dat").write_text("1::Heat::Drama\n")
    return MovieLens(str(folder))


def amazon(folder: Path, content: bytes) -> Source:
    (folder / "SHOP.json").write_bytes(content)
    return Amazon(str(folder), "SHOP")


def amazon_gzip(folder: Path, content: bytes) -> Source:
    (folder / "SHOP.json.gz").write_bytes(gzip.compress(content))
    return Amazon(str(folder), "SHOP")


def tabular_csv(folder: Path, content: bytes) -> Source:
    (folder / "events.csv").write_bytes(content)
    events = str(folder / "events.csv")
    return Tabular(events, user="userId", item="movieId", time="timestamp", rating="rating")


def tabular_json(folder: Path, content: bytes) -> Source:
    (folder / "events.jsonl").write_bytes(content)
    events = str(folder / "events.jsonl")
    return Tabular(events, user="reviewerID", item="asin", time="unixReviewTime", rating="overall")


def csv_text() -> str:
    return "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},{r},{t}\n" for u, i, t, r in ROWS)


def dat_text() -> str:
    return "".join(f"{u}::{i}::{r}::{t}\n" for u, i, t, r in ROWS)


def json_text() -> str:
    keys = ("reviewerID", "asin", "unixReviewTime", "overall")
    return "".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in ROWS)


def csv_events(text: str) -> Iterator[Event]:
    for line in text.split("\n"):
        for fields in csv.reader([line.replace("\r", "")]):
            if len(fields) >= 4 and not any(fields[4:]):  # separators at the end of a line hold nothing
                yield spelled(fields[0]), spelled(fields[1]), number(fields[3])


def dat_events(text: str) -> Iterator[Event]:
    for line in text.split("\n"):
        fields = line.replace("\r", "").split("::")
        if len(fields) >= 4 and not any(fields[4:]):
            yield spelled(fields[0]), spelled(fields[1]), number(fields[3])


def json_events(text: str) -> Iterator[Event]:
    for line in text.split("\n"):
        try:
            record = json.loads(line.removeprefix("\ufeff"))
            yield spelled(record["reviewerID"]), spelled(record["asin"]), number(record["unixReviewTime"])
        except (ValueError, RecursionError, KeyError, TypeError):
            continue


def spelled(text: object) -> str:
    """Return an id without blanks around it and byte order marks in it, as readers give it."""
    return str(text).replace("\ufeff", "").strip()


def number(text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        return -1


FORMATS: dict[str, tuple[Callable[[Path, bytes], Source], str, Callable[[str], Iterator[Event]]]] = {
    "movielens csv": (movielens_csv, csv_text(), csv_events),
    "movielens dat": (movielens_dat, dat_text(), dat_events),
    "tabular csv": (tabular_csv, csv_text(), csv_events),
    "tabular json": (tabular_json, json_text(), json_events),
    "amazon json": (amazon, json_text(), json_events),
    "amazon gzip": (amazon_gzip, json_text(), json_events),
}


def read(make: Callable[[Path, bytes], Source], content: bytes) -> RawData | None:
    """Read it, or return None for a UserError; anything else that is raised fails the test."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UserError):
        return make(Path(folder), content).read()
    return None


@pytest.mark.parametrize("name", FORMATS)
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
@example(edits=[(689, 15, b'""'), (0, 0, b",")])  # a row 0""u004, which Polars and Python's csv read differently
@example(edits=[(281, 0, b"9" * 30), (1556, 37, b"\xef\xbb\xbf")])  # one line lacks a key that another one has twice
def test_every_row_that_is_read_is_in_the_file(name: str, edits: list[tuple[int, int, bytes]]) -> None:
    make, text, parse = FORMATS[name]
    content = mangle(text.encode(), edits)
    raw = read(make, content)
    if raw is None:
        return
    found = Counter(row[:3] for row in raw.interactions.collect().rows())
    there = Counter(parse(content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")))
    assert found <= there, found - there
    assert raw.rows_read >= sum(found.values()) + sum(bad.count for bad in raw.rejected.values()) - 1


@pytest.mark.parametrize("name", FORMATS)
def test_the_untouched_file_is_read_whole(name: str) -> None:
    make, text, _ = FORMATS[name]
    raw = read(make, text.encode())
    assert raw is not None
    assert raw.rejected == {}
    assert [row[:3] for row in raw.interactions.collect().rows()] == [row[:3] for row in ROWS]


def test_truncated_gzip_is_an_error_at_every_length(tmp_path: Path) -> None:
    whole = gzip.compress(json_text().encode())
    for cut in (*range(1, 30), *random.Random(0).sample(range(30, len(whole)), 20)):
        (tmp_path / "SHOP.json.gz").write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"SHOP\.json\.gz"):
            Amazon(str(tmp_path), "SHOP").read()
