"""Progress of long work, for a reader at a terminal: gone at the end, invisible where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

_DESCRIPTION = "{task.description}"


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Return a bar on standard error. ``columns`` stand behind it."""
    return _progress(TextColumn(_DESCRIPTION), BarColumn(), *columns)


@contextmanager
def spinner() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows how far work is whose end is not known."""
    with _progress(SpinnerColumn(), TextColumn(_DESCRIPTION), TimeElapsedColumn()) as progress:
        task = progress.add_task("")
        yield lambda text: progress.update(task, description=text)


def _progress(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        # What is printed meanwhile goes above the bar, and must not where standard output is a file or a pipe.
        redirect_stdout=sys.stdout.isatty(),
    )
