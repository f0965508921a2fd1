"""The real servers that tests talk to: `bin/services` starts them once for all processes of a run, which they end with.

What ends servers has its own (`own_servers`), so that tests beside it do not suffer.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from tests.shared import REPOSITORY, require

_COMMAND = str(REPOSITORY / "bin" / "services")
_STARTED = "SOCORRO_TESTS_STARTED"
"""The variable that tells all processes of a run the file in which they write what they start."""

# The run's end is the end of its input. What is started just now is stopped as well: `bin/services` waits for it.
_KEEPER = 'cat; sort -u "$1" | while read -r options; do "$0" $options & done; wait; rm -f "$1"'

_set: tuple[str, ...] = ()
"""The option that names the servers that are meant; none: the shared ones."""
_left: list[Callable[[], None]] = []


@contextmanager
def services_of_a_run() -> Iterator[None]:
    """What is started within the ``with`` ends with it, and also where its process is killed."""
    descriptor, started = tempfile.mkstemp(prefix="socorro-tests-")
    os.close(descriptor)
    os.environ[_STARTED] = started
    keeper = subprocess.Popen(
        ["sh", "-c", _KEEPER, _COMMAND, started],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # What ends the run's processes does not end it.
        start_new_session=True,
    )
    try:
        yield
        remove_what_is_left()
    finally:
        keeper.communicate()


def service(name: str) -> dict[str, str]:
    """The options by which a service is reached, such as ``resource.rabbitmq.port``; it answers when this returns.

    Names are those of ``bin/services``: rabbitmq, postgresql, s3, elasticsearch. With ``SOCORRO_ELASTICSEARCH=9`` the
    last one is Elasticsearch 9. Skips the test where the service cannot be had here; with ``CI=true`` fails it.
    """
    return _service(name, *_set)


@contextmanager
def own_servers() -> Iterator[None]:
    """Services within the ``with`` are others, in all threads: they may be ended, and are gone after it."""
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
    """Call this when nothing in this process needs it any more, while the services are there."""
    _left.append(remove)


def remove_what_is_left() -> None:
    while _left:
        _left.pop()()


def restart(name: str, how: str = "stop") -> None:
    """End a service as ``how`` says, ``stop`` or ``kill``, and start it again."""
    end(name, how)
    start(name)


def end(name: str, how: str = "stop") -> None:
    """End a service as ``how`` says, ``stop`` or ``kill``."""
    _done(how, name)


def start(name: str) -> None:
    """Nothing happens where it runs."""
    _done("start", name)


def module_of_services() -> ModuleType:
    """``bin/services`` as a module."""
    loader = SourceFileLoader("services", _COMMAND)
    module = module_from_spec(spec_from_loader("services", loader))
    sys.modules["services"] = module
    loader.exec_module(module)
    return module


@functools.cache
def _service(name: str, *options: str) -> dict[str, str]:
    if _services(*options, "status", name).returncode:
        if not options:
            _end_with_the_run("stop", name)
        done = _services(*options, "start", name)
        require(done.returncode == 0, f"{name} could not be started:\n{done.stdout}{done.stderr}")
    return _options(_services(*options, "env", name).stdout)


def _end_with_the_run(*arguments: str) -> None:
    with Path(os.environ[_STARTED]).open("a") as started:
        started.write(f"{' '.join(arguments)}\n")


def _done(command: str, name: str) -> None:
    done = _services(*_set, command, name)
    assert done.returncode == 0, done.stderr


def _services(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_COMMAND, *arguments], capture_output=True, text=True, env=dict(os.environ))


def _options(exports: str) -> dict[str, str]:
    options = {}
    for line in exports.splitlines():
        name, _, value = line.removeprefix("export SOCORRO__").partition("=")
        options[name.replace("__", ".").lower()] = "".join(shlex.split(value))
    return options
