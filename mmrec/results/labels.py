"""Printed names of models.

MM-RACL-KAL is the name of the model with retrieval, static interest and contrast, and of the form that has the first
two as scores of the history's neighbours. A form without these parts is named by the parts that it has: a run folder
`mm_racl_kal_id` with all of them switched off is printed as "SASRec + text + image".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmrec.results.load import Run

NAMES = ("mm_racl_kal_id", "mm_racl_kal")
"""Names of run folders that promise more than a reduced form has."""


def label(run: Run) -> str:
    """Return the printed name of a run's model: the name of its folder, unless that promises parts it does not have."""
    options = run.result.get("hyperparameters") or {}
    prefix = next((name for name in NAMES if run.name.startswith(name)), None)
    if prefix is None or "replace_prob" not in options:
        return run.name
    parts = _parts(options)
    if all(parts.values()):
        return run.name
    held = [name for name, on in parts.items() if on]
    modalities = [name for name in ("text", "image") if options.get(name) and options.get(f"{name}_dim") != 0]
    base = "SASRec" if options.get("item_id") else "SASRec without ids"
    rest = run.name.removeprefix(prefix).strip("_").replace("_", " ")
    return " + ".join([base, *modalities, *held]) + (f" ({rest})" if rest else "")


def _parts(options: Mapping[str, Any]) -> dict[str, bool]:
    if "content_weight" in options:  # MMRaclKalNeighbours, in which contrast is an extra
        return {
            "retrieval": options["content_weight"] > 0,
            "static interest": options["co_occurrence_weight"] > 0,
        }
    return {
        "retrieval": bool(options["replace_prob"]),
        "static interest": options.get("static_user") != "none",
        "contrast": bool(options.get("beta")),
    }
