"""Table 1: the prepared datasets, the paper's beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmrec.cli.data_section import read_data
from mmrec.data.prepare.manifest import Manifest
from mmrec.reproduce.spec import Profile, Spec
from mmrec.reproduce.stamp import code
from mmrec.results.published import paper_row, reported
from mmrec.results.table import Entry, Table
from mmrec.utils import environment

CONFIG = "lightning_configs/run/{}_popularity.yaml"
"""A run of each dataset that reads no features."""


def manifests(profile: Profile) -> list[Manifest]:
    """Prepare the datasets of a profile, if they are not, and return what they hold."""
    found = []
    for dataset in profile.datasets:
        options = [f"--{key}={value}" for key, value in profile.options if key.startswith("data.")]
        data = read_data("tables", None, ["--data", dataset, *options])
        found.append(data.catalog.manifest)
    return found


def statistics_table(spec: Spec, profile: Profile, found: Sequence[Manifest]) -> Table:
    """Return a row a dataset, the paper's figures beside ours.

    Args:
        spec: of its metrics those that `counts` has.
        profile: stamped below.
        found: what the datasets hold.
    """
    columns = {"dataset": [Entry(manifest.dataset) for manifest in found]}
    papers = [_paper(spec, manifest) for manifest in found]
    for key in spec.metrics:
        columns[key] = [Entry(f"{counts(manifest)[key]:,}") for manifest in found]
        if any(papers):
            columns[f"{key}, reported"] = [Entry(f"{paper[key]:,.0f}" if key in paper else "") for paper in papers]
    hashes = "; ".join(
        f"{manifest.dataset}: split {manifest.options['split']}, data hash {manifest.data_hash[:12]}"
        for manifest in found
    )
    notes = [
        "After filters, before splitting."
        + (f" reported: Table {spec.paper_table} of the paper." if any(papers) else ""),
        f"{hashes}; code: {code(environment.git_state())}; profile: {profile.name}",
    ]
    return Table(spec.title, tuple(columns), tuple(zip(*columns.values(), strict=True)), tuple(notes))


def statistics_records(spec: Spec, found: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Return what the table shows, one record a dataset and column."""
    return [
        {"table": spec.name, "dataset": manifest.dataset, "column": key, "value": counts(manifest)[key],
         "reported": _paper(spec, manifest).get(key), "data_hash": manifest.data_hash}
        for manifest in found for key in spec.metrics
    ]  # fmt: skip


def counts(manifest: Manifest) -> dict[str, int]:
    """Return what Table 1 counts."""
    return {"users": manifest.n_users, "items": manifest.n_items - 1, "interactions": manifest.n_interactions}


def _paper(spec: Spec, manifest: Manifest) -> dict[str, float]:
    return {} if spec.paper_table is None else reported(spec.paper_table, paper_row(manifest))
