"""The geometry of the page's figures, which `templates/charts.html.j2` draws.

Lengths are in units of the figure's view box, which the page scales to the available width.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mmrec.results.curves import Points

WIDTH = 440
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 30
LABELS = 150
"""Width of the names of bars."""
BARS = (26.0, 44.0)
"""Smallest and largest distance between two bars."""
NAMED = 8
"""Largest number of models whose names are printed in a plot of two numbers; more would cover each other."""
LINE = 14.0
"""Smallest distance between two names."""
LEAST = 1e-30
"""Values up to this size count as 0."""
LONGEST_LABEL = 22
"""Largest number of characters of a bar's name; the whole name is in its tooltip."""


@dataclass(frozen=True)
class Tick:
    """A line of the grid: its position and its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """One curve: model, colour, path, position of its last or best point, and tooltip."""

    name: str
    colour: int
    path: str
    dot: tuple[float, float]
    said: str


@dataclass(frozen=True)
class LineChart:
    """Curves over epochs.

    Args:
        title: name of the values.
        lines: the curves.
        x_ticks: epochs, from 1.
        y_ticks: values.
        height: height of the view box.
        own_colours: whether the colours stand for lines of this chart alone, else for the models of the board.
    """

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    height: int = 220
    own_colours: bool = False


@dataclass(frozen=True)
class Bar:
    """One bar: model, label, colour, position, ends of its whisker (None for one value), single values and tooltip."""

    name: str
    label: str
    colour: int
    y: float
    end: float
    whisker: tuple[float, float] | None
    dots: tuple[float, ...]
    said: str


@dataclass(frozen=True)
class BarChart:
    """Bars of means over seeds with deviations, one per model."""

    title: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    height: float
    thickness: float


@dataclass(frozen=True)
class Dot:
    """One model in a plot of two numbers, with its printed name, left or right of it; "" for no name."""

    name: str
    colour: int
    x: float
    y: float
    said: str
    label: str = ""
    label_y: float = 0.0
    left: bool = False


@dataclass(frozen=True)
class Scatter:
    """A plot of models by two numbers, the first on a logarithmic scale."""

    title: str
    x_title: str
    dots: tuple[Dot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    height: int = 260


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round numbers (steps of 1, 2 or 5 times a power of ten) from `low` to `high`, both finite.

    The first is at most `low` and the last at least `high`.
    """
    size = max(abs(low), abs(high))
    size = size if size > LEAST else 1.0
    span = high - low if high - low > max(1e-9 * size, LEAST) else size  # smaller spans are rounding errors
    exponent = math.floor(math.log10(span / count))
    power = 10.0**exponent
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 3 - exponent) for place in range(first, max(last, first + 1) + 1)]


def line_chart(
    title: str, curves: Sequence[tuple[str, int, Points]], best: bool = False, own_colours: bool = False
) -> LineChart:
    """Lay out curves over epochs.

    Args:
        title: title of the chart.
        curves: name, colour and points of each curve, at least one point.
        best: whether to mark the highest point, whose epoch is kept, else the last point.
        own_colours: see `LineChart`.
    """
    epochs = [epoch for _, _, points in curves for epoch, _ in points]
    values = [value for _, _, points in curves for _, value in points]
    levels = ticks(min(values), max(values))
    x = _Scale(min(epochs), max(max(epochs), min(epochs) + 1), LEFT, WIDTH - RIGHT)
    y = _Scale(levels[0], levels[-1], LineChart.height - BOTTOM, TOP)
    lines = []
    for name, colour, points in curves:
        path = "M" + "L".join(f"{x(epoch):.1f} {y(value):.1f}" for epoch, value in points)
        epoch, value = max(points, key=lambda point: point[1]) if best else points[-1]
        said = f"{name}: {value:.4g} in epoch {epoch + 1}"
        lines.append(Line(name, colour, path, (x(epoch), y(value)), said))
    round_ones = {round(number) - 1 for number in ticks(min(epochs) + 1, max(epochs) + 1)}
    marked = sorted({min(epochs)} | {epoch for epoch in round_ones if min(epochs) < epoch <= max(epochs)})
    return LineChart(
        title, tuple(lines), tuple(Tick(x(epoch), str(epoch + 1)) for epoch in marked),
        tuple(Tick(y(level), f"{level:g}") for level in levels), own_colours=own_colours,
    )  # fmt: skip


