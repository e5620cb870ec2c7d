"""The figures: bars of ablations, curves over a swept value, costs; as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmrec.metrics.significance import mean_interval
from mmrec.reproduce.collect import Rows
from mmrec.reproduce.columns import column
from mmrec.reproduce.comparison import main_metric
from mmrec.reproduce.spec import Spec
from mmrec.results.aggregate import Model
from mmrec.results.measures import METRICS, Measure
from mmrec.results.paired import by_user, instances_by_user
from mmrec.utils.files import write_whole

BAR, POINT = "#4c72b0", "#222222"
DOTS = 200  # per inch, of the PNG
Interval = tuple[float, float]


def draw(spec: Spec, rows: Rows, stamp: str) -> Figure | None:
    """Draw the finished rows of a figure on one dataset; None if no row has a value.

    Args:
        spec: the figure; a sweep is drawn as a curve over its values, everything else as bars, one panel per column.
        rows: its rows.
        stamp: a line below the figure.
    """
    metric = main_metric(spec)
    columns = [column(key) for key in spec.metrics] if metric is None else [column(metric)]
    panels = [(shown, [model for model in rows.values() if model.mean(shown) is not None]) for shown in columns]
    panels = [(shown, models) for shown, models in panels if models]
    if not panels:
        return None
    figure = Figure(figsize=(max(6.4, 3.6 * len(panels)), 3.8), layout="constrained")
    values = {row.name: row.value for row in spec.rows}
    for number, (shown, models) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        axes.spines[["top", "right"]].set_visible(False)
        if spec.kind == "sweep":
            _curve(axes, shown, [(values[model.name] or 0.0, model) for model in models])
        else:
            _bars(axes, shown, models)
    figure.suptitle(spec.title)
    figure.supxlabel(f"{stamp}; {_error_bars([models for _, models in panels], metric)}", fontsize=6, wrap=True)
    return figure


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG, with the same bytes for the same figure, and return both files.

    Args:
        figure: the figure.
        path: path of the files without an ending.
    """
    png, svg = (path.with_name(f"{path.name}.{ending}") for ending in ("png", "svg"))
    write_whole(png, lambda file: figure.savefig(file, format="png", dpi=DOTS))
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        write_whole(svg, lambda file: figure.savefig(file, format="svg", metadata={"Date": None}))
    return [png, svg]


def intervals(models: Sequence[Model], shown: Measure) -> list[Interval | None]:
    """Return the ends of each model's error bar, None for no bar: one standard deviation over seeds on either side.

    If no model has two seeds, the bars of a metric are 95 % bootstrap intervals over users, with all their instances.
    """
    if not _several_seeds(models) and shown.key in METRICS:
        runs = [run for model in models for run in model.runs]
        return [mean_interval(by_user([run], shown.key)[0], instances_by_user(run)) for run in runs]
    found: list[Interval | None] = []
    for model in models:
        middle, deviation = model.mean(shown), model.deviation(shown)
        found.append(None if middle is None or deviation is None else (middle - deviation, middle + deviation))
    return found


def _several_seeds(models: Sequence[Model]) -> bool:
    return any(len(model.runs) > 1 for model in models)


def _error_bars(panels: Sequence[Sequence[Model]], metric: str | None) -> str:
    if any(_several_seeds(models) for models in panels):
        return "error bars: standard deviation over seeds"
    return "one seed, no error bars" if metric is None else "error bars: 95 % interval over users, one seed"


def _draw_error(axes: Axes, x: float, y: float, ends: Interval | None, vertical: bool) -> None:
    if ends is not None:
        middle = y if vertical else x
        reach = [[abs(middle - ends[0])], [abs(ends[1] - middle)]]
        across, up = (None, reach) if vertical else (reach, None)
        axes.errorbar([x], [y], xerr=across, yerr=up, color=POINT, capsize=3, elinewidth=1)


def _bars(axes: Axes, shown: Measure, models: Sequence[Model]) -> None:
    """Draw bars from zero, so that lengths can be compared, with the values next to them, which may be close."""
    for place, (model, ends) in enumerate(zip(models, intervals(models, shown), strict=True)):
        value = model.mean(shown) or 0.0
        axes.barh(place, value, color=BAR, height=0.6)
        _draw_error(axes, value, place, ends, vertical=False)
        axes.text(max(value, ends[1] if ends else 0.0), place, f"  {shown.print(value)}", va="center", fontsize=8)
    axes.set_yticks(range(len(models)), [model.label for model in models])
    axes.set_xlabel(shown.heading)
    axes.margins(x=0.2)
    axes.set_xlim(left=0)
    axes.invert_yaxis()


def _curve(axes: Axes, shown: Measure, points: Sequence[tuple[float, Model]]) -> None:
    """Draw the mean over the swept value, with a point for each seed."""
    points = sorted(points, key=lambda point: point[0])
    swept, models = [value for value, _ in points], [model for _, model in points]
    axes.plot(swept, [model.mean(shown) or 0.0 for model in models], color=BAR, marker="o")
    for value, model, ends in zip(swept, models, intervals(models, shown), strict=True):
        _draw_error(axes, value, model.mean(shown) or 0.0, ends, vertical=True)
        seeds = list(model.values(shown).values())
        axes.plot([value] * len(seeds), seeds, ".", color=POINT, markersize=4)
    axes.set_xticks(swept, [model.label for model in models], fontsize=8)
    axes.set_ylabel(shown.heading)
    axes.grid(axis="y", alpha=0.3)
