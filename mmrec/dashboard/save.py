"""Saving of workspaces and reports: to W&B, replacing those of an earlier call, or to a file for inspection."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import wandb
from pydantic import TypeAdapter

from mmrec.dashboard.library import wr, ws
from mmrec.dashboard.views import Views
from mmrec.errors import UserError
from mmrec.training.tracking import has_account
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json

WORKSPACE, REPORT = ("sections", "settings", "runset_settings"), ("blocks", "description")
"""Fields that replace those of an earlier view."""


def specification(views: Views) -> dict[str, list[Any]]:
    """Return the fields of all workspaces and reports."""
    return {
        "workspaces": [TypeAdapter(ws.Workspace).dump_python(view, mode="json") for view in views.workspaces],
        "reports": [TypeAdapter(wr.Report).dump_python(view, mode="json") for view in views.reports],
    }


def write_specification(views: Views, out: Path) -> None:
    """Write all workspaces and reports as JSON."""
    write_whole(out, json.dumps(specification(views), indent=2, ensure_ascii=False) + "\n")


def save(build: Callable[[str], Views], entity: str | None, memory: Path) -> None:
    """Save workspaces and reports, each in place of the one that an earlier call has saved.

    Args:
        build: returns the views for an entity.
        entity: W&B team or user; None for the account's default.
        memory: JSON file with the addresses of the earlier ones by title.

    Raises:
        UserError: the machine has no account, the file of addresses is damaged, or W&B refuses.
    """
    if not has_account():
        raise UserError(
            "this machine has no W&B account: run `wandb login` or set WANDB_API_KEY, or write the specification with "
            "--out FILE.json"
        )
    known = read_json(memory, {str: str}, "remove it, and new ones are made") if memory.is_file() else {}
    try:
        views = build(entity or str(wandb.Api().default_entity))
        for workspace in views.workspaces:
            known[workspace.name] = _save(workspace, WORKSPACE, known.get(workspace.name))
        for report in views.reports:
            known[report.title] = _save(report, REPORT, known.get(report.title))
    except (wandb.Error, ValueError) as error:
        raise UserError(f"W&B refuses: {error}") from error
    finally:
        write_whole(memory, json.dumps(known, indent=2, ensure_ascii=False) + "\n")
    for title, url in known.items():
        print(f"{title}: {url}")


def _save(made: ws.Workspace | wr.Report, fields: Sequence[str], url: str | None) -> str:
    """Save a view, or its fields in the earlier one at an address, and return the address."""
    saved = made
    if url is not None:
        saved = type(made).from_url(url)
        for field in fields:
            setattr(saved, field, getattr(made, field))
    saved.save()
    return str(saved.url)
