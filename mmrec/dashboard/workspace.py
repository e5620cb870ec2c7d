"""The workspace: every run of a dataset, against a pinned baseline."""

from __future__ import annotations

from collections.abc import Sequence

from mmrec.dashboard.library import expr, ws
from mmrec.dashboard.panels import CURVES, SLICES, TEST, VALIDATION, Panel, bars, curve, efficiency, importance
from mmrec.dashboard.panels import sensitivity as sensitivity_of

HYPERPARAMETERS = ("neighbours", "replace_prob", "beta", "lr")
"""Hyperparameters with a sensitivity curve."""


def build_workspace(entity: str, project: str, dataset: str, baseline: str | None) -> ws.Workspace:
    """Return a workspace, unsaved; building it sends no request to W&B.

    Args:
        entity: W&B team or user.
        project: W&B project.
        dataset: name of the dataset; runs on other datasets are left out.
        baseline: W&B id of the pinned run that the others are compared with; None for no run.
    """
    sections = [
        _section("Test", [bars(f"test/{name}", name.upper()) for name in ("ndcg@10", "hr@10", "ndcg@20", "mrr")], True),
        _section("Training", [curve(name, title) for name, title in CURVES.items()], True),
        _section("Slices", [bars(f"slices/{name}/ndcg@10", f"NDCG@10, {name.replace('_', ' ')}") for name in SLICES]),
        _section("Cost", [efficiency(), bars("cost/seconds_per_epoch", "Seconds per epoch")]),
        _section("Sensitivity", [*map(sensitivity_of, HYPERPARAMETERS), importance()]),
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"mmrec: {dataset}",
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=100),
        runset_settings=ws.RunsetSettings(
            filters=expr.And(expr.Config("dataset") == dataset),
            order=[expr.Ordering(expr.Summary(TEST), ascending=False)],
            pinned_columns=[
                "config:name.value",
                f"summary:{TEST}",
                f"summary:{VALIDATION}",
                "config:seed_everything.value",
            ],
            baseline_run=baseline,
        ),
    )


def _section(name: str, panels: Sequence[Panel], is_open: bool = False) -> ws.Section:
    return ws.Section(name=name, panels=list(panels), is_open=is_open)
