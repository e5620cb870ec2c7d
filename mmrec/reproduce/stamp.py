"""The conditions of a table: protocol, data, code, seeds, machine."""

from __future__ import annotations

from collections.abc import Iterable

from mmrec.reproduce.collect import Rows
from mmrec.reproduce.spec import Profile

Stamp = list[tuple[str, str]]


def stamp(rows: Rows, profile: Profile) -> Stamp:
    """Return names and values of the conditions on one dataset, for at least one finished run."""
    runs = [run for model in rows.values() for run in model.runs]
    results = [run.result for run in runs]
    first = results[0]
    protocol = first["protocol"]
    options = ", ".join(f"{key} {value}" for key, value in profile.options)
    return [
        ("dataset", f"{first['dataset']}, data hash {first['data_hash'][:12]}"),
        ("protocol", f"{protocol['split']}, {protocol['instances']:,} test instances"),
        ("candidates", "all items (full ranking)" if protocol["candidates"] == "all" else protocol["candidates"]),
        ("seen items", "removed from the ranking" if protocol["mask_history"] else "kept in the ranking"),
        ("seeds", several(str(seed) for seed in sorted({run.seed for run in runs}))),
        ("code", several(code(result.get("git")) for result in results)),
        ("machine", several(machine(result.get("machine") or {}) for result in results)),
        ("profile", profile.name + (f" ({options})" if options else "")),
    ]


def code(git: dict[str, object] | None) -> str:
    """Return the state of the code as printed, see `mmrec.utils.environment.git_state`."""
    if git is None:
        return "unknown version"
    return f"{str(git['commit'])[:12]}{' with uncommitted changes' if git['dirty'] else ''}"


def several(values: Iterable[str]) -> str:
    """Return the distinct values in their order, as printed."""
    return ", ".join(dict.fromkeys(values))


def machine(parts: dict[str, object]) -> str:
    """Return a machine as printed, see `mmrec.utils.environment.machine`."""
    return f"{parts.get('device', 'unknown')} ({parts.get('cores', '?')} cores, torch {parts.get('torch', '?')})"
