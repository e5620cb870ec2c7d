"""All workspaces and reports of some tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmrec.dashboard.conditions import dataset_of
from mmrec.dashboard.library import wr, ws
from mmrec.dashboard.offline import baseline_id
from mmrec.dashboard.reports import build_report
from mmrec.dashboard.workspace import build_workspace
from mmrec.reproduce.spec import Spec


@dataclass(frozen=True)
class Views:
    """What is saved: workspaces, one for each dataset, and reports, one for each table."""

    workspaces: list[ws.Workspace]
    reports: list[wr.Report]


def build_views(
    entity: str, project: str, specs: Sequence[Spec], profile: str, runs: Sequence[Path], baseline: str
) -> Views:
    """Build the views of tables, unsaved; nothing is asked of W&B.

    Args:
        entity: W&B team or user.
        project: W&B project.
        specs: tables and figures; the statistics of the data have no runs and so no report.
        profile: name of the tables' profile.
        runs: folders of runs; the pinned one is among them.
        baseline: name of the model whose run is pinned; where it has none, nothing is pinned.

    Raises:
        UserError: a table has no such profile, or a result cannot be read.
    """
    of_runs = [spec for spec in specs if spec.rows]
    datasets = dict.fromkeys(dataset_of(name, spec.rows) for spec in of_runs for name in spec.profile(profile).datasets)
    rows = [row for spec in of_runs for row in spec.rows]
    return Views(
        [build_workspace(entity, project, name, baseline_id(list(runs), name, baseline)) for name in datasets],
        [build_report(entity, project, spec, spec.profile(profile), rows) for spec in of_runs],
    )
