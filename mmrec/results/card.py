"""The model card of a run: what the model is, how good it was and under which protocol, and how to train it again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.errors import UserError
from mmrec.metrics.ranking import metric_of
from mmrec.results.aggregate import boards
from mmrec.results.labels import label
from mmrec.results.load import Result, Run, read_run
from mmrec.results.writers.markdown import escaped
from mmrec.utils.files import write_whole

CARD = "README.md"
"""Name of the card in the folder of its run or bundle."""
LIMITS = (
    "The metrics hold for the data and the protocol above. They do not carry over to another catalogue or period.",
    "The model knows the items of its data. Ids that are not among them are left out of a history.",
    "Scores order the items of one list. They are not probabilities and cannot be compared between lists.",
    "The intervals cover the choice of test users. They do not cover the seed: train several seeds for that.",
)


def write_card(folder: Path) -> Path | None:
    """Write the card of a tested run into its folder.

    Args:
        folder: the run's folder, with `config.yaml` and the results of one or more protocols.

    Returns:
        the card; None if the run has no result.

    Raises:
        UserError: a result is damaged, or the card cannot be written.
    """
    files = sorted(file for name in ("result.json", "result_*.json") for file in folder.glob(name))
    if not files:
        return None
    runs = [read_run(file) for file in files]
    first = runs[0].result
    sections = [f"# {escaped(label(runs[0]))} on {escaped(first['dataset'])}, seed {first['seed']}", facts(first)]
    for run in runs:
        sections += metric_sections(run)
    sections += ["## Options", markdown_table(("option", "value"), (first.get("hyperparameters") or {}).items())]
    sections += ["## Limits", "\n".join(f"- {line}" for line in LIMITS), "## Repeat", repeat(folder, first)]
    write_whole(folder / CARD, "\n\n".join(sections) + "\n")
    return folder / CARD


def facts(result: Result) -> str:
    """Return a table of what identifies a result: class, data hash, features, code, machine and cost."""
    training, git, features = result["training"], result.get("git"), result.get("features")
    code = "unknown" if git is None else git["commit"] + (" with uncommitted changes" if git["dirty"] else "")
    rows = {
        "class": result.get("class") or "unknown",
        "dataset": result["dataset"],
        "data hash": result["data_hash"],
        "features": "none"
        if features is None
        else " ".join(str(features.get(k) or "") for k in ("encoder", "revision")),
        "input ablation": result.get("input_ablation") or "none",
        "start": _start(result),
        "parameters": f"{result['parameters']:,}",
        "training": f"{training['epochs']} epochs, {training['seconds']:.0f} s{_best_epoch(training)}",
        "commit": code,
        "machine": ", ".join(f"{key} {value}" for key, value in (result.get("machine") or {}).items()),
        "finished": result.get("finished") or "unknown",
    }
    return markdown_table(("", ""), rows.items())


def _best_epoch(training: dict[str, Any]) -> str:
    """Return the words on the best epoch, counted from 1 as in tables and charts; empty without one."""
    best = training["best_epoch"]
    return "" if best is None else f"; best epoch {best + 1}, counted from 1"


def _start(result: Result) -> str:
    start = result.get("started_from")
    if start is None:
        return "random parameters"
    again = (start.get("held_out_again") or {}).get("test", 0)
    return f"{start['run']}" + (f", which was trained on {again:,} of the test interactions" if again else "")


def metric_sections(run: Run) -> list[str]:
    """Return the sections on protocol, metrics with 95 % intervals, slices and measures beyond accuracy, in Markdown.

    Args:
        run: a result; without its file of ranks the intervals are left out.
    """
    result = run.result
    bounds = _intervals(run)
    metrics = [
        (name, f"{value:.4f}", bounds.get(name.partition("_")[0], "")) for name, value in result["metrics"].items()
    ]
    sections = [
        f"## Metrics\n\n{boards([run])[0].protocol_words}.",
        markdown_table(("metric", "value", "95 % interval"), metrics),
    ]
    slices = {name: row for name, row in (result.get("slices") or {}).items() if row.get("instances")}
    if slices:
        names = list(next(iter(slices.values())))
        rows = [(name.replace("_", " "), *(_number(row.get(key)) for key in names)) for name, row in slices.items()]
        sections += ["### By slice of the target item", markdown_table(("slice", *names), rows)]
    beyond = result.get("beyond_accuracy")
    if beyond:
        sections += [
            "### Beyond accuracy",
            markdown_table(("measure", "value"), ((k, _number(v)) for k, v in beyond.items())),
        ]
    return sections


def repeat(folder: Path, result: Result) -> str:
    """Return how the run is trained and tested again, in Markdown."""
    config = folder / "config.yaml"
    return (
        f"```\nlightning fit --config {config}\n```\n\n"
        f"The same raw files give the data hash `{result['data_hash'][:12]}` again. A CPU of the same kind with the "
        "same number of threads gives the same numbers."
    )


def markdown_table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Return a table in Markdown; the values of its rows are shown as they are."""
    lines = [_row(head), _row("---" for _ in head)]
    return "\n".join([*lines, *(_row(_plain(cell) for cell in row) for row in rows)])


def _intervals(run: Run) -> dict[str, str]:
    """Return the 95 % interval of each metric: 1.96 standard errors of the mean over instances, clustered by user."""
    try:
        ranks = run.ranks
    except UserError:
        return {}
    names = [name.partition("_")[0] for name in run.result["metrics"]]
    values = {name: pl.Series(metric_of(ranks["rank"].to_torch(), name).numpy()) for name in names}
    table = ranks.select("user", count=1).with_columns(**values).group_by("user").sum()
    counts, bounds = table["count"].to_numpy(), {}
    for name in values:
        sums = table[name].to_numpy()
        mean = float(sums.sum() / len(ranks))
        half = 1.96 * math.sqrt(((sums - mean * counts) ** 2).sum() * len(sums) / max(1, len(sums) - 1)) / len(ranks)
        bounds[name] = f"{max(0.0, mean - half):.4f} to {min(1.0, mean + half):.4f}"
    return bounds


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, Mapping | list | bool) or value is None else str(value)
    return escaped(" ".join(text.split()))
