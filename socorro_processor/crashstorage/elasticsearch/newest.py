"""Find the newest crashes in Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.newest import CrashSummary

PAGE = 1000
"""Crashes in one answer."""

_SHOWN_FIELDS = ("submitted_timestamp", "date_processed", "product", "version", "signature")


def find_newest(
    connection: ElasticsearchConnection,
    patterns: list[str],
    limit: int,
    signature: str | None = None,
    product: str | None = None,
    page: int = PAGE,
) -> Iterator[CrashSummary]:
    """Yield up to ``limit`` crashes, the last submitted first, reading a page at a time."""
    after: list[Any] | None = None
    while limit > 0:
        with connection.translate_errors("list the newest crashes"):
            hits = connection.client.search(
                index=patterns,
                ignore_unavailable=True,
                query={"bool": {"filter": matching({"signature.full": signature, "product": product})}},
                sort=[
                    {"processed_crash.date_processed": {"order": "desc", "unmapped_type": "date"}},
                    {"crash_id": {"order": "desc", "unmapped_type": "keyword"}},
                ],
                search_after=after,
                size=min(page, limit),
                source_includes=[f"processed_crash.{name}" for name in _SHOWN_FIELDS],
                track_total_hits=False,
                allow_partial_search_results=False,
            ).body["hits"]["hits"]
        for hit in hits:
            yield CrashSummary.of_processed(hit["_id"], hit["_source"].get("processed_crash", {}))
        if not hits:
            return
        limit -= len(hits)
        after = hits[-1]["sort"]


def matching(values: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Return filters for the crashes whose processed crash has these values; None stands for any."""
    return [{"term": {f"processed_crash.{name}": value}} for name, value in values.items() if value is not None]
