"""How far long work is, for who looks at a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn


def progress_bar(*columns: ProgressColumn) -> Progress:
    """On standard error, and gone at the end; nothing where that is no terminal. ``columns`` stand behind the bar."""
    console = Console(stderr=True)
    before = (TextColumn("{task.description}"), BarColumn())
    return Progress(
        *before,
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        # What is printed meanwhile goes above the bar, and must not where standard output is a file or a pipe.
        redirect_stdout=sys.stdout.isatty(),
    )
