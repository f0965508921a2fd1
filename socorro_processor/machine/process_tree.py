"""A process with all that it has started, also in sessions and groups of their own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def process_tree(pid: int) -> Iterator[int]:
    """``pid`` and its descendants; each one's children are looked up after the caller has treated it."""
    yield pid
    # It may be gone; and without a descriptor to look by, there is nothing else to be done.
    with suppress(OSError):
        for child in children(pid):
            yield from process_tree(child)


def children(pid: int) -> set[int]:
    """The children of a process's main thread; of this process those that the calling thread started."""
    thread = threading.get_native_id() if pid == os.getpid() else pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()}


def kill_tree(pid: int) -> None:
    """Kill the process, which leads its group, and all that it started. It must not have been waited for yet.

    Until then its pid, which is also that of its group, cannot become someone else's.
    """
    # Those in groups and sessions of their own (some sandboxes make one) are known only for as long
    # as their parents live. The kernel gives a pid out again only after all the others.
    for descendant in list(process_tree(pid))[1:]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
