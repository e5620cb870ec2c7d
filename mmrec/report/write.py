"""Writing the page: what each board shows, put into the templates."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmrec import __version__
from mmrec.errors import require
from mmrec.report import charts
from mmrec.report.charts import BarChart, LineChart, Scatter, bar_chart, line_chart, scatter
from mmrec.report.gallery import Gallery, gallery
from mmrec.report.tables import (
    Table,
    beyond_table,
    cost_table,
    metric_title,
    results_table,
    runs_table,
    slices_table,
)
from mmrec.results.aggregate import Board, Model, gather
from mmrec.results.curves import Points
from mmrec.utils.files import write_whole

TITLES = {
    "train/loss": "Training loss",
    "train/alpha": "α, the weight of text against picture",
    "train/gate": "Gate, the weight of recent against long-term interest",
    "train/neighbour_churn": "Share of retrieved neighbours that changed",
}
"""Of curves that models share; another one (`train/...`) stands under its own name."""
LOSSES = "train/loss_"


@dataclass(frozen=True)
class View:
    """All that the page shows of a board. `parts` are the ids and names of its headings, for the contents."""

    board: Board
    heading: str
    protocol: str
    main: str
    tiles: list[tuple[str, str]]
    parts: list[tuple[str, str]]
    results: Table
    bars: BarChart
    cost_plane: Scatter | None
    curves: list[LineChart]
    slices: Table | None
    beyond: Table | None
    cost: Table
    runs: Table
    gallery: Gallery


def write_page(folder: Path, out: Path, users: int = 8) -> None:
    """Write one HTML file that shows all results below a folder, and needs nothing beside itself.

    Args:
        folder: of runs (`runs`, `runs/toy`) or of copied results (`experiments/results`), see `find_results`; only runs
            have curves and users.
        out: the file.
        users: most users shown with their explanations, of each dataset; see `gallery` for what they add to the size.

    Raises:
        UserError: there are no results, a file is damaged, or `users` is negative.
    """
    require(users >= 0, "--users", users, "at least 0")
    views = [view(board, gallery(board, users)) for board in gather(folder)]
    environment = Environment(
        loader=PackageLoader("mmrec.report.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    script = _static("page.js")
    environment.globals.update({name: getattr(charts, name) for name in ("WIDTH", "LEFT", "RIGHT", "TOP", "LABELS")})
    content = environment.get_template("page.html.j2").render(
        title=" and ".join(dict.fromkeys(each.board.dataset for each in views)) + ": results",
        folder=folder,
        written=time.strftime("%Y-%m-%d"),
        version=__version__,
        views=views,
        style=Markup(_static("style.css")),  # ours, not the data's
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_whole(out, content)


def view(board: Board, shown: Gallery) -> View:
    """Return what the page shows of a board and its users."""
    main = metric_title(board.main)
    slices = slices_table(board)
    beyond = beyond_table(board)
    curves = _curves(board)
    heads = {
        "results": True,
        "curves": curves,
        "slices": slices,
        "beyond": beyond,
        "cost": True,
        "gallery": shown.users,
        "runs": True,
    }
    names = {"curves": "Training", "beyond": "Beyond accuracy", "gallery": "Users"}
    return View(
        board=board,
        heading=board.dataset,
        protocol=_protocol(board),
        main=main,
        tiles=[
            (str(len(board.models)), "models"),
            (str(len(board.runs)), "runs"),
            (f"{board.protocol.get('instances', 0):,}", "test instances"),
            (f"{board.models[0].mean('metrics', board.main) or 0:.4f}", f"{main} of {board.models[0].name}"),
        ],
        parts=[(part, names.get(part, part.capitalize())) for part, there in heads.items() if there],
        results=results_table(board),
        bars=bar_chart(
            f"{main} by model",
            [(m.name, m.colour, values) for m in board.models if (values := m.values("metrics", board.main))],
        ),
        cost_plane=_cost_plane(board.models, board.main),
        curves=curves,
        slices=slices,
        beyond=beyond,
        cost=cost_table(board),
        runs=runs_table(board),
        gallery=shown,
    )


def _protocol(board: Board) -> str:
    given: dict[str, Any] = board.protocol
    candidates = "full ranking" if given["candidates"] == "all" else f"candidates {given['candidates']}"
    history = "history removed" if given["mask_history"] else "history kept"
    return f"Split {given['split'].replace('_', ' ')}, {candidates}, {history}; data {board.data_hash[:12]}."


def _cost_plane(models: Sequence[Model], metric: str) -> Scatter | None:
    points = []
    for model in models:
        seconds, value = model.mean("training", "seconds"), model.mean("metrics", metric)
        if seconds and value is not None:
            points.append((model.name, model.colour, seconds, value))
    title = f"{metric_title(metric)} against seconds of training"
    return scatter(title, "seconds, logarithmic", points) if len(points) > 1 else None


def _curves(board: Board) -> list[LineChart]:
    """Return validation, loss, α, gate and the like for all models; then the terms of the loss of each model."""
    names = dict.fromkeys(name for run in board.runs for name in run.curves if not name.startswith(LOSSES))
    validated = f"valid/{board.main}"
    ordered = [name for name in (validated, *TITLES) if name in names]
    ordered += [name for name in names if name.startswith("train/") and name not in TITLES]
    made = []
    for name in ordered:
        title = f"Validation {metric_title(board.main)}" if name == validated else TITLES.get(name, name)
        lines = [(m.name, m.colour, run.curves[name]) for m in board.models for run in m.runs if name in run.curves]
        made.append(line_chart(title, lines, best=name == validated))
    for model in board.models:
        terms = _loss_terms(model)
        if len(terms) > 1:
            seed = f", seed {model.runs[0].result['seed']}" if len(model.runs) > 1 else ""
            made.append(line_chart(f"{model.name}: terms of the loss{seed}", terms, own_colours=True))
    return made


def _loss_terms(model: Model) -> list[tuple[str, int, Points]]:
    """Return the terms of the loss of a model's first run."""
    curves = model.runs[0].curves
    names = [name for name in curves if name.startswith(LOSSES)]
    return [(name.removeprefix(LOSSES), place, curves[name]) for place, name in enumerate(names)]


def _static(name: str) -> str:
    return (resources.files("mmrec.report.page") / "templates" / name).read_text(encoding="utf-8")
