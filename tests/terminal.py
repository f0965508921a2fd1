"""Commands as somebody at a terminal runs them."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.system.daemon import DEADLINE, SOCORRO, eventually


class Terminal:
    """``socorro`` with a terminal as its standard input, output and error; must be closed."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], directory: Path, width: int = 120) -> None:
        self._terminal, its_end = pty.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        self.process = subprocess.Popen(
            [*SOCORRO, *arguments],
            cwd=directory,
            env={"TERM": "xterm-256color"} | dict(environment),
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
        )
        os.close(its_end)
        self._printed = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    @property
    def printed(self) -> str:
        """All output so far, with control sequences."""
        return self._printed.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.printed.count(text) >= times, lambda: self.printed)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(DEADLINE)
        self._thread.join(DEADLINE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        os.close(self._terminal)

    def _read(self) -> None:
        try:
            while data := os.read(self._terminal, 65536):
                self._printed += data
        except OSError:
            # On Linux, this means that nobody has the other end any more.
            return
