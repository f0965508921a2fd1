"""The commands of ``socorro``, and the daemon, as processes of their own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, EnvironmentSource, read_ini
from tests.shared import REPOSITORY

DEADLINE = 60.0
SOCORRO = (sys.executable, "-c", "from socorro_processor.cli.main import run; run()")
"""The command, with the Python that runs the tests."""
PIPE_SIZE = 4096
EMPTY_QUEUE = {"waiting": 0, "delayed": 0, "in_flight": 0, "parked": 0, "rejected": 0}

_WALKER = "SOCORRO__PROCESSOR__RAW_TO_PROCESSED_TRANSFORM__BREAKPADSTACKWALKERRULE2015__"


def variables(options: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that set options, each named like ``app.maximum_attempts``."""
    return {f"SOCORRO__{option.replace('.', '__').upper()}": value for option, value in options.items()}


def configuration(environment: Mapping[str, str]) -> Configuration:
    """Return the configuration of ``socorro`` in this environment."""
    ini = environment["SOCORRO__ADMIN__CONF"]
    others = {name: value for name, value in environment.items() if name != "SOCORRO__ADMIN__CONF"}
    return Configuration(all_options(), [read_ini(Path(ini)), EnvironmentSource(others)])


class Installation:
    """A configuration and data of its own in a directory; ends every daemon that it started."""

    def __init__(self, directory: Path, symbols: Path | None = None) -> None:
        self.directory = directory
        self.crashes = directory / "crashes"
        self.temporary = directory / "temporary"
        self.environment = {
            "PATH": os.environ["PATH"],
            "SOCORRO__ADMIN__CONF": str(REPOSITORY / "config" / "processor.ini"),
            "SOCORRO__RESOURCE__FILESYSTEM__ROOT": str(self.crashes),
            "SOCORRO__NEW_CRASH_SOURCE__PATH": str(directory / "queue.sqlite"),
            "SOCORRO__NEW_CRASH_SOURCE__RETRY_DELAYS": "0.2",
            "SOCORRO__APP__TEMPORARY_DIRECTORY": str(self.temporary),
        }
        if symbols:
            self.walker(symbols_path=str(symbols))
        self._daemons: list[Daemon] = []

    def set(self, option: str, value: str) -> None:
        self.environment |= variables({option: value})

    def walker(self, **options: str) -> None:
        """Set options of the rule that runs the stackwalker."""
        self.environment |= {_WALKER + name.upper(): value for name, value in options.items()}

    def socorro(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*SOCORRO, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def begin(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command; the caller sees to its end."""
        return subprocess.Popen(
            [*SOCORRO, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def submit(self, *arguments: str | Path) -> str:
        """Submit a crash; return its id."""
        done = self.socorro("submit", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def show(self, crash_id: str) -> dict[str, Any]:
        """Return the processed crash."""
        done = self.socorro("show", crash_id, "--json")
        assert done.returncode == 0, done.stderr
        processed: dict[str, Any] = json.loads(done.stdout)
        return processed

    def queue(self) -> dict[str, Any]:
        """Return the output of ``socorro queue status`` for all queues; None stands for an unknown number."""
        done = self.socorro("queue", "status", "--json")
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        numbers = {
            key: [depth[key] for depth in status["queues"].values()] for key in ("waiting", "delayed", "in_flight")
        }
        totals = {key: None if None in each else sum(each) for key, each in numbers.items()}
        return totals | {"parked": status["parked"], "rejected": status["rejected"]}

    def is_processed(self, crash_id: str) -> bool:
        return (self.crashes / "v1" / "processed_crash" / crash_id).exists()

    def start(self, *arguments: str, reading: threading.Event | None = None) -> Daemon:
        """Start ``socorro processor``; it is running when this returns."""
        daemon = Daemon(self, arguments, reading)
        self._daemons.append(daemon)
        daemon.wait_for_log("the processor runs")
        return daemon

    def close(self) -> None:
        for daemon in self._daemons:
            daemon.kill()


class Daemon:
    """A running ``socorro processor``.

    With ``reading``, its log goes through a small pipe, which is read while that event is set.
    """

    def __init__(
        self, installation: Installation, arguments: tuple[str, ...], reading: threading.Event | None = None
    ) -> None:
        self._log = installation.directory / f"log-{time.monotonic_ns()}"
        self._reader: threading.Thread | None = None
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if reading is not None:
            file, (source, output) = output, os.pipe()
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
            self._reader = threading.Thread(target=_read, args=(source, file, reading), daemon=True)
            self._reader.start()
        try:
            self.process = subprocess.Popen(
                [*SOCORRO, "processor", *arguments],
                cwd=installation.directory,
                env=installation.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        finally:
            os.close(output)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for_log(self, text: str) -> None:
        eventually(lambda: text in self.log or self._ended(), lambda: f"no {text!r} in the log:\n{self.log}")
        assert text in self.log, self.log

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, and wait for its end; return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and for all of its log; return the exit code."""
        code = self.process.wait(DEADLINE)
        if self._reader:
            self._reader.join(DEADLINE)
        return code

    def kill(self) -> None:
        if not self._ended():
            self.process.kill()
        self.process.wait(DEADLINE)

    def _ended(self) -> bool:
        return self.process.poll() is not None


def _read(source: int, file: int, reading: threading.Event) -> None:
    """Copy a pipe to a file until all writers have ended."""
    with os.fdopen(source, "rb", 0) as pipe, os.fdopen(file, "wb", 0) as log:
        while reading.wait() and (data := pipe.read(PIPE_SIZE)):
            log.write(data)


def eventually(condition: Any, message: Any = lambda: "it did not happen") -> None:
    """Wait until ``condition`` holds, which no event in this process signals."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, message()
        time.sleep(0.02)
