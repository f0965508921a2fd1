"""``socorro serve`` as a process of its own, in an empty directory, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.multipart import CONTENT_TYPE, body_of
from tests.ports import free_port
from tests.system.daemon import DEADLINE, SOCORRO, variables


class Serving:
    """An installation without a configuration file; ends every server that it started."""

    def __init__(self, directory: Path, command: Sequence[str] = SOCORRO, **options: str) -> None:
        """``options`` have two underscores for a dot: ``collector__reserve``."""
        self.directory = directory
        self._command = command
        self.environment = {
            "PATH": os.environ["PATH"],
            # Else each test would reserve 256 MB.
            **variables({"collector.reserve": "1M"}),
            **variables({name.replace("__", "."): value for name, value in options.items()}),
        }
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = directory / "log"
        self._output = directory / "output"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self._processes[-1]

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def output(self) -> str:
        return self._output.read_text()

    def start(self, *arguments: str) -> None:
        """Start the server, on the same port each time; it answers when this returns."""
        with self._log.open("ab") as log, self._output.open("wb") as output:
            process = subprocess.Popen(
                [*self._command, "serve", f"--web.port={self.port}", *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )
        self._processes.append(process)
        eventually(lambda: "Ctrl-C" in self.output or process.poll() is not None, lambda: self.log)
        assert process.poll() is None, self.log
        match = re.search(r"http://127\.0\.0\.1:(\d+)/submit", self.output)
        assert match, self.output
        self.port = int(match[1])

    def wait_until_ready(self) -> None:
        eventually(self.is_ready, lambda: f"{self.get('/readyz')}\n{self.log}")

    def is_ready(self) -> bool:
        """Return True if all parts work; ``/readyz`` is 200 as long as crashes can be taken."""
        return self.get("/__heartbeat__")[0] == 200

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, and wait for its end; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)

    def socorro(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run another command in the same directory."""
        return subprocess.run(
            [*self._command, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Return status and body."""
        status, _, body = self.fetch(path, headers)
        return status, body.decode()

    def fetch(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()
        finally:
            connection.close()

    def post(self, dump: bytes | None, fields: Mapping[str, str]) -> str:
        """Post a crash as a client does, with a dump or without one; return its crash id."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("POST", "/submit", body_of(fields, dump), {"Content-Type": CONTENT_TYPE})
            answer = connection.getresponse()
            words = answer.read().decode()
        finally:
            connection.close()
        match = re.fullmatch(r"CrashID=bp-([0-9a-f-]{36})\n", words)
        assert match, (answer.status, words)
        return match[1]

    def spooled(self) -> int:
        """Return the number of crashes that wait in the spool."""
        return len(list((self.directory / "socorro-data" / "spool" / "ready").iterdir()))

    def spool(self) -> dict[str, Any]:
        spool: dict[str, Any] = json.loads(self.get("/readyz")[1])["spool"]
        return spool

    def processor(self) -> int:
        """Return the pid of the processor; 0 if none runs."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = path.read_text().rpartition(") ")[2].split()[:2]
                command = (path.parent / "cmdline").read_bytes()
            except OSError:
                continue
            if state != "Z" and int(parent) == self.process.pid and b"processor_child" in command:
                return int(path.parent.name)
        return 0

    def raw_crashes(self) -> dict[str, dict[str, Any]]:
        """Return the stored raw crashes by crash id; hidden files are those of killed writers."""
        files = (self.directory / "socorro-data" / "crashes" / "v2" / "raw_crash").rglob("[!.]*")
        return {path.name: json.loads(path.read_bytes()) for path in files if path.is_file()}

    def is_processed(self, crash_id: str) -> bool:
        return (self.directory / "socorro-data" / "crashes" / "v1" / "processed_crash" / crash_id).exists()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(DEADLINE)


def eventually(
    condition: Callable[[], object],
    message: Callable[[], str] = lambda: "it did not happen",
    seconds: float = DEADLINE,
) -> None:
    """Wait until ``condition`` holds; a server that does not answer yet is no reason to give up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < deadline, message()
        time.sleep(0.02)
