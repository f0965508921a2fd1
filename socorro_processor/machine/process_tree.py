"""A process and its descendants, even in other sessions and groups."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def process_tree(pid: int) -> Iterator[int]:
    """Yield ``pid`` and its descendants. The children of each are looked up after the caller has handled it."""
    yield pid
    # The process may be gone; without a free descriptor, nothing can be looked up.
    with suppress(OSError):
        for child in children(pid):
            yield from process_tree(child)


def children(pid: int) -> set[int]:
    """Return the children of a process's main thread, or, for this process, those of the calling thread."""
    thread = threading.get_native_id() if pid == os.getpid() else pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()}


def kill_tree(pid: int) -> None:
    """Kill the process, which leads its group, and its descendants. Nobody may have waited for the process yet.

    Until then its pid, which is also that of its group, cannot become another's.
    """
    # Descendants in other groups and sessions, which some sandboxes create, can be found only while their parents live.
    # The kernel does not use a pid again until it has used all others.
    for descendant in list(process_tree(pid))[1:]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
