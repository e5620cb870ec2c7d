"""What a table is to be judged by: protocol, data, code, seeds, machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmrec.reproduce.collect import Runs
from mmrec.reproduce.spec import Profile

Stamp = list[tuple[str, str]]


def stamp(runs: Sequence[Runs], profile: Profile) -> Stamp:
    """Return names and values for the runs of one dataset, at least one of them finished."""
    results = [result for row in runs for result in row.results.values()]
    first = results[0]
    protocol = first["protocol"]
    options = ", ".join(f"{key} {value}" for key, value in profile.options)
    return [
        ("dataset", f"{first['dataset']}, data hash {first['data_hash'][:12]}"),
        ("protocol", f"{protocol['split']}, {protocol['instances']:,} test instances"),
        ("candidates", "all items (full ranking)" if protocol["candidates"] == "all" else protocol["candidates"]),
        ("seen items", "removed from the ranking" if protocol["mask_history"] else "kept in the ranking"),
        ("seeds", several(str(seed) for seed in sorted({seed for row in runs for seed in row.results}))),
        ("code", several(code(result.get("git")) for result in results)),
        ("machine", several(machine(result.get("machine") or {}) for result in results)),
        ("profile", profile.name + (f" ({options})" if options else "")),
    ]


def code(git: dict[str, object] | None) -> str:
    """Print the state of the code, see `mmrec.utils.environment.git_state`."""
    if git is None:
        return "no known commit"
    return f"{str(git['commit'])[:12]}{' with uncommitted changes' if git['dirty'] else ''}"


def several(values: Iterable[str]) -> str:
    """Print what differs among values, in their order."""
    return ", ".join(dict.fromkeys(values))


def machine(parts: dict[str, object]) -> str:
    """Print a machine, see `mmrec.utils.environment.machine`."""
    return f"{parts.get('device', 'unknown')} ({parts.get('cores', '?')} cores, torch {parts.get('torch', '?')})"
