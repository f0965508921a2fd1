"""Search for crashes by signature, product, version and day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import CrashStorageError

PAGE = 1000
"""Crash ids in one answer."""

_KEEP_ALIVE = "5m"
"""The time that a reader may take over one page."""


@dataclass(frozen=True)
class CrashQuery:
    """A search: the values that the crashes must have; None stands for any."""

    signature: str | None = None
    """The whole signature, exactly."""
    product: str | None = None
    version: str | None = None
    """The version of the product."""
    processor_version: str | None = None
    since: date | None = None
    """The first day (UTC) of ``date_processed``."""
    until: date | None = None
    """The last day."""

    def as_filter(self) -> list[dict[str, Any]]:
        terms = {
            "signature.full": self.signature,
            "product": self.product,
            "version": self.version,
            "processing.processor_version": self.processor_version,
        }
        filters: list[dict[str, Any]] = [
            {"term": {f"processed_crash.{name}": value}} for name, value in terms.items() if value is not None
        ]
        days: dict[str, str] = {}
        if self.since is not None:
            days["gte"] = self.since.isoformat()
        if self.until is not None:
            days["lt"] = (self.until + timedelta(days=1)).isoformat()
        return [*filters, {"range": {"processed_crash.date_processed": days}}] if days else filters


def find_crash_ids(
    connection: ElasticsearchConnection, patterns: list[str], query: CrashQuery, page: int = PAGE
) -> Iterator[str]:
    """Yield the ids of all crashes that were there at the beginning, in no order; read a page at a time."""
    client = connection.client
    with connection.translate_errors("begin a search"):
        point = client.open_point_in_time(index=patterns, keep_alive=_KEEP_ALIVE, ignore_unavailable=True).body["id"]
    try:
        after: list[Any] | None = None
        while True:
            with connection.translate_errors("search crashes"):
                answer = client.search(
                    query={"bool": {"filter": query.as_filter()}},
                    pit={"id": point, "keep_alive": _KEEP_ALIVE},
                    sort=["_shard_doc"],
                    search_after=after,
                    size=page,
                    source=False,
                    track_total_hits=False,
                    allow_partial_search_results=False,
                ).body
            point = answer["pit_id"]
            hits = answer["hits"]["hits"]
            if not hits:
                return
            yield from (hit["_id"] for hit in hits)
            after = hits[-1]["sort"]
    finally:
        # If it stays open, it ends on its own.
        with suppress(CrashStorageError), connection.translate_errors("end a search"):
            client.close_point_in_time(id=point)


_SHOWN = ("submitted_timestamp", "date_processed", "product", "version", "signature")


def find_newest(
    connection: ElasticsearchConnection, patterns: list[str], query: CrashQuery, limit: int, page: int = PAGE
) -> Iterator[CrashSummary]:
    """Yield up to ``limit`` crashes that a query finds, the last submitted first; read a page at a time."""
    after: list[Any] | None = None
    while limit > 0:
        with connection.translate_errors("list the newest crashes"):
            hits = connection.client.search(
                index=patterns,
                ignore_unavailable=True,
                query={"bool": {"filter": query.as_filter()}},
                sort=[
                    {"processed_crash.date_processed": {"order": "desc", "unmapped_type": "date"}},
                    {"crash_id": {"order": "desc", "unmapped_type": "keyword"}},
                ],
                search_after=after,
                size=min(page, limit),
                source_includes=[f"processed_crash.{name}" for name in _SHOWN],
                track_total_hits=False,
                allow_partial_search_results=False,
            ).body["hits"]["hits"]
        for hit in hits:
            yield CrashSummary.of_processed(hit["_id"], hit["_source"].get("processed_crash", {}))
        if not hits:
            return
        limit -= len(hits)
        after = hits[-1]["sort"]
