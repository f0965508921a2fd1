"""The base class of all servers."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .debian import install_missing
from .process import Failed, as_user, began, owner

STARTED_WITHIN = 180.0
"""Seconds."""
BURIED_WITHIN = 10.0
"""Seconds in which the machine's first process must reap an ended server."""


class Server(ABC):
    """A server on this machine: installs, configures, starts and ends it, and waits until it is ready."""

    name: str
    """The name of its service."""
    suffix = ""
    """An addition to the name in files and messages, to tell it from the service's usual server."""
    version: str
    """The version that the tests run on."""
    user: str
    """The user that runs it if root starts it."""
    ports: tuple[str, ...]
    """The purposes of its ports; the first is the one that clients connect to."""
    end_signal = signal.SIGTERM
    """The signal that ends it cleanly and soon."""
    ends_within = 60.0
    """Seconds, after which it is killed."""

    def __init__(self, base: Path, place: Path) -> None:
        self.base = base
        """The directory of downloaded programs."""
        self.place = place
        """The directory of its set's data."""
        self.title = self.name + self.suffix
        self.directory = place / self.title
        self.process_file = place / f"{self.title}.process"
        self.log = place / f"{self.title}.log"
        self.state = place / f"{self.title}.json"

    # These methods differ from server to server.

    def packages(self) -> tuple[str, ...]:
        """Return the Debian packages that it needs."""
        return ()

    @abstractmethod
    def is_installed(self) -> bool: ...

    def download(self) -> None:  # noqa: B027
        """Get programs that are not in a Debian package. Raises Failed if their hash is not the expected one."""

    def prepare(self) -> None:  # noqa: B027
        """Write its configuration, and create the data that the first start needs."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs it in the foreground."""

    def environment(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Return True if clients can work with it now. May raise OSError."""

    @abstractmethod
    def options(self) -> dict[str, str]:
        """Return the processor's options for it."""

    # These methods are the same for all.

    def install(self) -> None:
        if self.is_installed():
            return
        install_missing(self.packages())
        self.download()
        if not self.is_installed():
            raise Failed(f"{self.title} was installed, but its program is missing")

    def start(self) -> None:
        if self.is_running():
            print(f"{self.title} runs already")
            return
        self.install()
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.give(self.directory)
        self.prepare()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.directory), **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user(self.user),
            )
        self.process_file.write_text(json.dumps({"pid": process.pid, "began": began(process.pid)}))

    def wait_until_ready(self) -> None:
        """Wait until it answers. Raises Failed if it does not."""
        deadline = time.monotonic() + STARTED_WITHIN
        while not self._is_ready():
            if not self.is_running():
                raise Failed(f"{self.title} ended while it started; its log, {self.log}:\n{self._end_of_log()}")
            if time.monotonic() > deadline:
                raise Failed(f"{self.title} does not answer after {STARTED_WITHIN:.0f} s; its log: {self.log}")
            time.sleep(0.2)

    def ask_to_end(self) -> None:
        if pid := self._pid():
            os.kill(pid, self.end_signal)

    def wait_for_end(self, seconds: float) -> None:
        """Wait for its end; after ``seconds``, kill it and all processes that it has started."""
        pid = self._pid()
        if pid is None:
            return
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        while self.is_running():
            time.sleep(0.02)
        # PostgreSQL does not start while there is a process with the former one's pid, even a dead one.
        deadline = time.monotonic() + BURIED_WITHIN
        while Path("/proc", str(pid)).exists() and began(pid) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.process_file.unlink(missing_ok=True)

    def remove_data(self) -> None:
        """Remove the data, log, ports and password of an ended server."""
        shutil.rmtree(self.directory, ignore_errors=True)
        for path in (self.state, self.log):
            path.unlink(missing_ok=True)

    def is_running(self) -> bool:
        return self._pid() is not None

    def settings(self) -> dict[str, str]:
        """Return its ports and password, which are chosen once."""
        if not self.state.exists():
            chosen = {"password": secrets.token_urlsafe(18)}
            for port in self.ports:
                chosen[port] = free_port({*chosen.values(), *self._chosen()})
            write_private(self.state, json.dumps(chosen))
        settings: dict[str, str] = json.loads(self.state.read_text())
        return settings

    def port(self, what: str = "") -> str:
        return self.settings()[what or self.ports[0]]

    # Servers use these to prepare.

    def give(self, *paths: Path) -> None:
        """Make its user the owner of files, if root starts it."""
        if os.getuid() == 0:
            for path in paths:
                shutil.chown(path, *owner(self.user))

    def write_secret(self, name: str, text: str) -> Path:
        """Write a file in its directory that only its user can read."""
        path = self.directory / name
        write_private(path, text)
        self.give(path)
        return path

    def _chosen(self) -> Iterator[str]:
        """Yield the settings of all servers of all sets, running or not."""
        for state in (*self.base.glob("*.json"), *self.base.glob("sets/*/*.json")):
            yield from json.loads(state.read_text()).values()

    def _is_ready(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def _pid(self) -> int | None:
        """Return the pid of the running server, unless another process has that pid by now."""
        try:
            process = json.loads(self.process_file.read_text())
        except FileNotFoundError:
            return None
        pid: int = process["pid"]
        return pid if began(pid) == process["began"] else None

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def free_port(chosen: set[str]) -> str:
    """Return a free port below those of outgoing connections, so that it is free at a later start too."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        if str(port) in chosen:
            continue
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return str(port)


def get(url: str) -> bytes:
    """Return the content of a URL of this machine, without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=2) as answer:
        content: bytes = answer.read()
    return content


def write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
