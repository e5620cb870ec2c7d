"""The panels of workspaces and reports, with the names of the values that runs log.

A test compares the names with those that a run has recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from mmrec.dashboard.library import wr

Panel: TypeAlias = wr.LinePlot | wr.BarPlot | wr.ScatterPlot | wr.ParameterImportancePlot
VALIDATION = "valid/ndcg@10"
TEST = "test/ndcg@10"
COST = {"seconds_per_epoch": "cost/seconds_per_epoch", "memory_mb": "cost/host_mb"}
"""Names of costs in tables, and the names that runs log them under; runs do not log the latency."""
RANKING = ("hr@", "ndcg@", "mrr")
CURVES = {
    VALIDATION: "Validation NDCG@10",
    "train/loss": "Training loss",
    "train/alpha": "α: weight of text against image",
    "train/gate": "Gate: weight of recent against long-term interest",
    "train/neighbour_churn": "Fraction of retrieved neighbours that changed",
    "train/loss_ui": "L_ui",
    "train/loss_ii": "L_ii",
    "train/loss_mm": "L_mm",
}
SLICES = ("head", "tail", "cold", "image_missing")


def logged(metric: str) -> str | None:
    """Return the name under which runs log a metric of a table; None if they do not log it."""
    if metric.startswith(RANKING):
        return f"test/{metric}"
    return COST.get(metric) or (f"beyond/{metric}" if "@" in metric else None)


def bars(metric: str, title: str, by: str | None = "name") -> wr.BarPlot:
    """Return bars of the mean of a metric with its standard deviation over seeds, one for each group.

    Args:
        metric: name of the metric in the run's summary.
        title: title of the panel.
        by: key of the config that groups runs; None for one bar per run set, which groups its own runs.
    """
    return wr.BarPlot(
        title=title, metrics=[wr.SummaryMetric(metric)], orientation="h", max_bars_to_show=30,
        groupby=None if by is None else wr.Config(by), groupby_aggfunc="mean", groupby_rangefunc="stddev",
    )  # fmt: skip


def curve(metric: str, title: str, by: str | None = "name") -> wr.LinePlot:
    """Return curves of a metric over epochs: the mean over seeds with the standard deviation as a band; see `bars`."""
    return wr.LinePlot(
        title=title, x="epoch", y=[metric], groupby=None if by is None else wr.Config(by), groupby_aggfunc="mean",
        groupby_rangefunc="stddev",
    )  # fmt: skip


def sensitivity(option: str, metric: str = TEST) -> wr.ScatterPlot:
    """Return a plot of a metric against a hyperparameter: one point per run, and the running mean as a curve."""
    return wr.ScatterPlot(
        title=f"{metric} by {option}", x=wr.Config(option), y=wr.SummaryMetric(metric), running_ymean=True
    )


def efficiency() -> wr.ScatterPlot:
    """Return a plot of test NDCG@10 against the time per epoch, coloured by memory."""
    return wr.ScatterPlot(
        title="NDCG@10 against seconds per epoch", x=wr.SummaryMetric(COST["seconds_per_epoch"]),
        y=wr.SummaryMetric(TEST), z=wr.SummaryMetric(COST["memory_mb"]), log_x=True,
    )  # fmt: skip


def importance() -> wr.ParameterImportancePlot:
    """Return the importance of hyperparameters for the validation metric."""
    return wr.ParameterImportancePlot(with_respect_to=VALIDATION)


def placed(panels: Sequence[Panel], columns: int = 2) -> list[Panel]:
    """Place panels row by row on the 24 columns of a report."""
    width = 24 // columns
    for place, panel in enumerate(panels):
        panel.layout = wr.Layout(x=width * (place % columns), y=8 * (place // columns), w=width, h=8)
    return list(panels)
