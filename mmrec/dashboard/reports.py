"""One report for each table: a run set for each row, the baseline first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmrec.dashboard.conditions import Conditions, conditions, dataset_of, swept
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
from mmrec.reproduce.spec import Profile, Row, Spec


def build_report(entity: str, project: str, spec: Spec, profile: Profile, among: Sequence[Row]) -> wr.Report:
    """Return the report of a table, unsaved; building it asks nothing of W&B.

    Each row has a run set of its own, which takes in later seeds too: its runs are known by their config. The baseline
    has the first; to pin a run, as in the workspace, run sets of reports cannot.

    Args:
        entity: W&B team or user.
        project: W&B project.
        spec: the table or figure; with rows, so not that of the data's statistics.
        profile: says on which datasets.
        among: the rows of all tables, see `conditions`.
    """
    panels = PANELS[spec.kind]
    blocks: list[wr.P | wr.H2 | wr.PanelGrid] = [
        wr.P(
            f"{spec.name}, profile {profile.name}. Bars and curves are means over seeds, with the standard deviation; "
            "what is said of a model in print comes from the result files, see docs/paper.md."
        )
    ]
    for prefix in profile.datasets:
        dataset = dataset_of(prefix, spec.rows)
        of_rows = list(zip(spec.rows, conditions(spec.rows, prefix, among, profile.options), strict=True))
        of_rows.sort(key=lambda entry: entry[0].name != spec.baseline)
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
"""What a table of each layout shows."""
