"""Fixtures for tests of the stores on Elasticsearch, and of the queue on RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from tests.integration.elasticsearch_indexes import URLS, Indexes, own_indexes
from tests.integration.elasticsearch_relay import Relay, relay
from tests.integration.rabbitmq_broker import Broker


@pytest.fixture(scope="module")
def indexes() -> Iterator[Indexes]:
    """The indexes of a module; a module whose tests need their own defines another fixture."""
    with own_indexes() as indexes:
        yield indexes


@pytest.fixture
def front(indexes: Indexes) -> Iterator[Relay]:
    """A relay in front of the server, which can answer in its place."""
    with relay(indexes.options[URLS]) as front:
        yield front


@pytest.fixture(params=[ESCrashStorage, ESBulkCrashStorage])
def store_class(request: pytest.FixtureRequest) -> type[ESCrashStorage]:
    return request.param


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Queues of a test; a module whose tests need other options defines another fixture."""
    broker = Broker()
    yield broker
    broker.close()
