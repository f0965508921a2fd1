"""Indexes of a test module's own on the real server, and access to their content."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from socorro_processor.configuration import DotDict, class_name, defaults
from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.elasticsearch.indexes import WeeklyIndexes
from socorro_processor.search.elasticsearch import PAGE, ElasticsearchSearch
from socorro_processor.search.query import CrashQuery
from tests.services import service

URLS = "resource.elasticsearch.elasticsearch_urls"
TODAY = datetime.now(UTC).date()
"""The day of all tests of a run, even if the run goes on past midnight."""


class DatedIndexes(WeeklyIndexes):
    """Indexes as they are some days after the tests' own day, or by a clock of a test's own."""

    def __init__(self, config: DotDict, connection: ElasticsearchConnection) -> None:
        self.days = 0
        self.clock = time.monotonic
        self.connection = connection
        super().__init__(
            config, connection, today=lambda: TODAY + timedelta(days=self.days), clock=lambda: self.clock()
        )


def on_day(store: Any, days: int) -> Any:
    """Return the store as it will be some days later."""
    store.indexes.days = days
    store.indexes.forget()
    return store


class Indexes:
    """Makes stores with a common prefix of index names; all their indexes are removed at the end."""

    def __init__(self) -> None:
        self.options = service("elasticsearch")
        self.client = Elasticsearch(self.options[URLS])
        self.template = f"test-{uuid.uuid4().hex[:12]}"
        self.pattern = f"{self.template}-%Y%W"
        self.other = f"{self.template}-other"
        self._stores: list[ESCrashStorage] = []

    def store(self, store_class: type[ESCrashStorage] = ESCrashStorage, **values: object) -> Any:
        options = {
            "resource.elasticsearch.elasticsearch_index": self.pattern,
            "resource.elasticsearch.index_creator_class": class_name(DatedIndexes),
            **self.options,
            **values,
        }
        store = store_class(defaults(store_class, **options))
        self._stores.append(store)
        return store

    def document(self, crash_id: str) -> dict[str, Any]:
        """Return the saved document of a crash, as a search finds it."""
        (hit,) = self.search({"term": {"crash_id": crash_id}})
        document: dict[str, Any] = hit["_source"]
        return document

    def ids(self, query: dict[str, Any]) -> set[str]:
        return {hit["_id"] for hit in self.search(query)}

    def crash_ids(self, page: int = PAGE, **query: Any) -> Iterator[str]:
        """Yield the ids that a search for these values finds."""
        with closing(ElasticsearchSearch(self.store().config)) as search:
            yield from search.crash_ids(CrashQuery(**query), page)

    def index_of(self, crash_id: str) -> str:
        (hit,) = self.search({"term": {"crash_id": crash_id}})
        return str(hit["_index"])

    def search(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        self.refresh()
        hits: list[dict[str, Any]] = self.client.search(index=f"{self.template}-*", query=query)["hits"]["hits"]
        return hits

    def refresh(self) -> None:
        self.client.indices.refresh(index=f"{self.template}-*")

    def largest_document(self) -> int:
        """Return the size in bytes of the largest document that the server's memory for indexing has room for."""
        (node,) = self.client.nodes.info()["nodes"].values()
        (stats,) = self.client.nodes.stats(metric="indexing_pressure")["nodes"].values()
        limit: int = stats["indexing_pressure"]["memory"]["limit_in_bytes"]
        # From version 9 on there must be room for the document as it came, and for four times as much besides.
        return limit // (5 if int(node["version"].partition(".")[0]) >= 9 else 1)

    def mappings(self) -> dict[str, Any]:
        """Return the mappings of every index, by its name."""
        found = self.client.indices.get_mapping(index=f"{self.template}-*").body
        return {name: index["mappings"] for name, index in found.items()}

    def replace(self) -> None:
        """Delete template and indexes, as if an empty cluster had replaced this one."""
        # Template first: whoever still writes will make the next indexes.
        self.client.options(ignore_status=404).indices.delete_index_template(name=self.template)
        for name in self.mappings():
            self.client.options(ignore_status=404).indices.delete(index=name)

    def close(self) -> None:
        for store in self._stores:
            store.close()
        self.replace()
        self.client.close()


@contextmanager
def own_indexes() -> Iterator[Indexes]:
    indexes = Indexes()
    try:
        yield indexes
    finally:
        indexes.close()
