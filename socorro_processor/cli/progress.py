"""Show the progress of long work on a terminal; at the end it disappears. Without a terminal nothing is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_DESCRIPTION = "{task.description}"


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Return a bar on standard error, followed by ``columns``; by default the number done and the time left."""
    return _progress(TextColumn(_DESCRIPTION), BarColumn(), *(columns or (MofNCompleteColumn(), TimeRemainingColumn())))


@contextmanager
def spinner() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows how far work is, if its end is not known."""
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
        # On a terminal, output goes above the bar; a file or a pipe must get it as it is.
        redirect_stdout=sys.stdout.isatty(),
    )
