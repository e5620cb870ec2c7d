"""The figures: bars of parts left out, curves of a swept value, costs; as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmrec.files import write_whole
from mmrec.metrics.significance import mean_interval
from mmrec.paper.collect import Runs
from mmrec.paper.columns import Column, column
from mmrec.paper.comparison import main_metric
from mmrec.paper.spec import Spec
from mmrec.report.paired import by_user

BAR, POINT = "#4c72b0", "#222222"
DOTS = 200  # per inch, of the PNG
Interval = tuple[float, float]


def draw(spec: Spec, runs: Sequence[Runs], stamp: str) -> Figure | None:
    """Draw the finished rows of a figure on one dataset; None where there is nothing to draw.

    Args:
        spec: a sweep is drawn as a curve over its values, all else as bars, one panel a column.
        runs: its rows.
        stamp: a line below.
    """
    metric = main_metric(spec)
    columns = [column(key) for key in spec.metrics] if metric is None else [column(metric)]
    panels = [(shown, [row for row in runs if row.mean(shown) is not None]) for shown in columns]
    panels = [(shown, rows) for shown, rows in panels if rows]
    if not panels:
        return None
    figure = Figure(figsize=(max(6.4, 3.6 * len(panels)), 3.8), layout="constrained")
    for number, (shown, rows) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        axes.set_title(shown.heading)
        axes.spines[["top", "right"]].set_visible(False)
        (_curve if spec.kind == "sweep" else _bars)(axes, shown, rows)
    spread = "" if metric is None else f"; bars: {_spread_name([row for _, rows in panels for row in rows])}"
    figure.suptitle(spec.title)
    figure.supxlabel(stamp + spread, fontsize=6, wrap=True)
    return figure


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG beside each other, the same bytes for the same figure, and return both.

    Args:
        figure: what to write.
        path: without an ending.
    """
    png, svg = (path.with_name(f"{path.name}.{ending}") for ending in ("png", "svg"))
    write_whole(png, lambda file: figure.savefig(file, format="png", dpi=DOTS))
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        write_whole(svg, lambda file: figure.savefig(file, format="svg", metadata={"Date": None}))
    return [png, svg]


def intervals(rows: Sequence[Runs], shown: Column) -> list[Interval]:
    """Return the ends of each row's error bar: one standard deviation over seeds, or without seeds over users.

    Where no row has two seeds, the bars are 95 % bootstrap intervals over users; a row with one seed beside rows with
    several has none. A cost has only deviations over seeds.
    """
    found = []
    for row in rows:
        middle = row.mean(shown) or 0.0
        deviation = row.deviation(shown)
        if deviation is not None:
            found.append((middle - deviation, middle + deviation))
        elif shown.best == "highest" and not _several_seeds(rows):
            users = by_user(list(row.folders.values()), shown.key).mean(axis=0)
            found.append(mean_interval(users))
        else:
            found.append((middle, middle))
    return found


def _several_seeds(rows: Sequence[Runs]) -> bool:
    return any(len(row.results) > 1 for row in rows)


def _spread_name(rows: Sequence[Runs]) -> str:
    return "standard deviation over seeds" if _several_seeds(rows) else "95 % interval over users (one seed)"


def _errors(rows: Sequence[Runs], shown: Column, middles: Sequence[float]) -> NDArray[np.float64]:
    """Return how far the bars reach below and above, (2, rows)."""
    ends = np.array(intervals(rows, shown), dtype=np.float64).T
    reach: NDArray[np.float64] = np.abs(ends - np.array(middles))
    return reach


def _bars(axes: Axes, shown: Column, rows: Sequence[Runs]) -> None:
    """Draw from zero, so that lengths compare, and print the values, which are close to each other."""
    middles = [row.mean(shown) or 0.0 for row in rows]
    places = list(range(len(rows)))
    axes.barh(places, middles, xerr=_errors(rows, shown, middles), color=BAR, ecolor=POINT, capsize=3, height=0.6)
    for place, middle in zip(places, middles, strict=True):
        axes.text(0, place, f" {shown.form(middle)}", va="center", ha="left", color="white", fontsize=8)
    axes.set_yticks(places, [row.row.label for row in rows])
    axes.invert_yaxis()


def _curve(axes: Axes, shown: Column, rows: Sequence[Runs]) -> None:
    """Draw over the swept value, each seed as a point beside the mean."""
    rows = sorted(rows, key=lambda row: row.row.value or 0.0)
    swept = [row.row.value or 0.0 for row in rows]
    middles = [row.mean(shown) or 0.0 for row in rows]
    axes.errorbar(swept, middles, yerr=_errors(rows, shown, middles), color=BAR, ecolor=POINT, marker="o", capsize=3)
    for value, row in zip(swept, rows, strict=True):
        seeds = list(row.values(shown).values())
        axes.plot([value] * len(seeds), seeds, ".", color=POINT, markersize=4)
    axes.set_xticks(swept, [f"{value:g}" for value in swept])
    axes.grid(axis="y", alpha=0.3)
