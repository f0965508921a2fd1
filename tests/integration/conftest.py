"""What tests of the stores on Elasticsearch share: each module has ``indexes`` of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from socorro_processor.crashstorage.elasticsearch.bulk import ESBulkCrashStorage
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from tests.integration.elasticsearch_indexes import URLS, Indexes
from tests.integration.elasticsearch_relay import Relay, relay


@pytest.fixture
def front(indexes: Indexes) -> Iterator[Relay]:
    """Stands before the server, and answers in its place what it is told to."""
    with relay(indexes.options[URLS]) as front:
        yield front


@pytest.fixture(params=[ESCrashStorage, ESBulkCrashStorage])
def store_class(request: pytest.FixtureRequest) -> type[ESCrashStorage]:
    return request.param
