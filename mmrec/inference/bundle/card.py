"""The model card of a bundle: what the model is, how good it was, and what it is not for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmrec.inference.bundle.manifest import BundleManifest
from mmrec.results.card import markdown_table, metric_sections
from mmrec.results.load import Run
from mmrec.utils.files import write_whole

OPEN = """```python
import mmrec

model = mmrec.load("{name}")
model.recommend(["an item's id", "a later item's id"], k=10)
```

`mmrec serve {name}` answers over HTTP."""


def write_card(file: Path, manifest: BundleManifest, run: Run | None) -> None:
    """Write `README.md`."""
    write_whole(file, "\n\n".join(_sections(manifest, run)) + "\n")


def _sections(manifest: BundleManifest, run: Run | None) -> list[str]:
    model = manifest.model["class_path"].rpartition(".")[2]
    facts: dict[str, Any] = {
        "model": model,
        "dataset": manifest.dataset,
        "items": f"{manifest.n_items - 1:,}",
        "users in training": f"{manifest.n_users:,}",
        "data hash": manifest.data_hash,
        "protocol": ", ".join(f"{key} {value}" for key, value in manifest.protocol.items()),
        "longest window": manifest.max_length,
        "mmrec": manifest.mmrec_version,
    }
    if manifest.index is not None:
        facts["index"] = f"{manifest.index['kind']}, recall@{manifest.index['k']} {manifest.index['recall']:.4f}"
    sections = [f"# {model} on {manifest.dataset}", markdown_table(("", ""), facts.items())]
    sections += (
        ["## Metrics\n\nThe run was not tested before it was exported."] if run is None else metric_sections(run)
    )
    sections += ["## Use\n\n" + OPEN.format(name="path/of/this/folder"), "## Limits\n\n" + _limits(manifest)]
    if manifest.absent:
        sections += [
            "## Parts that this model does not have",
            markdown_table(("part", "reason"), manifest.absent.items()),
        ]
    return sections


def _limits(manifest: BundleManifest) -> str:
    lines = [
        "The model knows the items of its data; other ids are left out of a history.",
        "Metrics hold for the data and protocol above. Scores order one list and mean nothing across lists.",
        "A history without a known item gets the most popular items of the training period.",
        "The folder holds the training interactions"
        + (
            " with the ids of the users, because the model has a vector per user: treat it as personal data."
            if _by_user(manifest)
            else ", without the ids of the users. Whoever knows a part of a history may find the rest of it."
        ),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _by_user(manifest: BundleManifest) -> bool:
    return "a vector per user" in manifest.absent.get("user_encoder", "")
