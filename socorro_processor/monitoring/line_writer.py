"""Standard output and standard error that never block the caller.

When the reader of a pipe stops, the pipe fills up, and writers block. A service must go on: it puts lines into a queue,
and a thread that may block writes them.
"""

from __future__ import annotations

import atexit
import functools
import io
import os
import queue
import select
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

LIMIT = 1 << 20
"""The number of bytes that may wait to be written; further lines are dropped."""
CLOSING_TIME = 2.0
"""Seconds by which a reader that has stopped may delay the end of a process."""

_OVERHEAD = 64
"""Bytes that a line counts beside its text, so that the memory of many short lines is bounded too."""
_PIECE = 1 << 16
"""The number of characters after which a line is written although it has not ended."""


class LineWriter:
    """Writes lines to a descriptor, in its own thread. Any thread may call; only ``drain`` and ``close`` wait.

    If more than ``limit`` bytes wait, lines are dropped until half of the bytes are written. Then a line tells the
    number of dropped lines.
    """

    def __init__(self, descriptor: int, limit: int = LIMIT) -> None:
        self.descriptor = descriptor
        self.notice: Callable[[int], str] = lambda count: f"{count} lines of output were dropped: its reader stopped\n"
        """Returns that line."""
        self.on_drop: Callable[[], object] = lambda: None
        """Called for each line that is dropped."""
        self._limit = limit
        self._closed = False
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def put(self, text: str, *, always: bool = False) -> None:
        """Write ``text``, one or more whole lines, soon; with ``always``, even if too many bytes wait."""
        data = text.encode(errors="backslashreplace")
        if self._closed:
            self._write_now(data)
            return
        with self._lock:
            dropped = not always and not self._has_room(len(data) + _OVERHEAD)
            if dropped:
                self._dropped += 1
            else:
                if not self._failing:
                    self._add_notice()
                self._add(data, 1)
            self._start()
        if dropped:
            self.on_drop()

    def drain(self, seconds: float) -> bool:
        """Wait until everything put before is written. Return False if that takes too long."""
        mark = threading.Event()
        with self._lock:
            if not self._start():
                return False
            self._queue.put(mark)
        return mark.wait(seconds)

    def close(self, seconds: float = CLOSING_TIME) -> None:
        """Write what is left. Later lines are written at once, or not at all."""
        self.drain(seconds)
        self._closed = True

    def _reset(self) -> None:
        """Forget what waits. A forked child has no thread, and its parent writes the lines."""
        # Reentrant, because a finalizer may log in a thread that holds the lock.
        self._lock = threading.RLock()
        self._queue: queue.SimpleQueue[tuple[bytes, int] | threading.Event] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._dropped = 0
        self._dropping = False
        self._failing = False

    def _has_room(self, size: int) -> bool:
        if self._dropping and self._waiting > self._limit // 2:
            return False
        # While nothing waits, even a line larger than the limit is let in.
        self._dropping = self._waiting > 0 and self._waiting + size > self._limit
        return not self._dropping

    def _add(self, data: bytes, count: int) -> None:
        self._waiting += len(data) + _OVERHEAD
        self._queue.put((data, count))

    def _add_notice(self) -> None:
        """Add a line that tells how many lines are missing here."""
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._add(self.notice(count).encode(errors="backslashreplace"), count)

    def _start(self) -> bool:
        """Start the thread if it does not run. Return False if that fails; the next line tries again."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=f"output-{self.descriptor}", daemon=True)
            try:
                self._thread.start()
            except (RuntimeError, MemoryError):
                self._thread = None
                return False
        return True

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, threading.Event):
                self._pass(item)
                continue
            data, count = item
            written = self._write(data)
            with self._lock:
                self._failing = not written
                self._waiting -= len(data) + _OVERHEAD
                if not written:
                    self._dropped += count
                elif not self._waiting:
                    self._add_notice()
            if not written:
                self.on_drop()

    def _pass(self, mark: threading.Event) -> None:
        with self._lock:
            if self._dropped and not self._failing:
                self._add_notice()
                self._queue.put(mark)
            else:
                mark.set()

    def _write(self, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:
                # Another process that shares the descriptor may have set it to non-blocking.
                _wait_for_room(self.descriptor, None)
            except OSError:
                return False
        return True

    def _write_now(self, data: bytes) -> None:
        with suppress(OSError):
            if _wait_for_room(self.descriptor, 0):
                os.write(self.descriptor, data[: select.PIPE_BUF])


class LineStream(io.TextIOBase):
    """A replacement for ``sys.stderr``: what is printed to it, tracebacks too, goes to a LineWriter."""

    def __init__(self, lines: LineWriter) -> None:
        self.lines = lines
        self._lock = threading.RLock()
        self._unfinished = ""

    def write(self, text: str) -> int:
        with self._lock:
            whole, end, self._unfinished = (self._unfinished + text).rpartition("\n")
            if end or len(self._unfinished) > _PIECE:
                self.lines.put(whole + end if end else self._take_unfinished())
        return len(text)

    def flush(self) -> None:
        """Put an unfinished line too. Does not wait until it is written."""
        with self._lock:
            if self._unfinished:
                self.lines.put(self._take_unfinished())

    def fileno(self) -> int:
        return self.lines.descriptor

    def isatty(self) -> bool:
        return os.isatty(self.lines.descriptor)

    def writable(self) -> bool:
        return True

    def _take_unfinished(self) -> str:
        unfinished, self._unfinished = self._unfinished, ""
        return unfinished


def keep_output_from_blocking() -> None:
    """Let threads write everything that this process prints and logs from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # A stream that is missing, or that a test has replaced, is left alone.
        if stream is None or stream is not getattr(sys, f"__{name}__"):
            continue
        stream.flush()
        lines = LineWriter(stream.fileno())
        setattr(sys, name, LineStream(lines))
        atexit.register(lines.close)


def drain_output(seconds: float) -> None:
    """Wait until everything printed and logged is written, at most ``seconds`` for each stream."""
    for stream in (sys.stderr, sys.stdout):
        if isinstance(stream, LineStream):
            stream.flush()
            stream.lines.drain(seconds)


@functools.cache
def unblocking_stderr() -> int:
    """Return a descriptor of standard error for output that bypasses Python, such as the stacks of a hang.

    Writes to it do not block, except to a socket, which could only be set to non-blocking for all who share it.
    """
    try:
        mode = os.fstat(2).st_mode
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        # Opened again: other processes share the present one, and expect it to block.
        with suppress(OSError):
            return os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return 2


def _wait_for_room(descriptor: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(milliseconds))
