"""One table of all runs of a dataset, from their `result.json` files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmrec.errors import UserError
from mmrec.metrics.ranking import ndcg
from mmrec.results.load import Result, load_results, read_ranks, require_one_protocol, seconds_per_epoch
from mmrec.results.paired import paired_table
from mmrec.utils.console import wide_console


def compare_runs(
    folder: Path,
    groups: Path | None = None,
    slices: bool = False,
    cost: bool = False,
    beyond: bool = False,
    against: str | None = None,
    console: Console | None = None,
) -> None:
    """Print metrics, size and time of each run, best NDCG@10 last; if asked more tables.

    Args:
        folder: holds `<model>/seed<k>/result.json`.
        groups: CSV with a header, first column user (raw id), second column group.
        slices: also by slice of the target item, see `mmrec.metrics.slices`.
        cost: also the time of an epoch, validation included, the time to the best epoch, and peak memory.
        beyond: also coverage, Gini, novelty and diversity of the lists, see `mmrec.metrics.beyond_accuracy`.
        against: also the difference to this model, user by user, see `mmrec.results.paired`.
        console: where to print.

    Raises:
        UserError: the runs do not share data and protocol, or a file is missing or older than what is asked of it.
    """
    console = console or wide_console()
    found = load_results(folder)
    require_one_protocol(found)
    metrics = list(dict.fromkeys(name for _, result in found for name in result["metrics"]))
    main = next((name for name in metrics if name.startswith("ndcg@10")), "ndcg@10")  # its name says the protocol
    found.sort(key=lambda entry: entry[1]["metrics"].get(main, 0.0))
    protocol = found[0][1]["protocol"]
    candidates = "full ranking" if protocol["candidates"] == "all" else protocol["candidates"]
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{escape(found[0][1]['dataset'])}: {protocol['instances']} test instances, {protocol['split']}, "
        f"{candidates}, history {'removed' if protocol['mask_history'] else 'kept'}",
    )
    for name in ("model", "seed", *metrics, "parameters", "epochs", "seconds"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=name == "model")
    for _, result in found:
        values = [_shown(result["metrics"].get(name)) for name in metrics]
        training = result["training"]
        table.add_row(
            escape(result["model"]), str(result["seed"]), *values, f"{result['parameters']:,}", str(training["epochs"]),
            f"{training['seconds']:.0f}",
        )  # fmt: skip
    console.print(table)
    if groups is not None:
        console.print(_by_group(found, groups))
    if slices:
        console.print(_by_slice(found, main))
    if cost:
        console.print(_cost(found))
    if beyond:
        console.print(_beyond(found))
    if against is not None:
        console.print(paired_table(found, against))


def _by_group(found: list[tuple[Path, Result]], groups: Path) -> Table:
    if not groups.is_file():
        raise UserError(f"--groups {groups}: no such file")
    try:
        labels = pl.read_csv(groups, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        raise UserError(f"--groups {groups}: not a CSV file ({str(error).splitlines()[0]})") from None
    if labels.width < 2:
        raise UserError(f"--groups {groups}: needs two columns, user and group, but has {', '.join(labels.columns)}")
    labels = labels.select(labels.columns[:2])
    labels.columns = ["user", "group"]
    table = Table(title="NDCG@10 by group of users", box=box.SIMPLE_HEAD)
    table.add_column("model")
    labels = labels.drop_nulls().unique("user", keep="first")
    names = sorted(labels["group"].unique())
    for name in names:
        table.add_column(escape(name), justify="right")
    for path, result in found:
        ranks = read_ranks(path).join(labels, on="user")
        if ranks.is_empty():
            raise UserError(
                f"--groups {groups}: none of its users is one of the runs': its first column must be the raw user ids"
            )
        means = {group: float(ndcg(rows["rank"].to_torch(), 10).mean()) for (group,), rows in ranks.group_by("group")}
        table.add_row(escape(result["model"]), *(_shown(means.get(name)) for name in names))
    return table


def _cost(found: list[tuple[Path, Result]]) -> Table:
    """Return what each run took. A closed form has no epochs; a checkpoint from elsewhere has no best one."""
    memories = list(dict.fromkeys(name for _, result in found for name in result.get("peak_memory_mb") or {}))
    table = Table(title="cost", box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    for name in ("seed", "parameters", "epochs", "best", "s / epoch", "s to best", *(f"{m}, MB" for m in memories)):
        table.add_column(name, justify="right")
    for _, result in found:
        training = result["training"]
        epochs, best = training["epochs"], training.get("best_epoch")
        epoch = seconds_per_epoch(result)
        peaks = result.get("peak_memory_mb") or {}
        table.add_row(
            escape(result["model"]), str(result["seed"]), f"{result['parameters']:,}", str(epochs),
            "-" if best is None else str(best + 1),
            "-" if epoch is None else f"{epoch:.1f}",
            f"{training['seconds']:.0f}" if epoch is None else "-" if best is None else f"{epoch * (best + 1):.0f}",
            *("-" if peaks.get(name) is None else f"{peaks[name]:,.0f}" for name in memories),
        )  # fmt: skip
    return table


def _beyond(found: list[tuple[Path, Result]]) -> Table:
    for path, result in found:
        if not result.get("beyond_accuracy"):
            raise UserError(f"{path}/result.json has nothing beyond accuracy: run `lightning test` for it again")
    names = list(dict.fromkeys(name for _, result in found for name in result["beyond_accuracy"]))
    table = Table(title="beyond accuracy", box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    for name in ("seed", *names):
        table.add_column(name.replace("_", "\n"), justify="right")
    for _, result in found:
        values = [_shown(result["beyond_accuracy"].get(name)) for name in names]
        table.add_row(escape(result["model"]), str(result["seed"]), *values)
    return table


def _by_slice(found: list[tuple[Path, Result]], metric: str) -> Table:
    """Return NDCG@10 by slice. A model with features and one without may differ in which items have a text or image.

    So runs of the same instances stand together, below the number of instances.
    """
    groups: dict[tuple[int | None, ...], list[Result]] = {}
    for path, result in found:
        if not result.get("slices"):
            raise UserError(f"{path}/result.json has no slices: run `lightning test` for it again")
    names = list(dict.fromkeys(name for _, result in found for name in result["slices"]))
    for _, result in found:
        counts = tuple(result["slices"].get(name, {}).get("instances") for name in names)
        groups.setdefault(counts, []).append(result)
    table = Table(title="NDCG@10 by slice of the target item", box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    table.add_column("seed", justify="right")
    for name in names:
        table.add_column(name.replace("_", "\n"), justify="right")
    for counts, results in groups.items():
        table.add_row("instances", "", *("-" if count is None else f"{count:,}" for count in counts), style="dim")
        for result in results:
            values = [_shown(result["slices"].get(name, {}).get(metric)) for name in names]
            table.add_row(escape(result["model"]), str(result["seed"]), *values)
        table.add_section()
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
