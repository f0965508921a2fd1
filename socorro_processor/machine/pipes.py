"""Read the output of a program while it runs, up to a limit."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

STDERR_LIMIT = 8192
"""The number of bytes at the end of stderr that are kept, because a program says last why it ended."""

_READ_SIZE = 1 << 20  # bytes
_BETWEEN_READS = 0.004  # seconds


class Cutter(Protocol):
    """Leaves out a part of the output, while it is printed."""

    def feed(self, data: bytes) -> bytes:
        """Take more output; return what can be kept by now."""
        ...

    def end(self) -> bytes:
        """Return the rest that is kept, after the end of the output."""
        ...


class Pipes:
    """The stdout and stderr of a process, read without waiting for their end.

    A grandchild may keep them open long after the process has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], limit: int, cutter: Cutter | None = None) -> None:
        """``limit``: the number of bytes on stdout, or of those that ``cutter`` keeps, above which it is too much."""
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdout = process.stdout.fileno()
        self._descriptors = (self._stdout, process.stderr.fileno())
        self._limit = limit
        self._cutter = cutter
        self._is_cut = False
        self._size = 0
        self._stderr = b""
        self.output: list[bytes] = []
        self.output_too_large = False
        for descriptor in self._descriptors:
            os.set_blocking(descriptor, False)
        # Room for the output between two reads. If the system's limit forbids it, reading only takes longer.
        with suppress(PermissionError):
            fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _READ_SIZE)

    def read_until_exit(self, pidfd: int, deadline: Callable[[], float]) -> bool:
        """Return True once the process has ended, or False if it must be killed: late, or with too much output.

        ``deadline`` is called again and again, because it may change.
        """
        poll = select.poll()
        for descriptor in (pidfd, *self._descriptors):
            poll.register(descriptor, select.POLLIN)
        while (remaining := deadline() - time.monotonic()) > 0 and not self.output_too_large:
            for descriptor, _ in poll.poll(remaining * 1000):
                if descriptor == pidfd:
                    self._drain()
                    return True
                if self._read(descriptor) == b"":
                    poll.unregister(descriptor)
            # minidump-stackwalk prints 2 MB in writes of 1 kB. Waking up for each costs more than all the rest, so this
            # lets some come together. Its exit is noticed at once.
            readable(pidfd, _BETWEEN_READS)
        return False

    def stderr_text(self) -> str:
        """Return the end of stderr, as text that is harmless in a log or on a terminal."""
        text = self._stderr.decode("utf-8", errors="replace")
        return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)

    def _drain(self) -> None:
        """Read what a process has left in the pipes."""
        for descriptor in self._descriptors:
            while not self.output_too_large and self._read(descriptor):
                pass
        if self._cutter is not None and self._is_cut:
            self._keep(self._cutter.end())

    def _read(self, descriptor: int) -> bytes | None:
        """Return the bytes that are there: empty at the end of the file, None if more may come later."""
        try:
            data = os.read(descriptor, _READ_SIZE)
        except BlockingIOError:
            return None
        if descriptor != self._stdout:
            self._stderr = (self._stderr + data)[-STDERR_LIMIT:]
        else:
            self._take(data)
        return data

    def _take(self, data: bytes) -> None:
        """Keep data from stdout: all of it, until it is too much and the cutter decides."""
        if self._cutter is None or (not self._is_cut and self._size + len(data) <= self._limit):
            self._keep(data)
            return
        if not self._is_cut:
            self._is_cut = True
            data = b"".join([*self.output, data])
            self._size, self.output = 0, []
        self._keep(self._cutter.feed(data))

    def _keep(self, data: bytes) -> None:
        if self._size + len(data) > self._limit:
            self.output_too_large = True
        else:
            self._size += len(data)
            self.output.append(data)


def readable(descriptor: int, seconds: float) -> bool:
    """Wait until the descriptor is readable; return False if it is not within ``seconds``."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
