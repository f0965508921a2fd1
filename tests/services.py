"""The real servers that tests talk to: `bin/services` starts them once for all processes of a run.

Tests that stop servers have their own (`own_servers`), so that tests beside them do not suffer.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.shared import REPOSITORY, require

_COMMAND = str(REPOSITORY / "bin" / "services")
_STARTED = "SOCORRO_TESTS_STARTED"
"""The variable that names the file in which all processes of a run record the servers that they start."""

# The end of its input is the end of the run. It waits for `bin/services`, so a server that is starting is stopped too.
_KEEPER = 'cat; sort -u "$1" | while read -r options; do "$0" $options & done; wait; rm -f "$1"'

_GIVEN = "SOCORRO_TEST_SERVICES"
"""The variable that names a file with the output of ``bin/services env`` for existing servers."""
# Java's optimizing compiler costs a short run more than it saves.
_ENVIRONMENT = {"ES_JAVA_OPTS": "-XX:TieredStopAtLevel=1"}

_set: tuple[str, ...] = ()
"""The option that names a set of servers; without it, the shared ones."""
_left: list[Callable[[], None]] = []


@contextmanager
def services_of_a_run() -> Iterator[None]:
    """End the services started within the ``with`` when it ends, or when its process is killed."""
    descriptor, started = tempfile.mkstemp(prefix="socorro-tests-")
    os.close(descriptor)
    os.environ[_STARTED] = started
    keeper = subprocess.Popen(
        ["sh", "-c", _KEEPER, _COMMAND, started],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Signals that end the run's processes do not end it.
        start_new_session=True,
    )
    try:
        yield
        remove_what_is_left()
    finally:
        keeper.communicate()


def service(name: str) -> dict[str, str]:
    """Return the options to reach a service, such as ``resource.rabbitmq.port``; the service answers by then.

    Names are those of ``bin/services``: rabbitmq, postgresql, s3, elasticsearch. With ``SOCORRO_ELASTICSEARCH=9`` the
    last one is Elasticsearch 9. Skips the test if the service cannot be had here; with ``CI=true`` fails it.

    With ``SOCORRO_TEST_SERVICES`` the options are those of that file, and only ``own_servers`` starts any server.
    """
    file = os.environ.get(_GIVEN)
    return _given(name, REPOSITORY / file) if file and not _set else _service(name, *_set)


@contextmanager
def own_servers() -> Iterator[None]:
    """Services within the ``with`` are separate ones, in all threads. They may be stopped, and are removed after it."""
    global _set, _left
    shared, _left = _left, []
    _set = (f"--set={uuid.uuid4().hex[:8]}",)
    _end_with_the_run(*_set, "remove")
    try:
        yield
        remove_what_is_left()
    finally:
        _services(*_set, "remove")
        _set, _left = (), shared


def remove_at_end(remove: Callable[[], None]) -> None:
    """Register a call for when nothing in this process needs the services any more, while they still run."""
    _left.append(remove)


def remove_what_is_left() -> None:
    while _left:
        _left.pop()()


def restart(name: str, how: str = "stop") -> None:
    """Stop a service (``how`` is ``stop`` or ``kill``), and start it again."""
    end(name, how)
    start(name)


def end(name: str, how: str = "stop") -> None:
    """Stop a service; ``how`` is ``stop`` or ``kill``."""
    _done(how, name)


def start(name: str) -> None:
    """Start a service, unless it runs."""
    _done("start", name)


def options_of(exports: str) -> dict[str, str]:
    """Return the options, by dotted key, in the output of ``bin/services env``; other lines are skipped."""
    options = {}
    for line in exports.splitlines():
        name, _, value = line.removeprefix("export SOCORRO__").partition("=")
        if name != line:
            options[name.replace("__", ".").lower()] = "".join(shlex.split(value))
    return options


@functools.cache
def _given(name: str, file: Path) -> dict[str, str]:
    given = options_of(file.read_text())
    return {option: given[option] for option in options_of(_services("env", name).stdout)}


@functools.cache
def _service(name: str, *options: str) -> dict[str, str]:
    if _services(*options, "status", name).returncode:
        if not options:
            _end_with_the_run("stop", name)
        done = _services(*options, "start", name)
        require(done.returncode == 0, f"{name} could not be started:\n{done.stdout}{done.stderr}")
    return options_of(_services(*options, "env", name).stdout)


def _end_with_the_run(*arguments: str) -> None:
    with Path(os.environ[_STARTED]).open("a") as started:
        started.write(f"{' '.join(arguments)}\n")


def _done(command: str, name: str) -> None:
    done = _services(*_set, command, name)
    assert done.returncode == 0, done.stderr


def _services(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_COMMAND, *arguments], capture_output=True, text=True, env={**os.environ, **_ENVIRONMENT})
