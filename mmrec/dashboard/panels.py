"""The panels of workspaces and reports, and the names of what they show.

Every name is one that a run logs: a test compares them with what a run has recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from mmrec.dashboard.library import wr

Panel: TypeAlias = wr.LinePlot | wr.BarPlot | wr.ScatterPlot | wr.ParameterImportancePlot
VALIDATION = "valid/ndcg@10"
TEST = "test/ndcg@10"
COST = {"seconds_per_epoch": "cost/seconds_per_epoch", "memory_mb": "cost/host_mb"}
"""What tables call the cost of a run, and what runs log it as; the latency of one user is measured apart."""
RANKING = ("hr@", "ndcg@", "mrr")
CURVES = {
    VALIDATION: "Validation NDCG@10",
    "train/loss": "Training loss",
    "train/alpha": "α: weight of text against picture",
    "train/gate": "Gate: weight of recent against long-term interest",
    "train/neighbour_churn": "Share of retrieved neighbours that changed",
    "train/loss_ui": "L_ui",
    "train/loss_ii": "L_ii",
    "train/loss_mm": "L_mm",
}
SLICES = ("head", "tail", "cold", "image_missing")


def logged(metric: str) -> str | None:
    """Return the name under which runs log the metric of a table; None for what they do not log."""
    if metric.startswith(RANKING):
        return f"test/{metric}"
    return COST.get(metric) or (f"beyond/{metric}" if "@" in metric else None)


def bars(metric: str, title: str, by: str | None = "name") -> wr.BarPlot:
    """Return the mean of a metric with its standard deviation over seeds, a bar for each group.

    Args:
        metric: of the run's summary.
        title: above it.
        by: key of the config that groups runs; None for a bar for each run set, grouped itself.
    """
    return wr.BarPlot(
        title=title, metrics=[wr.SummaryMetric(metric)], orientation="h", max_bars_to_show=30,
        groupby=None if by is None else wr.Config(by), groupby_aggfunc="mean", groupby_rangefunc="stddev",
    )  # fmt: skip


def curve(metric: str, title: str, by: str | None = "name") -> wr.LinePlot:
    """Return a metric over epochs: the mean over seeds, and their standard deviation as a band; see `bars`."""
    return wr.LinePlot(
        title=title, x="epoch", y=[metric], groupby=None if by is None else wr.Config(by), groupby_aggfunc="mean",
        groupby_rangefunc="stddev",
    )  # fmt: skip


def sensitivity(option: str, metric: str = TEST) -> wr.ScatterPlot:
    """Return a metric against a hyperparameter: every run a point, and the running mean as a curve."""
    return wr.ScatterPlot(
        title=f"{metric} by {option}", x=wr.Config(option), y=wr.SummaryMetric(metric), running_ymean=True
    )


def efficiency() -> wr.ScatterPlot:
    """Return test NDCG@10 against the time of an epoch, coloured by memory."""
    return wr.ScatterPlot(
        title="NDCG@10 against seconds per epoch", x=wr.SummaryMetric(COST["seconds_per_epoch"]),
        y=wr.SummaryMetric(TEST), z=wr.SummaryMetric(COST["memory_mb"]), log_x=True,
    )  # fmt: skip


def importance() -> wr.ParameterImportancePlot:
    """Return which hyperparameters matter, by validation alone."""
    return wr.ParameterImportancePlot(with_respect_to=VALIDATION)


def placed(panels: Sequence[Panel], columns: int = 2) -> list[Panel]:
    """Lay panels out row by row on the 24 columns of a report."""
    width = 24 // columns
    for place, panel in enumerate(panels):
        panel.layout = wr.Layout(x=width * (place % columns), y=8 * (place // columns), w=width, h=8)
    return list(panels)