def bar_chart(title: str, rows: Sequence[tuple[str, int, Sequence[float]]]) -> BarChart:
    """Lay out the mean of each row as a bar from 0, with its standard deviation and the single values.

    Args:
        title: title of the chart.
        rows: name, colour and values over seeds of each bar, at least one value.
    """
    means = [statistics.fmean(values) for _, _, values in rows]
    spreads = [statistics.stdev(values) if len(values) > 1 else 0.0 for _, _, values in rows]
    levels = ticks(0.0, max(*(mean + spread for mean, spread in zip(means, spreads, strict=True)), 1e-9))
    x = _Scale(levels[0], levels[-1], LABELS, WIDTH - RIGHT)
    step = min(BARS[1], max(BARS[0], (Scatter.height - TOP - BOTTOM) / len(rows)))
    bars = []
    for place, (name, colour, values) in enumerate(rows):
        mean, spread = means[place], spreads[place]
        several = len(values) > 1
        said = f"{name}: {mean:.4f}" + (f" ± {spread:.4f} over {len(values)} seeds" if several else ", one seed")
        ends = (x(max(0.0, mean - spread)), x(mean + spread)) if several else None
        dots = tuple(x(value) for value in values) if several else ()
        bars.append(
            Bar(name, _shortened(name), colour, round(TOP + step * (place + 0.5), 1), x(mean), ends, dots, said)
        )
    height = round(TOP + step * len(rows) + BOTTOM, 1)
    return BarChart(
        title, tuple(bars), tuple(Tick(x(level), f"{level:g}") for level in levels), height, round(0.6 * step, 1)
    )


def scatter(title: str, x_title: str, points: Sequence[tuple[str, int, float, float]]) -> Scatter:
    """Lay out a plot of models by two numbers.

    Args:
        title: title of the chart.
        x_title: name of the first number.
        points: name, colour and both numbers of each model; the first number is above 0.
    """
    powers = [math.log10(x) for _, _, x, _ in points]
    first, last = math.floor(min(powers)), max(math.ceil(max(powers)), math.floor(min(powers)) + 1)
    levels = ticks(min(0.0, *(y for *_, y in points)), max(y for *_, y in points))
    x = _Scale(first, last, LEFT, WIDTH - RIGHT)
    y = _Scale(levels[0], levels[-1], Scatter.height - BOTTOM - 14, TOP)
    dots = [
        Dot(name, colour, x(power), y(value), f"{name}: {value:.4f} at {number:,.4g}")
        for (name, colour, number, value), power in zip(points, powers, strict=True)
    ]
    return Scatter(
        title, x_title, tuple(_named(dots)), tuple(Tick(x(p), f"{10.0**p:,g}") for p in range(first, last + 1)),
        tuple(Tick(y(level), f"{level:g}") for level in levels),
    )  # fmt: skip


def _named(dots: Sequence[Dot]) -> list[Dot]:
    """Add the names of few models, moved down where they would cover each other."""
    if len(dots) > NAMED:
        return list(dots)
    made, lowest = [], {True: 0.0, False: 0.0}
    for dot in sorted(dots, key=lambda dot: dot.y):
        left = dot.x > WIDTH / 2
        lowest[left] = max(dot.y, lowest[left] + LINE)
        made.append(replace(dot, label=_shortened(dot.name), label_y=lowest[left], left=left))
    return made


class _Scale:
    """A linear map from values to positions."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._factor = (end - start) / (high - low)

    def __call__(self, value: float) -> float:
        return round(self._start + (value - self._low) * self._factor, 1)


def _shortened(name: str) -> str:
    """Cut the middle out of a long name: names of related models often differ at the end."""
    half = LONGEST_LABEL // 2
    return name if len(name) <= LONGEST_LABEL else f"{name[: half - 1]}…{name[-half:]}"
