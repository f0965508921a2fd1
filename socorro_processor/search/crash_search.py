"""Find crashes in the stores of a configuration, for commands and pages.

with closing(CrashSearch(values)) as search:
    crash_ids = list(search.crash_ids(CrashQuery(signature="OOM | small")))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

from socorro_processor.configuration import DotDict, components
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.fields import FieldTable
from socorro_processor.fields.searchable import DATE
from socorro_processor.search.base import MAXIMUM_PAGE, CrashIndex
from socorro_processor.search.elasticsearch import ElasticsearchSearch
from socorro_processor.search.filters import Filter
from socorro_processor.search.query import CrashQuery, filters_of
from socorro_processor.search.sqlite.crashstorage import HasSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

NO_INDEX = (
    "no store of the destination is a search index: IndexedFileSystemCrashStorage has one, and SQLiteSearchIndex is "
    "one, beside other stores of a PolyCrashStorage"
)


class CrashSearch:
    """Finds crashes. Raises CrashStorageError if a store is away. Results can be read until ``close``."""

    def __init__(self, values: DotDict) -> None:
        """``values`` is the whole configuration. A store is opened when it is first needed."""
        self._values = values
        self._opened = ExitStack()
        self._index: CrashIndex | None = None

    def newest(
        self, limit: int, signature: str | None = None, product: str | None = None
    ) -> tuple[str, Iterator[CrashSummary]]:
        """Return the name of a store, and its newest crashes as ``CrashStorageBase.newest`` has them.

        With a ``signature`` or a ``product`` it is the search index, if there is one that has all crashes. Otherwise
        it is the destination or, if that cannot list its crashes, the source. Raises SocorroError if neither can.
        """
        if (signature, product) != (None, None) and (index := self.index_or_none()):
            state = index.state()
            if not (state.problem or state.waiting):
                return state.place, _summaries(index, limit, signature, product)
        reasons: list[str] = []
        for name in ("destination", "source"):
            section = self._values[name]
            store = self._opened.enter_context(closing(section.crashstorage_class(section)))
            if store.can("newest"):
                return str(store), store.newest(limit, signature, product)
            reasons.append(f"{name}: {type(store).__name__} does not list its newest crashes")
        raise SocorroError(
            f"cannot list the newest crashes: {'; '.join(reasons)}. FileSystemCrashStorage, "
            "PostgreSQLCrashStorage and ESCrashStorage list theirs"
        )

    def crash_ids(self, query: CrashQuery) -> Iterator[str]:
        """Return the ids of all processed crashes that match, in no order; those of the last second may be missing.

        Asks the first Elasticsearch of the destination or, without one, its search index. Raises ConfigurationError if
        there is neither.
        """
        for _, section in components(self._values.destination, ESCrashStorage):
            return self._opened.enter_context(closing(ElasticsearchSearch(section))).crash_ids(query)
        if index := self.asked_index():
            return index.crash_ids(filters_of(query, index.fields()))
        raise ConfigurationError(
            f"cannot search for crashes: no store of the destination is an Elasticsearch, and {NO_INDEX}"
        )

    def asked_index(self) -> CrashIndex | None:
        """Return the index that ``crash_ids`` asks; None if it asks an Elasticsearch, or nothing."""
        has_elasticsearch = any(components(self._values.destination, ESCrashStorage))
        return None if has_elasticsearch else self.index_or_none()

    def index(self) -> CrashIndex:
        """Return the search index of the destination. Raises ConfigurationError if there is none."""
        if index := self.index_or_none():
            return index
        raise ConfigurationError(f"cannot search for crashes: {NO_INDEX}")

    def index_or_none(self) -> CrashIndex | None:
        if self._index is None and (place := index_place(self._values)):
            path, section = place
            self._index = self._opened.enter_context(closing(SQLiteCrashIndex(path, FieldTable.of(section))))
        return self._index

    def close(self) -> None:
        self._opened.close()


_SUMMARY = ("submitted_timestamp", DATE, "product", "version", "signature")


def _summaries(index: CrashIndex, limit: int, signature: str | None, product: str | None) -> Iterator[CrashSummary]:
    values = {"signature": signature, "product": product}
    filters = [Filter(name, "is", (value,)) for name, value in values.items() if value is not None]
    after: str | None = None
    while limit > 0:
        page = index.find(filters, fields=_SUMMARY, limit=min(limit, MAXIMUM_PAGE), after=after)
        for crash in page.crashes:
            moments = {
                name: moment.isoformat() for name, moment in crash.fields.items() if isinstance(moment, datetime)
            }
            yield CrashSummary.of_processed(crash.crash_id, {**crash.fields, **moments})
        limit -= len(page.crashes)
        if (after := page.next) is None:
            return


def index_place(values: DotDict) -> tuple[Path, DotDict] | None:
    """Return the directory and the section of the first search index of the destination; None if there is none."""
    for store_class, section in components(values.destination, HasSearchIndex):
        return store_class.index_directory(section), section
    return None
