"""The pages of the reference: one per package, with the docstrings of its modules."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import mmrec

LEFT_OUT = ("cli", "__main__")
"""The command line is documented by its commands."""
SINGLE = "foundations"
"""Page of the modules that belong to no package, and of the helpers."""


def reference_pages(package: Path) -> dict[str, str]:
    """Return the pages in Markdown by the name of their file.

    Args:
        package: folder of mmrec.
    """
    pages = {"mmrec.md": _overview()}
    for name, modules in groups(package).items():
        title = f"mmrec.{name}" if name != SINGLE else "Foundations"
        blocks = "\n\n".join(f"::: {module}\n    options:\n      heading_level: 2" for module in modules)
        pages[f"{title.removeprefix('mmrec.').lower()}.md"] = f"# {title}\n\n{_first_line(name)}\n\n{blocks}\n"
    return pages


def groups(package: Path) -> dict[str, list[str]]:
    """Return the public modules by page."""
    found: dict[str, list[str]] = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        if parts[0] in LEFT_OUT or parts == ("__init__",) or any(p.startswith("_") and p != "__init__" for p in parts):
            continue
        name = parts[0] if len(parts) > 1 and parts[0] != "utils" else SINGLE
        if parts[-1] != "__init__":
            found.setdefault(name, []).append(".".join(("mmrec", *parts)))
    return found


def page_of(module: str) -> str:
    """Return the page that holds a module."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 2 and parts[1] != "utils" else SINGLE
    return f"{name}.md"


def _overview() -> str:
    lines = ["# mmrec\n", "What `import mmrec` offers.\n", "| name | what it is |", "|---|---|"]
    for name in mmrec.__all__:
        value = getattr(mmrec, name)
        if name.startswith("__"):
            continue
        module, first = value.__module__, (inspect.getdoc(value) or "").partition("\n")[0]
        link = f"{page_of(module)}#{module}.{value.__qualname__}"
        lines.append(f"| [`{name}`]({link}) | {first.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def _first_line(name: str) -> str:
    if name == SINGLE:
        return "Batches, errors and helpers."
    return (inspect.getdoc(importlib.import_module(f"mmrec.{name}")) or "").partition("\n\n")[0]
