"""Writing the page: what each board shows, filled into the templates."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmrec import __version__
from mmrec.errors import require
from mmrec.report import charts
from mmrec.report.charts import LineChart, Scatter, bar_chart, line_chart, scatter
from mmrec.report.gallery import Gallery, gallery
from mmrec.results.aggregate import Board, Model, boards
from mmrec.results.curves import Points
from mmrec.results.load import find_runs
from mmrec.results.measures import SECONDS, Measure, cost, heading, metric
from mmrec.results.tables import (
    beyond_of,
    measures_table,
    metrics_of,
    origins_table,
    shaded,
    slices_of,
)
from mmrec.results.writers.html import html
from mmrec.utils.files import write_whole

TITLES = {
    "train/loss": "Training loss",
    "train/alpha": "α: weight of text against image",
    "train/gate": "Gate: weight of recent against long-term interest",
    "train/neighbour_churn": "Fraction of retrieved neighbours that changed",
}
"""Titles of curves; other curves (`train/...`) keep their own name."""
LOSSES = "train/loss_"
PARTS = {
    "results": "Results", "curves": "Training", "slices": "Slices", "beyond": "Beyond accuracy", "cost": "Cost",
    "users": "Users", "runs": "Runs",
}  # fmt: skip
"""Headings of the page in their order."""
PACKAGE = "mmrec.report"


def write_page(folder: Path, out: Path, users: int = 8) -> None:
    """Write one HTML file, without further files, that shows all results below a folder.

    Args:
        folder: folder of runs (`runs`, `runs/toy`) or of copied results (`experiments/results`), see `find_runs`; only
            runs have curves and users.
        out: the HTML file.
        users: largest number of users shown with their explanations, for each board; `gallery` says what they add to
            the size.

    Raises:
        UserError: the folder holds no results, or a file is damaged.
        InvalidArgument: `users` is negative.
    """
    require(users >= 0, "users", users, "at least 0")
    found = find_runs(folder)
    views = [view(board, gallery(board, users)) for board in boards(found.runs)]
    environment = Environment(
        loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    script = _static("page.js")
    environment.globals.update({name: getattr(charts, name) for name in ("WIDTH", "LEFT", "RIGHT", "TOP", "LABELS")})
    environment.globals["table"] = lambda table: Markup(html(table))  # escaped there
    content = environment.get_template("page.html.j2").render(
        title=" and ".join(dict.fromkeys(each["board"].dataset for each in views)) + ": results",
        folder=folder,
        written=time.strftime("%Y-%m-%d"),
        version=__version__,
        views=views,
        unfinished=[str(run) for run in found.unfinished],
        style=Markup(_static("style.css")),  # files of this package, not data
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_whole(out, content)


def view(board: Board, shown: Gallery) -> dict[str, Any]:
    """Return the content of the page for a board and its users; `parts` are ids and names of its headings."""
    main, best = metric(board.main), board.models[0]
    slices, beyond = slices_of(board), beyond_of(board)
    bars = [(m.label, m.colour, list(values.values())) for m in board.models if (values := m.values(main))]
    made = {
        "board": board, "main": main.heading, "gallery": shown,
        "tiles": [
            (str(len(board.models)), "models"), (str(len(board.runs)), "runs"),
            (f"{board.protocol['instances']:,}", "test instances"),
            (f"{best.mean(main) or 0:.4f}", f"{main.heading} of {best.label}"),
        ],
        "results": measures_table("", board.models, metrics_of(board), ranks_by=board.main),
        "bars": bar_chart(f"{main.heading} by model", bars) if bars else None,
        "cost_plane": _cost_plane(board.models, main),
        "curves": _curves(board),
        "slices": shaded(measures_table("", board.models, slices)) if slices else None,
        "beyond": measures_table("", board.models, beyond) if beyond else None,
        "cost": measures_table("", board.models, cost(board.runs)),
        "users": shown.users,
        "runs": origins_table(board),
    }  # fmt: skip
    return {**made, "parts": [(part, name) for part, name in PARTS.items() if made[part]]}


def _cost_plane(models: Sequence[Model], main: Measure) -> Scatter | None:
    points = [
        (model.label, model.colour, seconds, value)
        for model in models
        if (seconds := model.mean(SECONDS)) and (value := model.mean(main)) is not None
    ]
    title = f"{main.heading} against seconds of training"
    return scatter(title, "seconds, logarithmic", points) if len(points) > 1 else None


def _curves(board: Board) -> list[LineChart]:
    """Return validation, loss, α, gate and the like for all models, then the terms of the loss of each model."""
    names = dict.fromkeys(name for run in board.runs for name in run.curves if not name.startswith(LOSSES))
    validated = f"valid/{board.main}"
    ordered = [name for name in (validated, *TITLES) if name in names]
    ordered += [name for name in names if name.startswith("train/") and name not in TITLES]
    made = []
    for name in ordered:
        title = f"Validation {heading(board.main)}" if name == validated else TITLES.get(name, name)
        lines = [(m.label, m.colour, run.curves[name]) for m in board.models for run in m.runs if name in run.curves]
        made.append(line_chart(title, lines, best=name == validated))
    for model in board.models:
        terms = _loss_terms(model)
        if len(terms) > 1:
            seed = f", seed {model.runs[0].seed}" if len(model.runs) > 1 else ""
            made.append(line_chart(f"{model.label}: terms of the loss{seed}", terms, own_colours=True))
    return made


def _loss_terms(model: Model) -> list[tuple[str, int, Points]]:
    """Return the terms of the loss of a model's first run."""
    curves = model.runs[0].curves
    names = [name for name in curves if name.startswith(LOSSES)]
    return [(name.removeprefix(LOSSES), place, curves[name]) for place, name in enumerate(names)]


def _static(name: str) -> str:
    return (resources.files(PACKAGE) / "templates" / name).read_text(encoding="utf-8")
