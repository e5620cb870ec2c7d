"""The console that tables are printed on."""

from __future__ import annotations

from rich.console import Console


def wide_console() -> Console:
    """Return a console of the terminal's width, or of 120 columns if the output is not a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=120)
