from collections.abc import Iterator

import pytest

from tests.services import end_what_was_started
from tests.statsd_server import StatsdServer


def pytest_sessionfinish(session: pytest.Session) -> None:
    end_what_was_started()


@pytest.fixture
def statsd_server() -> Iterator[StatsdServer]:
    """What stands for statsd."""
    with StatsdServer() as server:
        yield server
