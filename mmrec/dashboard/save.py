"""Saving what was built: to W&B, where it is found again and replaced, or to a file to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import wandb

from mmrec.dashboard.library import wr, ws
from mmrec.dashboard.views import Views
from mmrec.errors import UserError
from mmrec.training.tracking import has_account
from mmrec.utils.files import write_whole


def specification(views: Views) -> dict[str, object]:
    """Return all that is saved, as W&B receives it."""
    return {
        "workspaces": [view._to_model().model_dump(mode="json", by_alias=True) for view in views.workspaces],
        "reports": [view._to_model().model_dump(mode="json", by_alias=True) for view in views.reports],
    }


def write_specification(views: Views, out: Path) -> None:
    """Write all that is saved as JSON."""
    write_whole(out, json.dumps(specification(views), indent=2, ensure_ascii=False) + "\n")


def save(build: Callable[[str], Views], entity: str | None, memory: Path) -> None:
    """Save workspaces and reports, each in place of what an earlier call has saved.

    Args:
        build: makes the views, given the entity.
        entity: W&B team or user; None for the account's default.
        memory: JSON file of addresses by title, to find the earlier ones by.

    Raises:
        UserError: there is no account, or W&B refuses.
    """
    if not has_account():
        raise UserError(
            "this machine has no W&B account: run `wandb login` or set WANDB_API_KEY, or write the specification with "
            "--out FILE.json"
        )
    known = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    try:
        views = build(entity or str(wandb.Api().default_entity))
        for workspace in views.workspaces:
            known[workspace.name] = _save_workspace(workspace, known.get(workspace.name))
        for report in views.reports:
            known[report.title] = _save_report(report, known.get(report.title))
    except (wandb.Error, ValueError) as error:
        raise UserError(f"W&B refuses: {error}") from error
    finally:
        write_whole(memory, json.dumps(known, indent=2, ensure_ascii=False) + "\n")
    for title, url in known.items():
        print(f"{title}: {url}")


def _save_workspace(made: ws.Workspace, url: str | None) -> str:
    if url is not None:
        earlier = ws.Workspace.from_url(url)
        earlier.sections, earlier.settings = made.sections, made.settings
        earlier.runset_settings = made.runset_settings
        made = earlier
    made.save()
    return str(made.url)


def _save_report(made: wr.Report, url: str | None) -> str:
    if url is not None:
        earlier = wr.Report.from_url(url)
        earlier.blocks, earlier.description = made.blocks, made.description
        made = earlier
    made.save()
    return str(made.url)
