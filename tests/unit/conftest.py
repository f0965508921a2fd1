from collections.abc import Iterator

import pytest

from tests.statsd_server import StatsdServer


@pytest.fixture
def statsd_server() -> Iterator[StatsdServer]:
    with StatsdServer() as server:
        yield server
