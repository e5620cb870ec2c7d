"""The figures: bars of parts left out, curves of a swept value, costs; as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmrec.metrics.significance import mean_interval
from mmrec.reproduce.collect import Runs
from mmrec.reproduce.columns import Column, column, is_metric
from mmrec.reproduce.comparison import main_metric
from mmrec.reproduce.spec import Spec
from mmrec.results.paired import by_user, instances_by_user
from mmrec.utils.files import write_whole

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
        axes.spines[["top", "right"]].set_visible(False)
        (_curve if spec.kind == "sweep" else _bars)(axes, shown, rows)
    figure.suptitle(spec.title)
    figure.supxlabel(f"{stamp}; {_error_bars([rows for _, rows in panels], metric)}", fontsize=6, wrap=True)
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


def intervals(rows: Sequence[Runs], shown: Column) -> list[Interval | None]:
    """Return the ends of each row's error bar, None for none: one standard deviation over seeds on either side.

    Where no row has two seeds, the bars of a metric are 95 % bootstrap intervals over users, with all their instances.
    """
    if not _several_seeds(rows) and is_metric(shown.key):
        folders = [folder for row in rows for folder in row.folders.values()]
        return [mean_interval(by_user([folder], shown.key)[0], instances_by_user(folder)) for folder in folders]
    found: list[Interval | None] = []
    for row in rows:
        middle, deviation = row.mean(shown), row.deviation(shown)
        found.append(None if middle is None or deviation is None else (middle - deviation, middle + deviation))
    return found


def _several_seeds(rows: Sequence[Runs]) -> bool:
    return any(len(row.results) > 1 for row in rows)


def _error_bars(panels: Sequence[Sequence[Runs]], metric: str | None) -> str:
    if any(_several_seeds(rows) for rows in panels):
        return "error bars: standard deviation over seeds"
    return "one seed, no error bars" if metric is None else "error bars: 95 % interval over users, one seed"


def _draw_error(axes: Axes, x: float, y: float, ends: Interval | None, vertical: bool) -> None:
    if ends is not None:
        middle = y if vertical else x
        reach = [[abs(middle - ends[0])], [abs(ends[1] - middle)]]
        across, up = (None, reach) if vertical else (reach, None)
        axes.errorbar([x], [y], xerr=across, yerr=up, color=POINT, capsize=3, elinewidth=1)


def _bars(axes: Axes, shown: Column, rows: Sequence[Runs]) -> None:
    """Draw from zero, so that lengths compare, with the values beside, which may be close to each other."""
    for place, (row, ends) in enumerate(zip(rows, intervals(rows, shown), strict=True)):
        value = row.mean(shown) or 0.0
        axes.barh(place, value, color=BAR, height=0.6)
        _draw_error(axes, value, place, ends, vertical=False)
        axes.text(max(value, ends[1] if ends else 0.0), place, f"  {shown.form(value)}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [row.row.label for row in rows])
    axes.set_xlabel(shown.heading)
    axes.margins(x=0.2)
    axes.set_xlim(left=0)
    axes.invert_yaxis()


def _curve(axes: Axes, shown: Column, rows: Sequence[Runs]) -> None:
    """Draw over the swept value, each seed as a point beside the mean."""
    rows = sorted(rows, key=lambda row: row.row.value or 0.0)
    swept = [row.row.value or 0.0 for row in rows]
    axes.plot(swept, [row.mean(shown) or 0.0 for row in rows], color=BAR, marker="o")
    for value, row, ends in zip(swept, rows, intervals(rows, shown), strict=True):
        _draw_error(axes, value, row.mean(shown) or 0.0, ends, vertical=True)
        seeds = list(row.values(shown).values())
        axes.plot([value] * len(seeds), seeds, ".", color=POINT, markersize=4)
    axes.set_xticks(swept, [row.row.label for row in rows], fontsize=8)
    axes.set_ylabel(shown.heading)
    axes.grid(axis="y", alpha=0.3)
