"""Find crashes in Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.elasticsearch.newest import matching
from socorro_processor.errors import CrashStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.search.field_filters import field_filter
from socorro_processor.search.query import CrashQuery

PAGE = 1000
"""The number of crash ids in one answer."""

_KEEP_ALIVE = "5m"
"""How long a reader may take for one page."""


class ElasticsearchSearch:
    """Searches the indexes of an ESCrashStorage, with the options of that store."""

    def __init__(self, config: DotDict) -> None:
        self._connection: ElasticsearchConnection = config.elasticsearch_class(config)
        self._table = FieldTable.of(config)
        self._patterns: list[str] = config.index_creator_class(config, self._connection).patterns()

    def crash_ids(self, query: CrashQuery, page: int = PAGE) -> Iterator[str]:
        """Yield the ids of all matching crashes at the time of the call, in no order; read a page at a time.

        Raises ConfigurationError if a field of the query cannot be searched.
        """
        filters = [*_filters(query), *(field_filter(self._table, name, text) for name, text in query.fields)]
        connection, client = self._connection, self._connection.client
        with connection.translate_errors("begin a search"):
            point = client.open_point_in_time(
                index=self._patterns, keep_alive=_KEEP_ALIVE, ignore_unavailable=True
            ).body["id"]
        try:
            after: list[Any] | None = None
            while True:
                with connection.translate_errors("search crashes"):
                    answer = client.search(
                        query={"bool": {"filter": filters}},
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
            # A point in time that stays open expires.
            with suppress(CrashStorageError), connection.translate_errors("end a search"):
                client.close_point_in_time(id=point)

    def close(self) -> None:
        self._connection.close()


def _filters(query: CrashQuery) -> list[dict[str, Any]]:
    filters = matching(
        {
            "signature.full": query.signature,
            "product": query.product,
            "version": query.version,
            "processing.processor_version": query.processor_version,
        }
    )
    days: dict[str, str] = {}
    if query.since is not None:
        days["gte"] = query.since.isoformat()
    if query.until is not None:
        days["lt"] = (query.until + timedelta(days=1)).isoformat()
    return [*filters, {"range": {"processed_crash.date_processed": days}}] if days else filters
