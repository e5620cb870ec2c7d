"""`mmrec dashboard`: W&B workspaces and reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.cli.run_identity import configured
from mmrec.dashboard.save import save, write_specification
from mmrec.dashboard.views import Pinned, Views, build_views
from mmrec.reproduce.spec import read_specs


def dashboard(args: Sequence[str]) -> None:
    """Build W&B workspaces and reports, and save them; with --out write what would be saved, without an account."""
    parser = ArgumentParser(prog="mmrec dashboard", description=dashboard.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="where the baseline's run is found")
    parser.add_argument("--tables", type=str, nargs="+", default=["all"], help="tables and figures, by name or file")
    parser.add_argument("--profile", type=str, default="paper", help="profile of the tables: smoke, ml1m, hm or paper")
    parser.add_argument("--baseline", type=str, default="sasrec", help="model that is pinned in the workspaces")
    parser.add_argument("--entity", type=str | None, default=None, help="W&B team or user; the account's by default")
    parser.add_argument("--project", type=str, default="mmrec", help="W&B project")
    parser.add_argument("--out", type=Path | None, default=None, help="write the specification as JSON instead")
    options = parser.parse_args(list(args))

    def build(entity: str) -> Views:
        specs = read_specs(options.tables)
        pinned = Pinned(options.baseline, options.runs)
        return build_views(entity, options.project, specs, options.profile, pinned, configured)

    if options.out is not None:
        write_specification(build(options.entity or "entity"), options.out)
        print(f"{options.out}: what `mmrec dashboard` saves")
    else:
        save(build, options.entity, options.runs[0] / "dashboards.json")
