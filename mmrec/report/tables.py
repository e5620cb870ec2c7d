"""The page's tables: what stands in each cell, what it is sorted by, and what it stands out by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from mmrec.results.aggregate import Board, Model
from mmrec.results.load import seconds_per_epoch


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Args:
        title: its name.
        note: below it.
        text: whether it holds words, which sort by letters; else numbers.
        sorted: whether the rows come in its order, largest first.
    """

    title: str
    note: str = ""
    text: bool = False
    sorted: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: as shown.
        value: what it is sorted by, "" for nothing.
        spread: standard deviation, as shown.
        said: in its tooltip.
        look: "best", "second", "text" or "".
        shade: strength of its background, in percent.
        colour: of the model's dot, in the first column.
    """

    text: str
    value: str = ""
    spread: str = ""
    said: str = ""
    look: str = ""
    shade: int = 0
    colour: int = 0


@dataclass(frozen=True)
class Table:
    """Heads, and rows of as many cells; the first cell of a row names the model."""

    columns: list[Column]
    rows: list[list[Cell]]


ABSENT = Cell("–")
SHADE = 26
"""Percent of the accent colour behind the best value of a slice."""


def metric_title(name: str) -> str:
    """Return a metric as it is written in print: "NDCG@10", "HR@10 (uniform100)"."""
    plain, _, protocol = name.partition("_")
    return plain.upper() + (f" ({protocol})" if protocol else "")


def results_table(board: Board) -> Table:
    """Return every metric of every model; best and second best stand out."""
    columns = [Column("model", text=True), Column("seeds")]
    columns += [Column(metric_title(name), sorted=name == board.main) for name in board.metrics]
    rows = [[_name(model), _number(len(model.runs))] for model in board.models]
    for metric in board.metrics:
        for row, cell in zip(rows, _ranked([_mean(model, "metrics", metric) for model in board.models]), strict=True):
            row.append(cell)
    return Table(columns, rows)


def slices_table(board: Board) -> Table | None:
    """Return the main metric by slice of the target item, shaded within a column; None if no result has slices."""
    names = dict.fromkeys(name for run in board.runs for name in run.result.get("slices") or {})
    counts = {name: sorted({run.result["slices"][name]["instances"] for run in board.runs if _has(run.result, name)})
              for name in names}  # fmt: skip
    shown = [name for name in names if counts[name][-1] > 0]
    if not shown:
        return None
    columns = [Column("model", text=True)]
    for name in shown:
        # With features and without, models may differ in which items have a text or a picture.
        low, high = counts[name][0], counts[name][-1]
        columns.append(Column(name.replace("_", " "), f"{low:,}" if low == high else f"{low:,} to {high:,}"))
    rows = [[_name(model)] for model in board.models]
    for name in shown:
        cells = [_mean(model, "slices", name, board.main) for model in board.models]
        values = [float(cell.value) for cell in cells if cell.value]
        low, high = min(values, default=0.0), max(values, default=0.0)
        for row, cell in zip(rows, cells, strict=True):
            place = (float(cell.value) - low) / (high - low) if cell.value and high > low else 0.0
            row.append(replace(cell, shade=round(SHADE * place)))
    return Table(columns, rows)


def beyond_table(board: Board) -> Table | None:
    """Return what the lists look like beside being right (coverage, novelty ...); None if no result says so."""
    names = dict.fromkeys(name for run in board.runs for name in run.result.get("beyond_accuracy") or {})
    if not names:
        return None
    columns = [Column("model", text=True), *(Column(name.replace("_", " ")) for name in names)]
    rows = [[_name(model), *(_mean(model, "beyond_accuracy", name) for name in names)] for model in board.models]
    return Table(columns, rows)


def cost_table(board: Board) -> Table:
    """Return size, time and memory of every model, means over seeds."""
    memories = list(dict.fromkeys(name for run in board.runs for name in run.result.get("peak_memory_mb") or {}))
    columns = [Column("model", text=True), Column("parameters"), Column("epochs")]
    columns += [Column("seconds", "of training"), Column("seconds", "an epoch")]
    columns += [Column("peak MB", memory) for memory in memories]
    rows = []
    for model in board.models:
        row = [_name(model), _number(model.mean("parameters")), _number(model.mean("training", "epochs"))]
        row += [_number(model.mean("training", "seconds"), ",.1f"), _number(_epoch(model), ",.2f")]
        rows.append(row + [_number(model.mean("peak_memory_mb", memory)) for memory in memories])
    return Table(columns, rows)


def runs_table(board: Board) -> Table:
    """Return where each result comes from: code, machine, time."""
    columns = [Column("model", text=True), Column("seed"), Column(metric_title(board.main))]
    columns += [Column(name, text=True) for name in ("commit", "features", "machine", "finished")]
    rows = []
    for model in board.models:
        for run in model.runs:
            git, machine = run.result.get("git") or {}, run.result.get("machine") or {}
            commit = str(git.get("commit") or "unknown")[:10] + (", with changes" if git.get("dirty") else "")
            device = f"{machine.get('device', 'unknown')}, {machine.get('threads', '?')} threads"
            words = (commit, _features(run.result), device, str(run.result.get("finished", "unknown")))
            row = [_name(model), _number(run.result["seed"]), _number(run.result["metrics"].get(board.main), ".4f")]
            rows.append(row + [Cell(word, word, look="text") for word in words])
    return Table(columns, rows)


def _epoch(model: Model) -> float | None:
    """Return the mean over the runs of the seconds of an epoch; None for a model without epochs."""
    known = [seconds for run in model.runs if (seconds := seconds_per_epoch(run.result)) is not None]
    return fmean(known) if known else None


def _features(result: dict[str, object]) -> str:
    features = result.get("features")
    named = str(features["encoder"]) if isinstance(features, dict) else "none"
    ablation = result.get("input_ablation") or result.get("control")  # the key's name before 0.2
    return named + (f", {str(ablation).replace('_', ' ')}" if ablation else "")


def _has(result: dict[str, object], name: str) -> bool:
    slices = result.get("slices")
    return isinstance(slices, dict) and name in slices


def _name(model: Model) -> Cell:
    return Cell(model.name, model.name, colour=model.colour)


def _number(value: float | None, form: str = ",.0f") -> Cell:
    return ABSENT if value is None else Cell(format(value, form), repr(value))


def _mean(model: Model, *path: str) -> Cell:
    mean, deviation = model.mean(*path), model.deviation(*path)
    if mean is None:
        return ABSENT
    seeds = ", ".join(f"{value:.4f}" for value in model.values(*path))
    return Cell(f"{mean:.4f}", repr(mean), "" if deviation is None else f"{deviation:.4f}", f"by seed: {seeds}")


def _ranked(cells: Sequence[Cell]) -> list[Cell]:
    """Mark the best and the second best of a column; equal values, as shown, are marked alike."""
    levels = sorted({cell.text for cell in cells if cell.value}, key=float, reverse=True)
    looks = dict(zip(levels[:2], ("best", "second"), strict=False)) if len(levels) > 1 else {}
    return [replace(cell, look=looks.get(cell.text, "")) for cell in cells]
