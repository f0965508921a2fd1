"""Elasticsearch loses its template and indexes, as if its cluster were replaced by an empty one."""

from __future__ import annotations

from typing import Any

from elasticsearch import NotFoundError
from elasticsearch.helpers import scan

from socorro_processor.crash_id import crash_date
from socorro_processor.crashstorage.elasticsearch.mapping import META
from socorro_processor.errors import CrashIDNotFound
from tests.integration.elasticsearch_indexes import Indexes


class ReplacedCluster:
    """The indexes of a run, and the content of deleted ones."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        self._gone: dict[str, dict[str, Any]] = {}
        """The latest processed crash of each crash id that was deleted with an index."""
        self._foreign: list[str] = []

    def replace(self) -> None:
        """Delete template and indexes. Writes are refused while their content is read."""
        client = self._indexes.client
        client.cluster.health(wait_for_status="yellow", timeout="60s")
        client.options(ignore_status=404).indices.delete_index_template(name=self._indexes.template)
        self._note_foreign()
        self._note_saved()
        for index in self._indexes.mappings():
            client.indices.put_settings(index=index, settings={"index.blocks.write": True})
        self._note_saved()
        self._indexes.replace()

    def processed(self, crash_id: str) -> dict[str, Any]:
        """Read with its own client, because the store only searches."""
        index = crash_date(crash_id).strftime(self._indexes.pattern)
        try:
            processed: dict[str, Any] = self._indexes.client.get(index=index, id=crash_id)["_source"]["processed_crash"]
        except NotFoundError:
            if crash_id not in self._gone:
                raise CrashIDNotFound(crash_id) from None
            return self._gone[crash_id]
        return processed

    def out_of_order(self) -> list[str]:
        """Return the indexes that were made without the template, deleted ones too."""
        self._note_foreign()
        return [f"index {index} of Elasticsearch was made without the template" for index in self._foreign]

    def _note_saved(self) -> None:
        self._indexes.refresh()
        found = scan(self._indexes.client, index=f"{self._indexes.template}-*", _source=["processed_crash"])
        # Also of those that were gone before: they may have been processed again.
        self._gone.update((hit["_id"], hit["_source"]["processed_crash"]) for hit in found)

    def _note_foreign(self) -> None:
        for index, mappings in self._indexes.mappings().items():
            if META not in mappings.get("_meta", {}) or mappings.get("dynamic") != "false":
                self._foreign.append(index)
