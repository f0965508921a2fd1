"""Indexes of a test module's own on the real server, and what is in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.elasticsearch.indexes import WeeklyIndexes
from tests.services import service

URLS = "resource.elasticsearch.elasticsearch_urls"
TODAY = datetime.now(UTC).date()
"""The day of all tests of a run, also of one that goes on past midnight."""


def on_day(store: Any, days: int) -> Any:
    """The store, as it is in some days."""
    store.indexes = WeeklyIndexes(store.config, store._connection, today=lambda: TODAY + timedelta(days=days))
    return store


class Indexes:
    """Stores made here save in indexes whose names begin alike; all of these are removed at the end."""

    def __init__(self) -> None:
        self.options = service("elasticsearch")
        self.client = Elasticsearch(self.options[URLS])
        self.template = f"test-{uuid.uuid4().hex[:12]}"
        self.pattern = f"{self.template}-%Y%W"
        self.other = f"{self.template}-other"
        self._stores: list[ESCrashStorage] = []

    def store(self, store_class: type[ESCrashStorage] = ESCrashStorage, **values: object) -> Any:
        options = {"resource.elasticsearch.elasticsearch_index": self.pattern, **self.options, **values}
        store = store_class(defaults(store_class, **options))
        self._stores.append(store)
        return on_day(store, 0)

    def document(self, crash_id: str) -> dict[str, Any]:
        """What was saved of a crash, as whoever searches finds it."""
        (hit,) = self.search({"term": {"crash_id": crash_id}})
        document: dict[str, Any] = hit["_source"]
        return document

    def ids(self, query: dict[str, Any]) -> set[str]:
        return {hit["_id"] for hit in self.search(query)}

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
        """Bytes of the largest that the server's memory for indexing has room for."""
        (node,) = self.client.nodes.info()["nodes"].values()
        (stats,) = self.client.nodes.stats(metric="indexing_pressure")["nodes"].values()
        limit: int = stats["indexing_pressure"]["memory"]["limit_in_bytes"]
        # From 9 on there must be room for it as it came, and for four times as much beside that.
        return limit // (5 if int(node["version"].partition(".")[0]) >= 9 else 1)

    def mappings(self) -> dict[str, Any]:
        """Of every index, by its name."""
        found = self.client.indices.get_mapping(index=f"{self.template}-*").body
        return {name: index["mappings"] for name, index in found.items()}

    def replace(self) -> None:
        """Delete template and indexes, as where another cluster, an empty one, is in the place of this one."""
        # First: what is made from now on is made by whoever still writes.
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
