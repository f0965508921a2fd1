"""The collector of a run: ``socorro serve`` without a processor, started again whenever it ends."""

from __future__ import annotations

import http.client
import math
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chaos.dying_server import FILE
from tests.chaos.processors import RESTART_DELAY, STOPPED_WITHIN
from tests.chaos.promises import Span
from tests.ports import free_port
from tests.shared import REPOSITORY
from tests.system.serving import eventually

STARTED_WITHIN = 120.0
_SEEN_EVERY = 0.05


class FrontDoor:
    """One server at a time within a ``with``, always on the same port."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._dies_after = directory / "dies-after"
        self._environment = {**environment, FILE: str(self._dies_after)}
        self._log = directory / "server.log"
        self.ends: Counter[int] = Counter()
        """The number of ends by exit code; a signal's number is negative."""
        self.deaths: Counter[str] = Counter()
        """The number of deaths by the step after which it was to die."""
        self._fatal = ""
        self.closed: list[Span] = []
        """When no server answered, in seconds of ``time.time``."""
        self.port = free_port()
        self._told_to_stop = math.inf
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="front door")

    def __enter__(self) -> Self:
        self._process = self._start()
        eventually(self._answers, self.log, STARTED_WITHIN)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server that runs, if one does."""
        with self._lock:
            if self._process.poll() is not None:
                return
            if number == signal.SIGTERM:
                # From then on it takes no more connections.
                self._told_to_stop = min(self._told_to_stop, time.time())
            self._process.send_signal(number)

    def die_after(self, step: str) -> None:
        """Let the server die after a step, from now on until ``live``."""
        self._fatal = step
        new = self._dies_after.with_suffix(".new")
        new.write_text(step)
        new.replace(self._dies_after)

    def live(self) -> None:
        """Let it live, and note if it died after the step."""
        try:
            self._dies_after.unlink()
        except FileNotFoundError:
            if self._fatal:
                self.deaths[self._fatal] += 1
        self._fatal = ""

    def stop(self) -> int:
        """Stop it cleanly and for good. Return its exit code."""
        self._stopping.set()
        self._thread.join()
        eventually(self._answers, self.log, STARTED_WITHIN)
        self._process.terminate()
        try:
            return self._process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return -signal.SIGKILL

    def _run(self) -> None:
        alive = time.time()
        while not self._stopping.is_set():
            # Before the look: this thread may have to wait after it, while the server dies.
            looked = time.time()
            if (code := self._process.poll()) is None:
                alive = looked
                self._stopping.wait(_SEEN_EVERY)
                continue
            self.ends[code] += 1
            self._stopping.wait(RESTART_DELAY)
            with self._lock:
                # With the start, because the next one may be told to stop as soon as it runs.
                begun, self._told_to_stop = min(alive, self._told_to_stop), math.inf
                self._process = self._start()
            while not self._answers() and self._process.poll() is None:
                time.sleep(_SEEN_EVERY)
            self.closed.append(Span(begun - _SEEN_EVERY, time.time() + _SEEN_EVERY))

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STARTED_WITHIN)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.chaos.dying_server"]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*command, f"--web.port={self.port}", "--web.processor=no"],
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
