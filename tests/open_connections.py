"""Find SQLite connections that nobody closes. Python 3.13 warns when one is deleted, earlier versions do not."""

from __future__ import annotations

import gc
import sqlite3
import sys
import threading
import traceback
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

_connect = sqlite3.connect
_lock = threading.RLock()
_open: weakref.WeakSet[_Connection] = weakref.WeakSet()
_Line = tuple[str, int, str, str | None]
"""A file, a line, a function, and the text of the line; None: it is looked up when it is printed."""
_left: list[str] | None = None
"""Where the connections were opened that were left open in the innermost block; None outside of any."""


class _Connection(sqlite3.Connection):
    """A connection that knows where it was opened, and reports itself if it is deleted while open."""

    opened_at: tuple[_Line, ...] = ()
    left: list[str] | None = None
    """The list of the block that opened it: a failed test's connections do not count against a later test."""

    def close(self) -> None:
        super().close()
        with _lock:
            _open.discard(self)
        self.opened_at = ()

    def __del__(self) -> None:
        if self.opened_at and self.left is not None:
            self.left.append("".join(traceback.format_list(self.opened_at)))


def watch() -> None:
    """Watch each connection that is opened from now on in this process."""
    sqlite3.connect = _opened


@contextmanager
def none_left() -> Iterator[None]:
    """Fail at the end if a connection that was opened in the block was deleted without having been closed."""
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
        # A connection in a reference cycle is only deleted then.
        gc.collect()
    assert not left, "SQLite connections were left open; they were opened at:\n" + "\n".join(left)


def _opened(*arguments, **named) -> sqlite3.Connection:
    connection = _connect(*arguments, **{"factory": _Connection} | named)
    if isinstance(connection, _Connection):
        connection.opened_at = _stack()
        connection.left = _left
        with _lock:
            _open.add(connection)
    return connection


def _stack() -> tuple[_Line, ...]:
    """Return where a connection is opened, without this file and libraries; the texts of lines would take most time."""
    lines: list[_Line] = []
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if "site-packages" not in code.co_filename:
            lines.append((code.co_filename, frame.f_lineno, code.co_name, None))
        frame = frame.f_back
    return tuple(reversed(lines))
