"""Times of a table: what they are taken for, and which are refused."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from mmrec.errors import UserError
from tests.data.tables import EVENT, HEADER, events, faults, tabular, write

NOON = 1706702400  # 2024-01-31 12:00 UTC
TIMES = [
    ("auto", "2024-01-31T12:00:00Z", NOON),
    ("auto", "2024-01-31 12:00:00", NOON),
    ("auto", "2024-01-31T12:00", NOON),
    ("auto", "2024-01-31", NOON - 43_200),
    ("auto", "2024-01-31T12:00:00.999", NOON),
    ("auto", "2024-01-31T12:00:00+02:00", NOON - 7200),
    ("auto", "2024-01-31 12:00:00.5-0130", NOON + 5400),
    ("auto", "2024-03-31T02:30:00+01", 1711848600),  # no such local time in Berlin: the zone that is written counts
    ("auto", str(NOON), NOON),
    ("auto", f"{NOON}.9", NOON),
    ("auto", "1.7067024e9", NOON),
    ("auto", str(NOON * 10**3 + 999), NOON),
    ("auto", str(NOON * 10**6 + 999_999), NOON),
    ("auto", str(NOON * 10**9 + 999_999_999), NOON),
    ("auto", "300", 300),  # any count of seconds
    ("milliseconds", "300000", 300),
    ("%d/%m/%Y %H:%M", "31/01/2024 12:00", NOON),
    ("%d/%m/%Y", "31/01/2024", NOON - 43_200),
    ("%Y%m%d", "20240131", NOON - 43_200),
    ("%d %b %Y %H:%M:%S.%f %z", "31 Jan 2024 12:00:00.25 +0200", NOON - 7200),
]


@pytest.mark.parametrize(("unit", "written", "expected"), TIMES)
def test_times(unit: str, written: str, expected: int, tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", f"{HEADER}u,i,{written}\n")
    assert [row[:3] for row in events(tabular(path, time_unit=unit))] == [("u", "i", expected)]


IMPOSSIBLE = {
    "2024-01-31": [
        "",
        "soon",
        "2024-13-01",
        "2024-02-30",
        "30000-01-01",
        "1969-12-31",
        "2024-01-31T25:00",
        "1706702400",
    ],
    "1706702400": ["", "0", "-5", "nan", "inf", "1e400", "884541340800", "1706702400000", "2024-01-31"],
    "1706702400000": ["", "0", "-5", "1706702400", "884541340800000", "1706702400000000"],
    "1706702400000000": ["1706702400", "1706702400000", "-1706702400000000"],
}


@pytest.mark.parametrize("usual", IMPOSSIBLE)
def test_impossible_times_are_counted(usual: str, tmp_path: Path) -> None:
    odd = [f"u,i,{time}\n" for time in IMPOSSIBLE[usual]]
    usual_rows = [f"u,i,{usual}\n"] * 500
    raw = tabular(write(tmp_path, "o.csv", HEADER + "".join(usual_rows + odd))).read()
    assert faults(raw) == {"impossible timestamp": (len(odd), "o.csv:502")}
    assert raw.interactions.collect()["timestamp"].unique().len() == 1


@pytest.mark.parametrize("time", [datetime(2024, 1, 31, 12, 0, 0, 999_999), date(2024, 1, 31), NOON, float(NOON)])
def test_typed_times_need_no_unit(time: object, tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "a.parquet", [{**EVENT, "time": time}]),
        write(tmp_path, "b.csv", HEADER + f"u,i,{NOON}\n"),
    ]
    assert [row[2] for row in events(tabular(paths))] == [NOON - 43_200 if type(time) is date else NOON, NOON]


def test_zones_of_parquet(tmp_path: Path) -> None:
    time = pl.Series([datetime(2024, 1, 31, 13)]).dt.replace_time_zone("Europe/Berlin")
    pl.DataFrame({"user": ["u"], "item": ["i"], "time": time}).write_parquet(tmp_path / "o.parquet")
    assert events(tabular(str(tmp_path / "o.parquet"))) == [("u", "i", NOON)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["u,i,2024-01-31\nu,i,1706702400\n"],
            r"0\.csv:3: '1706702400' is taken for seconds, but .*0\.csv:2: .* for iso",
        ),
        (
            ["u,i,1706702400\n", "u,i,1706702400000\n"],
            r"1\.csv:2: '1706702400000' is taken for milliseconds, but .*0\.csv:2",
        ),
        (["u,i,1706702400\n" * 1500 + "u,i,1706702400000\n" * 200], r"0\.csv:1502: .*milliseconds.*set time_unit$"),
        (["u,i,31/01/2024\n"], r"0\.csv:2: '31/01/2024' is in no known unit of time: set time_unit to a format"),
        (["u,i,20240131\n"], r"0\.csv:2: '20240131' may be a date .*: set time_unit to '%Y%m%d' or to seconds"),
    ],
)
def test_times_in_an_unknown_or_mixed_unit_are_refused(files: list[str], message: str, tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{place}.csv", HEADER + rows) for place, rows in enumerate(files)]
    with pytest.raises(UserError, match=message):
        tabular(paths).read()


def test_years_are_refused_as_times_and_a_truncated_time_is_bad(tmp_path: Path) -> None:
    years = HEADER + "u,1,2014\nu,2,2015\n"
    with pytest.raises(UserError, match=r"'2014' may be a date or a number of seconds: set time_unit"):
        tabular(write(tmp_path, "o.csv", years)).read()
    rows = "".join(f"u,{k},{10**9 + k}\n" for k in range(40)) + "u,99,10000"
    raw = tabular(write(tmp_path, "o.csv", HEADER + rows)).read()
    assert faults(raw) == {"impossible timestamp": (1, "o.csv:42")}
