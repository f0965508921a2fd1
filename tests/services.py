"""The real servers that tests talk to: `bin/services` starts them, and those it started end with the tests."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
from collections.abc import Callable

from tests.shared import REPOSITORY, require

_COMMAND = str(REPOSITORY / "bin" / "services")
_started: list[str] = []
_left: list[Callable[[], None]] = []


@functools.cache
def service(name: str) -> dict[str, str]:
    """The options by which a service is reached, such as ``resource.rabbitmq.port``; it answers when this returns.

    Names are those of ``bin/services``: rabbitmq, postgresql, s3, elasticsearch. Skips the test where the service
    cannot be had here; with ``CI=true`` fails it.
    """
    if _services("status", name).returncode:
        started = _services("start", name)
        require(started.returncode == 0, f"{name} could not be started:\n{started.stdout}{started.stderr}")
        _started.append(name)
    return _options(_services("env", name).stdout)


def remove_at_end(remove: Callable[[], None]) -> None:
    """Call this once the last test has run, while the services are there: it removes what tests left in one."""
    _left.append(remove)


def end_what_was_started() -> None:
    while _left:
        _left.pop()()
    if _started:
        _services("stop", *_started)


def restart(name: str, how: str = "stop") -> None:
    """End a service as ``how`` says, ``stop`` or ``kill``, and start it again."""
    _done(how, name)
    start(name)


def start(name: str) -> None:
    """Nothing happens where it runs."""
    _done("start", name)


def _done(command: str, name: str) -> None:
    done = _services(command, name)
    assert done.returncode == 0, done.stderr


def _services(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_COMMAND, *arguments], capture_output=True, text=True, env=dict(os.environ))


def _options(exports: str) -> dict[str, str]:
    options = {}
    for line in exports.splitlines():
        name, _, value = line.removeprefix("export SOCORRO__").partition("=")
        options[name.replace("__", ".").lower()] = "".join(shlex.split(value))
    return options
