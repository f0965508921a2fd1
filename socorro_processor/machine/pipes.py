"""Read what a program prints, up to a limit, for as long as the program runs."""

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
"""Bytes of stderr that are kept: the last ones, for what a program says last is why it ended."""

_READ_SIZE = 1 << 20
_BETWEEN_READS = 0.004


class Cutter(Protocol):
    """Leaves out a part of what is printed, while it is printed."""

    def feed(self, data: bytes) -> bytes:
        """Return what is to be kept by now."""
        ...

    def end(self) -> bytes:
        """Return what else is to be kept: nothing more comes."""
        ...


class Pipes:
    """stdout and stderr of a process, read without ever waiting for their end.

    A grandchild may hold them open long after the process is gone.
    """

    def __init__(self, process: subprocess.Popen[bytes], limit: int, cutter: Cutter | None = None) -> None:
        """``limit``: bytes on stdout from which on there are too many, also of what a ``cutter`` keeps of them."""
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
        # Room for what comes between two reads; without it (a limit of the system's) it just takes longer.
        with suppress(PermissionError):
            fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _READ_SIZE)

    def read_until_exit(self, pidfd: int, deadline: Callable[[], float]) -> bool:
        """True once the process has ended; False where it is to be killed, late or with too much to say.

        ``deadline`` is asked again and again, because it may move.
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
            # minidump-stackwalk prints 2 MB in writes of 1 kB: to wake up for each of them costs more
            # than all the rest, so that some are let come together. Its exit is noticed at once.
            readable(pidfd, _BETWEEN_READS)
        return False

    def stderr_text(self) -> str:
        """The end of stderr, as text that does no harm in a log or on a terminal."""
        text = self._stderr.decode("utf-8", errors="replace")
        return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)

    def _drain(self) -> None:
        """Take what a process that has ended left behind."""
        for descriptor in self._descriptors:
            while not self.output_too_large and self._read(descriptor):
                pass
        if self._cutter is not None and self._is_cut:
            self._keep(self._cutter.end())

    def _read(self, descriptor: int) -> bytes | None:
        """Return the bytes that were there; empty at the end of the file, None if more may come later."""
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
        """Keep what came on stdout: all of it, for as long as there is not too much."""
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
    """Wait until there is something to be read from it; False where there was nothing for so long."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
