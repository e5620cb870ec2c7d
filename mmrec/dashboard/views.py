"""All workspaces and reports of some tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmrec.dashboard.conditions import Configure
from mmrec.dashboard.library import wr, ws
from mmrec.dashboard.offline import baseline_id
from mmrec.dashboard.reports import build_report
from mmrec.dashboard.workspace import build_workspace
from mmrec.reproduce.spec import Spec, run_args


@dataclass(frozen=True)
class Pinned:
    """The run that workspaces compare the others with.

    Args:
        model: name of the model; if it has no run, none is pinned.
        runs: folders of runs to find it in.
    """

    model: str
    runs: Sequence[Path]


@dataclass(frozen=True)
class Views:
    """Workspaces, one for each dataset, and reports, one for each table."""

    workspaces: list[ws.Workspace]
    reports: list[wr.Report]


def build_views(
    entity: str, project: str, specs: Sequence[Spec], profile: str, pinned: Pinned, configure: Configure
) -> Views:
    """Build the views of tables, unsaved; building them sends no request to W&B.

    Args:
        entity: W&B team or user.
        project: W&B project.
        specs: tables and figures; a table of datasets has no runs and so no report.
        profile: name of the tables' profile.
        pinned: the run that is pinned in the workspaces.
        configure: reads the config of a row.

    Raises:
        UserError: a table has no such profile, or a result cannot be read.
    """
    of_runs = [spec for spec in specs if spec.rows]
    names = dict.fromkeys((name, spec.rows[0]) for spec in of_runs for name in spec.profile(profile).datasets)
    datasets = dict.fromkeys(configure(run_args(name, row)).dataset for name, row in names)
    rows = [row for spec in of_runs for row in spec.rows]
    return Views(
        [build_workspace(entity, project, name, baseline_id(pinned.runs, name, pinned.model)) for name in datasets],
        [build_report(entity, project, spec, spec.profile(profile), rows, configure) for spec in of_runs],
    )
