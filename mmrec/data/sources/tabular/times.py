"""Times as people write them, to whole seconds since 1970 in UTC; which way they are written is told by the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from mmrec.data.sources.readers.events import EARLIEST, LATEST
from mmrec.errors import UserError, require

OPTION = "data.source.init_args.time_unit"
PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
LEAST = EARLIEST  # seconds: a smaller count of milliseconds is one of seconds, and so on
SAMPLE = 1000  # values at the start of each file by which the unit is told
MINORITY = 0.05  # a larger share of another unit is a mixture, a smaller one bad rows
CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?"
ZONE = r"(?:Z|z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
ISO = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[Tt ]{CLOCK} ?{ZONE}?)?$"
DATES = "dates"
SMALL = "small counts"  # of seconds, below LEAST: fine where all are, and cut off or nonsense among others
YEAR = r"^(?:19|20)[0-9]{2}$"
COMPACT = r"^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$"  # 20240131


def check_unit(unit: str) -> None:
    """Check the option.

    Raises:
        UserError: it is no unit and no format.
    """
    if "%" not in unit:
        names = "auto, iso, seconds, milliseconds, microseconds, nanoseconds or a format such as '%d/%m/%Y %H:%M'"
        require(unit in ("auto", "iso", *PER_SECOND), OPTION, repr(unit), names)
        return
    day = pl.Series(["2020-01-31 10:20:30.5"]).str.to_datetime("%Y-%m-%d %H:%M:%S%.f").dt.replace_time_zone("UTC")
    try:
        written = day.dt.strftime(unit)
        read = _parse(pl.col("x"), unit)
        found = pl.DataFrame({"x": written}).select(read).item()
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise UserError(f"{OPTION}: {unit!r} is no format of a time: {str(error).splitlines()[0]}") from None
    if found is None or found // 86_400 != day.dt.epoch("s").item() // 86_400:
        raise UserError(f"{OPTION}: {unit!r} does not give a day: a format needs year, month and day")


def is_typed(dtype: pl.DataType, place: str) -> bool:
    """Return whether a column holds dates or times as such, so that no unit is needed.

    Raises:
        UserError: it holds neither these nor text or numbers.
    """
    if isinstance(dtype, pl.Date | pl.Datetime):
        return True
    if dtype.is_numeric() or isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null):
        return False
    raise UserError(f"{place} holds {dtype} values, which are no times: name another column")


def seconds(column: str, dtype: pl.DataType, unit: str, guarded: bool) -> pl.Expr:
    """Return a column as Int64 seconds, null where there is no time.

    Args:
        column: of a frame.
        dtype: of that column; dates and times need no unit.
        unit: iso, a key of `PER_SECOND` or a format; without a zone a time is UTC.
        guarded: take a count that is too small for `unit` for none (of `auto`).
    """
    value = pl.col(column)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return value.cast(pl.Datetime("ms", getattr(dtype, "time_zone", None))).dt.epoch("s")
    text = value.cast(pl.String)
    if unit == "iso":
        return text.map_batches(_iso_seconds, return_dtype=pl.Int64, is_elementwise=True)
    text = text.str.strip_chars()
    if unit == SMALL:
        unit, guarded = "seconds", False
    if unit not in PER_SECOND:
        return _parse(text, unit)
    divisor = PER_SECOND[unit]
    source = value if dtype.is_numeric() else text
    whole = source.cast(pl.Int64, strict=False) // divisor
    if not dtype.is_integer():
        fraction = (source.cast(pl.Float64, strict=False) / divisor).floor().cast(pl.Int64, strict=False)
        whole = fraction if dtype.is_float() else pl.coalesce(whole, fraction)
    return pl.when(whole >= LEAST).then(whole) if guarded else whole


@dataclass(frozen=True)
class Times:
    """The times of one file, or the first of them.

    Args:
        values: a frame of one column.
        place: where a row (counted from 0) stands.
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
        raise UserError(f"{seen[0]} is no time that can be told: set {OPTION} to a format such as '%d/%m/%Y %H:%M'")
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
    return unit


@dataclass(frozen=True)
class _Units:
    """The times of a part that have one unit; None is no unit known."""

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
    unit = pl.when((unit == DATES).all()).then(unit).otherwise(unit.replace(DATES, SMALL))
    table = table.with_columns(unit=unit)
    known = max(1, table["unit"].count())
    groups = table.group_by("unit").agg(pl.len(), pl.first("row"), pl.first("text")).sort("row")
    return [_Units(name, count, count / known, part, row, first) for name, count, row, first in groups.iter_rows()]


def _unit(text: pl.Expr) -> pl.Expr:
    """Return iso, a key of `PER_SECOND`, `SMALL`, `DATES`, or null for what is no plausible time."""
    number = text.cast(pl.Float64, strict=False)
    unit = (
        pl.when(text.str.contains(ISO))
        .then(pl.lit("iso"))
        .when(text.str.contains(f"{COMPACT}|{YEAR}"))
        .then(pl.lit(DATES))
    )
    unit = unit.when(number.is_between(0, LEAST, closed="none")).then(pl.lit(SMALL))
    unit = unit.when(number.is_between(LEAST, LATEST)).then(pl.lit("seconds"))
    for name, divisor in list(PER_SECOND.items())[1:]:
        unit = unit.when(number.is_between(LEAST * divisor, LATEST * divisor)).then(pl.lit(name))
    return unit


def _parse(text: pl.Expr, form: str) -> pl.Expr:
    form = form.replace(".%f", "%.f")  # Python's way to write a fraction
    return text.str.to_datetime(form, strict=False).dt.epoch("s")


def _iso_seconds(text: pl.Series) -> pl.Series:
    """Parse ISO 8601: dates and times to the second in UTC all at once, whatever else in a second, slower way."""
    text = text.str.strip_chars()
    between = "T" if (text.head(1).str.slice(10, 1) == "T").any() else " "
    time = text.str.head(19).str.to_datetime(f"%Y-%m-%d{between}%H:%M:%S", strict=False, cache=False).dt.epoch("s")
    plain = text.str.contains(r"^.{19}(?:[.,][0-9]+)?[Zz]?$") & time.is_not_null()
    if plain.all():
        return time
    rest = (~plain).fill_null(False)
    return time.zip_with(plain.fill_null(False), pl.Series([None], dtype=pl.Int64)).scatter(
        rest.arg_true(), pl.DataFrame({"text": text.filter(rest)}).select(_any_iso(pl.col("text"))).to_series()
    )


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
