"""The commands of `mmrec` beside those of Lightning."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]  # exported at run time

from mmrec.utils.shipped import find_config, locate_configs

if TYPE_CHECKING:
    from mmrec.dashboard.views import Views
    from mmrec.data.datamodule import RecDataModule

OTHER_KEYS = (
    "model", "trainer", "seed_everything", "name", "runs", "test_after_fit", "explain", "loss_precision",
    "tracking", "ckpt_path",
)  # fmt: skip
"""What a run config may hold beside its data; these commands do not look at it."""


def prepare(args: Sequence[str]) -> None:
    """Prepare the data of a config and encode its items, without training."""
    from mmrec.results.dataset import show_dataset

    data = _data("prepare", prepare.__doc__, args)
    catalog = data.catalog
    show_dataset(catalog.manifest, f"{data.source.name} in {catalog.folder}", data.features)


def validate(args: Sequence[str]) -> None:
    """Check the raw data of a config as `prepare` does, and write nothing."""
    from mmrec.data.prepare.pipeline import assemble
    from mmrec.results.dataset import show_dataset

    data = _data("validate", validate.__doc__, args)
    manifest = assemble(data.source, data.options, data.root, write=False).manifest
    if data.encoder is not None:
        data.encoder.revision()  # raises for arrays that are not there, and for weights that are files
    show_dataset(manifest, f"{data.source.name}: checked, nothing written", None)


def compare(args: Sequence[str]) -> None:
    """Show the results of all runs under a folder in one table."""
    from mmrec.results.compare import compare_runs

    parser = ArgumentParser(prog="mmrec compare", description=compare.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, help="folder of the runs of one dataset, say runs/toy")
    parser.add_argument("--groups", type=Path | None, default=None, help="CSV of user,group: also NDCG@10 by group")
    parser.add_argument("--slices", action="store_true", help="also NDCG@10 by slice of the target item")
    parser.add_argument("--cost", action="store_true", help="also time by epoch, time to the best one, peak memory")
    parser.add_argument("--beyond", action="store_true", help="also coverage, Gini, novelty, diversity of the lists")
    parser.add_argument("--against", type=str | None, default=None, help="also paired tests against this model")
    options = parser.parse_args(list(args))
    compare_runs(options.runs, options.groups, options.slices, options.cost, options.beyond, options.against)


def report(args: Sequence[str]) -> None:
    """Write one HTML page of all results below a folder: tables, figures, curves, users with their explanations."""
    from mmrec.report.write import write_page

    parser = ArgumentParser(prog="mmrec report", description=report.__doc__, exit_on_error=False)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs"), help="of runs, or of copied results")
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the page")
    parser.add_argument("--users", type=int, default=8, help="most users shown, of each dataset")
    options = parser.parse_args(list(args))
    write_page(options.folder, options.out, options.users)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB; open it in any browser")


def explain(args: Sequence[str]) -> None:
    """Explain recommendations."""
    from mmrec.cli import explain as command

    command.explain(args)


def search(args: Sequence[str]) -> None:
    """Search for options on the validation split, as a sweep file says."""
    from mmrec.cli.search import read_sweep
    from mmrec.cli.search import search as search_for

    parser = ArgumentParser(prog="mmrec search", description=search.__doc__, exit_on_error=False)
    parser.add_argument("sweep", help="a sweep file, see lightning_configs/sweeps")
    parser.add_argument("--trials", type=int, default=30, help="finished trials to reach, earlier calls included")
    parser.add_argument("--folder", type=Path, default=Path("runs/search"), help="where trials are kept")
    options = parser.parse_args(list(args))
    sweep = read_sweep(Path(find_config(options.sweep) or options.sweep))
    best = search_for(sweep, options.trials, options.folder)
    print(f"{best}:\n{best.read_text(encoding='utf-8')}", end="")


def paper(args: Sequence[str]) -> None:
    """Make tables and figures of the paper."""
    from mmrec.cli import paper as command

    command.paper(args)


def dashboard(args: Sequence[str]) -> None:
    """Build W&B workspaces and reports, and save them; with --out write what would be saved, without an account."""
    from mmrec.dashboard.save import save, write_specification
    from mmrec.dashboard.views import build_views
    from mmrec.reproduce.spec import read_specs

    parser = ArgumentParser(prog="mmrec dashboard", description=dashboard.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="where the baseline's run is found")
    parser.add_argument("--tables", type=str, nargs="+", default=["all"], help="tables and figures, by name or file")
    parser.add_argument("--profile", type=str, default="paper", help="of the tables: smoke, ml1m or paper")
    parser.add_argument("--baseline", type=str, default="sasrec", help="model that is pinned in the workspaces")
    parser.add_argument("--entity", type=str | None, default=None, help="W&B team or user; the account's by default")
    parser.add_argument("--project", type=str, default="mmrec", help="W&B project")
    parser.add_argument("--out", type=Path | None, default=None, help="write the specification as JSON instead")
    options = parser.parse_args(list(args))

    def build(entity: str) -> Views:
        specs = read_specs(options.tables)
        return build_views(entity, options.project, specs, options.profile, options.runs, options.baseline)

    if options.out is not None:
        write_specification(build(options.entity or "entity"), options.out)
        print(f"{options.out}: what `mmrec dashboard` saves")
    else:
        save(build, options.entity, options.runs[0] / "dashboards.json")


def sync(args: Sequence[str]) -> None:
    """Send runs that were recorded offline to W&B."""
    from mmrec.dashboard.sync import sync_runs

    parser = ArgumentParser(prog="mmrec sync", description=sync.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="folders of runs, at any depth")
    sync_runs(parser.parse_args(list(args)).runs)


def data_parser(name: str, description: str | None) -> ArgumentParser:
    """Return a parser of run configs that builds their data section, as `data`, and ignores the rest."""
    from mmrec.data.datamodule import RecDataModule

    parser = ArgumentParser(prog=f"mmrec {name}", description=description, exit_on_error=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="any run config, or one with a data section")
    parser.add_class_arguments(RecDataModule, "data", sub_configs=True)
    for key in OTHER_KEYS:
        parser.add_argument(f"--{key}", type=Any, help=SUPPRESS)
    return parser


def _data(name: str, description: str | None, args: Sequence[str]) -> RecDataModule:
    parser = data_parser(name, description)
    data: RecDataModule = parser.instantiate_classes(parser.parse_args(locate_configs(args))).data
    return data
