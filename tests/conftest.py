import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from tests.open_connections import none_left, watch
from tests.services import remove_what_is_left, services_of_a_run
from tests.statsd_server import StatsdServer

settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure(config: pytest.Config) -> None:
    watch()
    _heed_signals()
    # No deadline: an example takes longer on a busy machine.
    settings.load_profile("any machine")
    if not hasattr(config, "workerinput"):
        run = ExitStack()
        run.enter_context(services_of_a_run())
        config.add_cleanup(run.close)


def _heed_signals() -> None:
    """Restore SIGHUP and SIGINT: `nohup` and a shell's `&` ignore them, and so would the tests' child processes."""
    for number, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start more workers than processors: most tests wait for a server or a process."""
    return 3 * len(os.sched_getaffinity(0))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest modules, so that no worker is left alone with one at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (-_limit(item), not _is_long(item)))


def _limit(item: pytest.Item) -> float:
    return max((mark.args[0] for mark in item.iter_markers("timeout")), default=0)


def _is_long(item: pytest.Item) -> bool:
    """Return True for tests that start servers or processes and wait for them."""
    return item.path.parent.name in ("browser", "chaos", "contract", "endings", "integration", "system") or bool(
        item.get_closest_marker("long")
    )


def pytest_sessionfinish() -> None:
    remove_what_is_left()


@pytest.fixture(autouse=True)
def _no_connection_left() -> Iterator[None]:
    """Check that each test closes its SQLite connections."""
    with none_left():
        yield


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Reset logging after each test: the stream that a test logged to is closed by then."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def statsd_server() -> Iterator[StatsdServer]:
    """A server in place of statsd."""
    with StatsdServer() as server:
        yield server
