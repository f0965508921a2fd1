"""SQLite connections that nobody closes: Python 3.13 warns of one when it is deleted, the Pythons before it do not."""

from __future__ import annotations

import gc
import sqlite3
import threading
import traceback
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

_connect = sqlite3.connect
_lock = threading.RLock()
_open: weakref.WeakSet[_Connection] = weakref.WeakSet()
_left: list[str] | None = None
"""Where those were opened that were left open in the innermost block; None outside of all."""


class _Connection(sqlite3.Connection):
    """Knows where it was opened, and tells when it is deleted open."""

    opened_at = ""
    left: list[str] | None = None
    """The list of the block in which it was opened: what a test that failed holds is not held against a later one."""

    def close(self) -> None:
        super().close()
        with _lock:
            _open.discard(self)
        self.opened_at = ""

    def __del__(self) -> None:
        if self.opened_at and self.left is not None:
            self.left.append(self.opened_at)


def watch() -> None:
    """Watch each connection that is opened from now on in this process."""
    sqlite3.connect = _opened


@contextmanager
def none_left() -> Iterator[None]:
    """Fail at the end where a connection that was opened in the block was deleted, and not closed before."""
    global _left
    outer, _left = _left, []
    left = _left
    try:
        yield
    finally:
        _left = outer
    with _lock:
        is_one_open = any(connection.left is left for connection in _open)
    if is_one_open:
        # One that is in a cycle of references is not deleted before.
        gc.collect()
    assert not left, "SQLite connections were left open; they were opened at:\n" + "\n".join(left)


def _opened(*arguments, **named) -> sqlite3.Connection:
    connection = _connect(*arguments, **{"factory": _Connection} | named)
    if isinstance(connection, _Connection):
        # Without this function and the code of libraries.
        stack = traceback.extract_stack()[:-1]
        connection.opened_at = "".join(
            traceback.format_list([frame for frame in stack if "site-packages" not in frame.filename])
        )
        connection.left = _left
        with _lock:
            _open.add(connection)
    return connection
