"""Table 1: the prepared datasets, next to the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmrec.data.prepare.manifest import Manifest
from mmrec.reproduce.spec import Profile, Spec
from mmrec.reproduce.stamp import code
from mmrec.results.published import paper_row, reported
from mmrec.results.table import Cell, Column, Table
from mmrec.utils import environment


def statistics_table(spec: Spec, profile: Profile, found: Sequence[Manifest]) -> Table:
    """Return a table with one row per dataset.

    Args:
        spec: the table; its metrics are names of `counts`.
        profile: the profile, named in the last note.
        found: manifests of the datasets.
    """
    papers = [_paper(spec, manifest) for manifest in found]
    columns = {"dataset": [Cell(manifest.dataset) for manifest in found]}
    for key in spec.metrics:
        columns[key] = [Cell(f"{counts(manifest)[key]:,}") for manifest in found]
        if any(papers):
            columns[f"{key}, reported"] = [Cell(f"{paper[key]:,.0f}" if key in paper else "") for paper in papers]
    hashes = "; ".join(
        f"{manifest.dataset}: split {manifest.options['split']}, data hash {manifest.data_hash[:12]}"
        for manifest in found
    )
    notes = (
        "After filters, before splitting."
        + (f" reported: Table {spec.paper_table} of the paper." if any(papers) else ""),
        f"{hashes}; code: {code(environment.git_state())}; profile: {profile.name}",
    )
    heads = tuple(Column(name, words=name == "dataset") for name in columns)
    return Table(spec.title, heads, tuple(zip(*columns.values(), strict=True)), notes)


def statistics_records(spec: Spec, found: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Return the content of the table, one record per dataset and column."""
    return [
        {"table": spec.name, "dataset": manifest.dataset, "column": key, "value": counts(manifest)[key],
         "reported": _paper(spec, manifest).get(key), "data_hash": manifest.data_hash}
        for manifest in found for key in spec.metrics
    ]  # fmt: skip


def counts(manifest: Manifest) -> dict[str, int]:
    """Return the numbers of Table 1."""
    return {"users": manifest.n_users, "items": manifest.n_items - 1, "interactions": manifest.n_interactions}


def _paper(spec: Spec, manifest: Manifest) -> dict[str, float]:
    return {} if spec.paper_table is None else reported(spec.paper_table, paper_row(manifest))
