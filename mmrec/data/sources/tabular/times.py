"""Times as people write them, as seconds since 1970 in UTC and nanoseconds after them; the data tells the unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from mmrec.data.sources.readers.events import EARLIEST, LATEST
from mmrec.errors import InvalidArgument, UserError, require

OPTION = "time_unit"
EXCEL = "excel"
EXCEL_1970 = 25_569  # 1970-01-01 as the serial day of a spreadsheet
PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
LEAST = EARLIEST  # seconds: a smaller count of milliseconds is one of seconds, and so on
SAMPLE = 1000  # values at the start of each file that decide the unit
MINORITY = 0.05  # a larger share of another unit is a mixture, a smaller one bad rows
CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?"
ZONE = r"(?:Z|z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
ISO = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[Tt ]{CLOCK} ?{ZONE}?)?$"
DATES = "dates"
SERIAL = "serial days"  # of a spreadsheet, 1954 to 2119; as seconds they would all be in the first day of 1970
SMALL = "small counts"  # of seconds, below LEAST: accepted only if all are; otherwise such a time was cut off
YEAR = r"^(?:19|20)[0-9]{2}$"
COMPACT = r"^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$"  # 20240131


def check_unit(unit: str) -> None:
    """Raise InvalidArgument if the option is not the name of a unit or a format that gives a day."""
    if "%" not in unit:
        units = ("auto", "iso", *PER_SECOND, EXCEL)
        require(unit in units, OPTION, repr(unit), f"{', '.join(units)} or a format such as '%d/%m/%Y %H:%M'")
        return
    if "%Z" in unit:  # Polars accepts any name and reads UTC
        words = "%Z is the name of a zone, which does not tell the hour: write %z for offsets such as +0100"
        raise InvalidArgument(OPTION, f"{OPTION}: {words}, or UTC and GMT as they are")
    day = pl.Series(["2020-01-31 10:20:30.5"]).str.to_datetime("%Y-%m-%d %H:%M:%S%.f").dt.replace_time_zone("UTC")
    try:
        written = day.dt.strftime(unit)
        found = pl.DataFrame({"x": written}).select(_parse(pl.col("x"), unit).dt.epoch("s")).item()
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidArgument(OPTION, f"{OPTION}: {unit!r} is not a format of a time: {reason}") from None
    if found is None or found // 86_400 != day.dt.epoch("s").item() // 86_400:
        words = "does not give a day: a format needs year, month and day"
        raise InvalidArgument(OPTION, f"{OPTION}: {unit!r} {words}")


def is_typed(dtype: pl.DataType, place: str) -> bool:
    """Return whether a column holds dates or times by its type, so that no unit is needed.

    Raises:
        UserError: it holds neither these nor text or numbers.
    """
    if isinstance(dtype, pl.Date | pl.Datetime):
        return True
    if dtype.is_numeric() or isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null):
        return False
    raise UserError(f"{place} holds {dtype} values, which are not times: name another column")


def parse_times(column: str, dtype: pl.DataType, unit: str, guarded: bool) -> dict[str, pl.Expr]:
    """Return a column's times: `timestamp`, Int64 seconds, null where unreadable, and `fraction`, Int32 nanoseconds.

    Args:
        column: its name in a frame.
        dtype: its type; dates and times need no unit.
        unit: iso, excel, a key of `PER_SECOND` or a format; without a zone a time is UTC.
        guarded: whether a count that is too small for `unit` is unreadable (for `auto`).
    """
    value = pl.col(column)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _of_datetime(value.cast(pl.Datetime("us", getattr(dtype, "time_zone", None)))) | (
            {"fraction": value.dt.nanosecond()} if isinstance(dtype, pl.Datetime) else {}
        )
    text = value.cast(pl.String).str.strip_chars()
    if unit == "iso":
        return {
            "timestamp": text.map_batches(_iso_seconds, return_dtype=pl.Int64, is_elementwise=True),
            "fraction": text.map_batches(_iso_fraction, return_dtype=pl.Int32, is_elementwise=True),
        }
    if unit == EXCEL:
        milliseconds = ((text.cast(pl.Float64, strict=False) - EXCEL_1970) * 86_400_000).round()
        count = milliseconds.cast(pl.Int64, strict=False)
        return {"timestamp": count // 1000, "fraction": (count % 1000 * 10**6).cast(pl.Int32)}
    if unit == SMALL:
        unit, guarded = "seconds", False
    if unit not in PER_SECOND:
        return _of_datetime(_parse(text, unit))
    divisor = PER_SECOND[unit]
    source = value if dtype.is_numeric() else text
    whole = source.cast(pl.Int64, strict=False) // divisor
    float_seconds = source.cast(pl.Float64, strict=False) / divisor
    if dtype.is_float():
        whole = float_seconds.floor().cast(pl.Int64, strict=False)
        fraction = ((float_seconds - float_seconds.floor()) * 10**9).cast(pl.Int32, strict=False)
    elif dtype.is_integer():
        fraction = (source.cast(pl.Int64, strict=False) % divisor * (10**9 // divisor)).cast(pl.Int32)
    else:
        whole = pl.coalesce(whole, float_seconds.floor().cast(pl.Int64, strict=False))
        fraction = text.map_batches(
            lambda texts: _count_fraction(texts, divisor), return_dtype=pl.Int32, is_elementwise=True
        )
    return {"timestamp": pl.when(whole >= LEAST).then(whole) if guarded else whole, "fraction": fraction}


def _of_datetime(time: pl.Expr) -> dict[str, pl.Expr]:
    return {"timestamp": time.dt.epoch("s"), "fraction": time.dt.nanosecond()}


def _count_fraction(texts: pl.Series, divisor: int) -> pl.Series:
    """Return the nanoseconds after the last whole second of counts, exactly, whether or not they have decimals."""
    per_unit = 10**9 // divisor
    whole = texts.cast(pl.Int64, strict=False) if divisor > 1 else pl.zeros(len(texts), pl.Int64, eager=True)
    fraction = whole % divisor * per_unit
    if texts.str.contains(".", literal=True).any():
        parts = pl.DataFrame({"text": texts}).select(
            whole=pl.col("text").str.extract(r"^([0-9]+)").cast(pl.Int64, strict=False) % divisor * per_unit,
            rest=_nanoseconds(pl.col("text").str.extract(r"^[0-9]*\.([0-9]+)$")) // divisor,
        )
        fraction = fraction.zip_with(parts["rest"].is_null(), parts["whole"] + parts["rest"])
    return fraction.fill_null(0).cast(pl.Int32)


@dataclass(frozen=True)
class Times:
    """The times of one file, or the first of them.

    Args:
        values: a frame of one column.
        place: returns where a row (counted from 0) is.
    """

    values: pl.DataFrame
    place: Callable[[int], str]


def tell_unit(parts: Iterable[Times]) -> str | None:
    """Return the unit that all parts are in, None if all are blank.

    Raises:
        UserError: they are in several units, or in one that has to be named.
    """
    seen = [entry for part in parts for entry in _units(part)]
    known = [entry for entry in seen if entry.unit is not None]
    if seen and not known:
        raise UserError(f"{seen[0]} is in no known unit of time: set {OPTION} to a format such as '%d/%m/%Y %H:%M'")
    counts = Counter[str | None]()
    for entry in known:
        counts[entry.unit] += entry.count
    unit = max(counts, key=lambda unit: counts[unit], default=None)
    for entry in known:
        usual = next(other for other in known if other.unit == unit)
        if entry.unit != unit and entry.share > MINORITY:
            raise UserError(
                f"{entry} is taken for {entry.unit}, but {usual} for {unit}: write all times alike, or set {OPTION}"
            )
        if unit == DATES:
            raise UserError(f"{usual} may be a date or a number of seconds: set {OPTION} to '%Y%m%d' or to seconds")
        if unit == SERIAL:
            raise UserError(
                f"{usual} may be a spreadsheet's day or a number of seconds: set {OPTION} to excel or seconds"
            )
    return unit


@dataclass(frozen=True)
class _Units:
    """The times of a part that have one unit; None where the unit is not known."""

    unit: str | None
    count: int
    share: float  # of the times whose unit is known
    part: Times
    row: int  # of the first
    text: str

    def __str__(self) -> str:
        return f"{self.part.place(self.row)}: {self.text!r}"


def _units(part: Times) -> list[_Units]:
    text = part.values.to_series().cast(pl.String).str.strip_chars()
    table = pl.DataFrame({"text": text}).with_row_index("row").filter(pl.col("text") != "")
    unit = _unit(pl.col("text"))
    # Within other counts a count that looks like a date is just another count.
    for special in (DATES, SERIAL):
        unit = pl.when((unit == special).all()).then(unit).otherwise(unit.replace(special, SMALL))
    table = table.with_columns(unit=unit)
    known = max(1, table["unit"].count())
    groups = table.group_by("unit").agg(pl.len(), pl.first("row"), pl.first("text")).sort("row")
    return [_Units(name, count, count / known, part, row, first) for name, count, row, first in groups.iter_rows()]


def _unit(text: pl.Expr) -> pl.Expr:
    """Return iso, a key of `PER_SECOND`, `SMALL`, `DATES`, `SERIAL`, or null for what is not a plausible time."""
    number = text.cast(pl.Float64, strict=False)
    unit = (
        pl.when(text.str.contains(ISO))
        .then(pl.lit("iso"))
        .when(text.str.contains(f"{COMPACT}|{YEAR}"))
        .then(pl.lit(DATES))
    )
    unit = unit.when(number.is_between(20_000, 80_000)).then(pl.lit(SERIAL))
    unit = unit.when(number.is_between(0, LEAST, closed="none")).then(pl.lit(SMALL))
    unit = unit.when(number.is_between(LEAST, LATEST)).then(pl.lit("seconds"))
    for name, divisor in list(PER_SECOND.items())[1:]:
        unit = unit.when(number.is_between(LEAST * divisor, LATEST * divisor)).then(pl.lit(name))
    return unit


def _parse(text: pl.Expr, form: str) -> pl.Expr:
    form = form.replace(".%f", "%.f")  # Python's way to write a fraction
    return text.str.to_datetime(form, time_unit="us", strict=False)


def _iso_seconds(text: pl.Series) -> pl.Series:
    """Parse ISO 8601: dates and times to the second in UTC together, all other forms in a second, slower pass."""
    between = "T" if (text.head(1).str.slice(10, 1) == "T").any() else " "
    time = text.str.head(19).str.to_datetime(f"%Y-%m-%d{between}%H:%M:%S", strict=False, cache=False).dt.epoch("s")
    plain = text.str.contains(r"^.{19}(?:[.,][0-9]+)?[Zz]?$") & time.is_not_null()
    if plain.all():
        return time
    rest = (~plain).fill_null(False)
    return time.zip_with(plain.fill_null(False), pl.Series([None], dtype=pl.Int64)).scatter(
        rest.arg_true(), pl.DataFrame({"text": text.filter(rest)}).select(_any_iso(pl.col("text"))).to_series()
    )


def _iso_fraction(text: pl.Series) -> pl.Series:
    """Return the nanoseconds of ISO 8601."""
    if not text.str.contains_any([".", ","]).any():
        return pl.zeros(len(text), pl.Int32, eager=True)
    digits = pl.col("text").str.extract(r"^.{16}:[0-9]{2}[.,]([0-9]+)")
    return pl.DataFrame({"text": text}).select(_nanoseconds(digits).cast(pl.Int32).fill_null(0)).to_series()


def _nanoseconds(digits: pl.Expr) -> pl.Expr:
    """Return the digits after a decimal mark as nanoseconds."""
    return digits.str.head(9).str.pad_end(9, "0").cast(pl.Int64)


def _any_iso(text: pl.Expr) -> pl.Expr:
    def number(part: pl.Expr) -> pl.Expr:
        return part.cast(pl.Int64, strict=False).fill_null(0)

    day = text.str.head(10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64)
    hour, minute = number(text.str.slice(11, 2)), number(text.str.slice(14, 2))
    second = pl.when(text.str.slice(16, 1) == ":").then(number(text.str.slice(17, 2))).otherwise(0)
    zone = text.str.slice(16).str.extract("([+-][0-9:]+)$")
    ahead = number(zone.str.slice(1, 2)) * 60 + pl.when(zone.str.len_bytes() > 3).then(
        number(zone.str.tail(2))
    ).otherwise(0)
    ahead = pl.when(zone.str.starts_with("-")).then(-ahead).otherwise(ahead)
    return pl.when(text.str.contains(ISO)).then(day * 86_400 + hour * 3600 + (minute - ahead) * 60 + second)
