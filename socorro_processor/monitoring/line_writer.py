"""Standard output and standard error that keep nobody waiting.

A pipe is full when its reader has stopped: whoever writes there then waits, with whatever was to be done next, for as
long as that lasts. A service, which must go on, puts lines into a queue; a thread that may wait writes them.
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
"""Bytes that wait to be written; a line more is dropped."""
CLOSING_TIME = 2.0
"""Seconds that the end of a process may be held up by a reader that has stopped."""

_OVERHEAD = 64
"""Bytes that a line takes in memory beside its text, so that many short ones are bounded too."""
_PIECE = 1 << 16
"""Characters without an end of line from which on they are written all the same."""


class LineWriter:
    """Writes lines to a descriptor from a thread of its own. Any thread may call; only ``drain`` and ``close`` wait.

    Where more than ``limit`` bytes wait, lines are dropped until half of it has been written. Then a line says how
    many there were.
    """

    def __init__(self, descriptor: int, limit: int = LIMIT) -> None:
        self.descriptor = descriptor
        self.notice: Callable[[int], str] = lambda count: f"{count} lines of output were dropped: its reader stopped\n"
        """Makes that line."""
        self.on_drop: Callable[[], object] = lambda: None
        """Called for each line that is dropped."""
        self._limit = limit
        self._closed = False
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def put(self, text: str, *, always: bool = False) -> None:
        """Write ``text``, some whole lines, soon. ``always``: however many others wait."""
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
                    self._tell()
                self._add(data, 1)
            self._start()
        if dropped:
            self.on_drop()

    def drain(self, seconds: float) -> bool:
        """Wait until all is written that was put before. Returns False where it was not done in time."""
        mark = threading.Event()
        with self._lock:
            if not self._start():
                return False
            self._queue.put(mark)
        return mark.wait(seconds)

    def close(self, seconds: float = CLOSING_TIME) -> None:
        """Write what is left. A line that comes after this is written at once, or not at all."""
        self.drain(seconds)
        self._closed = True

    def _begin_anew(self) -> None:
        """Also in a child that was forked: what waited is its parent's to write, and the thread is not there."""
        # A finalizer may log while its own thread is at one of these.
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
        # One that alone is more than the limit is not kept out for ever.
        self._dropping = self._waiting > 0 and self._waiting + size > self._limit
        return not self._dropping

    def _add(self, data: bytes, count: int) -> None:
        self._waiting += len(data) + _OVERHEAD
        self._queue.put((data, count))

    def _tell(self) -> None:
        """Say how many lines are missing here."""
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._add(self.notice(count).encode(errors="backslashreplace"), count)

    def _start(self) -> bool:
        """Return False where no thread can be had; the next line tries again."""
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
                    self._tell()
            if not written:
                self.on_drop()

    def _pass(self, mark: threading.Event) -> None:
        with self._lock:
            if self._dropped and not self._failing:
                self._tell()
                self._queue.put(mark)
            else:
                mark.set()

    def _write(self, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:
                # Another process that has it may have made it so.
                _wait_for_room(self.descriptor, None)
            except OSError:
                return False
        return True

    def _write_now(self, data: bytes) -> None:
        with suppress(OSError):
            if _wait_for_room(self.descriptor, 0):
                os.write(self.descriptor, data[: select.PIPE_BUF])


class LineStream(io.TextIOBase):
    """Takes the place of ``sys.stderr``: what is printed there, a traceback among it, goes to a LineWriter."""

    def __init__(self, lines: LineWriter) -> None:
        self.lines = lines
        self._lock = threading.RLock()
        self._begun = ""

    def write(self, text: str) -> int:
        with self._lock:
            whole, end, self._begun = (self._begun + text).rpartition("\n")
            if end or len(self._begun) > _PIECE:
                self.lines.put(whole + end if end else self._take())
        return len(text)

    def flush(self) -> None:
        """Put what has no end of line yet, too. It is not waited for."""
        with self._lock:
            if self._begun:
                self.lines.put(self._take())

    def fileno(self) -> int:
        return self.lines.descriptor

    def isatty(self) -> bool:
        return os.isatty(self.lines.descriptor)

    def writable(self) -> bool:
        return True

    def _take(self) -> str:
        begun, self._begun = self._begun, ""
        return begun


def keep_output_from_blocking() -> None:
    """Have all that this process prints and logs from now on written by threads of their own."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # One that is not there, or that a test has put there, stays.
        if stream is None or stream is not getattr(sys, f"__{name}__"):
            continue
        stream.flush()
        lines = LineWriter(stream.fileno())
        setattr(sys, name, LineStream(lines))
        atexit.register(lines.close)


def drain_output(seconds: float) -> None:
    """Wait until what was printed and logged is written, for up to so many seconds each."""
    for stream in (sys.stderr, sys.stdout):
        if isinstance(stream, LineStream):
            stream.flush()
            stream.lines.drain(seconds)


@functools.cache
def unblocking_stderr() -> int:
    """A descriptor of standard error for what is written without Python, such as the stacks of a hang.

    No write waits there, where that can be had: a socket can only be made so for all who have it.
    """
    try:
        mode = os.fstat(2).st_mode
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        # Opened anew: other processes have the one that is there, and expect it to wait.
        with suppress(OSError):
            return os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return 2


def _wait_for_room(descriptor: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(milliseconds))
