"""One report for each table: a run set for each row, the baseline first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmrec.dashboard.conditions import Conditions, Configure, conditions, swept
from mmrec.dashboard.library import expr, wr
from mmrec.dashboard.panels import (
    CURVES,
    TEST,
    VALIDATION,
    Panel,
    bars,
    curve,
    efficiency,
    importance,
    logged,
    placed,
    sensitivity,
)
from mmrec.reproduce.spec import Profile, Row, Spec, run_args


def build_report(
    entity: str, project: str, spec: Spec, profile: Profile, among: Sequence[Row], configure: Configure
) -> wr.Report:
    """Return the report of a table, unsaved; building it sends no request to W&B.

    Each row has its own run set, which finds its runs by their config and so includes later seeds. The run set of the
    baseline comes first, because run sets of reports cannot pin a run as a workspace can.

    Args:
        entity: W&B team or user.
        project: W&B project.
        spec: the table or figure; it must have rows, so it cannot be the table of datasets.
        profile: profile of the table, with its datasets.
        among: rows of all tables, see `conditions`.
        configure: reads the config of a row.
    """
    panels = PANELS[spec.kind]
    blocks: list[wr.P | wr.H2 | wr.PanelGrid] = [
        wr.P(
            f"{spec.name}, profile {profile.name}. Bars and curves are means over seeds, with the standard deviation; "
            "printed tables come from the result files, see docs/paper.md."
        )
    ]
    for name in profile.datasets:
        dataset = configure(run_args(name, spec.rows[0])).dataset
        found = conditions(spec.rows, name, among, configure, profile.options)
        of_rows = sorted(zip(spec.rows, found, strict=True), key=lambda entry: entry[0].name != spec.baseline)
        runsets = [_runset(row, dataset, known_by, row.name == spec.baseline) for row, known_by in of_rows]
        blocks += [wr.H2(dataset), wr.PanelGrid(runsets=runsets, panels=placed(panels(spec)))]
    return wr.Report(entity=entity, project=project, title=f"{spec.name}: {spec.title}"[:128], blocks=blocks)


def _runset(row: Row, dataset: str, known_by: Conditions, is_baseline: bool) -> wr.Runset:
    filters = [expr.Config(key) == value for key, value in {"dataset": dataset, **known_by}.items()]
    label = f"{row.label} (baseline)" if is_baseline else row.label
    return wr.Runset(
        name=label, filters=expr.And(*filters), groupby=["config.name"],
        order=[wr.OrderBy(wr.SummaryMetric(TEST), ascending=False)],
        pinned_columns=["run:displayName", f"summary:{TEST}", f"summary:{VALIDATION}"],
    )  # fmt: skip


def _comparison(spec: Spec) -> list[Panel]:
    made: list[Panel] = [bars(name, metric.upper(), by=None) for metric in spec.metrics if (name := logged(metric))]
    return made + [curve(name, title, by=None) for name, title in CURVES.items()]


def _sweep(spec: Spec) -> list[Panel]:
    option = swept(spec.rows)
    names = [name for metric in spec.metrics if (name := logged(metric))]
    made: list[Panel] = [sensitivity(option, name) for name in (*names, VALIDATION) if option is not None]
    return [*made, importance(), curve(VALIDATION, CURVES[VALIDATION], by=None)]


def _efficiency(spec: Spec) -> list[Panel]:
    return [efficiency(), *(bars(name, metric, by=None) for metric in spec.metrics if (name := logged(metric)))]


PANELS: dict[str, Callable[[Spec], list[Panel]]] = {
    "comparison": _comparison,
    "sweep": _sweep,
    "efficiency": _efficiency,
}
"""Makers of the panels by layout of the table."""
