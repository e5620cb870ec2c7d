"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console


def wide_console() -> Console:
    """Return a console of the terminal's width, of 120 columns where there is no terminal to ask."""
    console = Console()
    return console if console.is_terminal else Console(width=120)
