"""Find crashes in the stores of a configuration, for commands and pages.

with closing(CrashSearch(values)) as search:
    crash_ids = list(search.crash_ids(CrashQuery(signature="OOM | small")))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

from socorro_processor.configuration import DotDict, components
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.search.elasticsearch import ElasticsearchSearch
from socorro_processor.search.query import CrashQuery


class CrashSearch:
    """Finds crashes. Raises CrashStorageError if a store is away. Results can be read until ``close``."""

    def __init__(self, values: DotDict) -> None:
        """``values`` is the whole configuration. A store is opened when it is first needed."""
        self._values = values
        self._opened = ExitStack()

    def newest(
        self, limit: int, signature: str | None = None, product: str | None = None
    ) -> tuple[str, Iterator[CrashSummary]]:
        """Return the name of a store, and its newest crashes as ``CrashStorageBase.newest`` has them.

        It is the destination or, if that cannot list its crashes, the source. Raises SocorroError if neither can.
        """
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

        Asks the first Elasticsearch of the destination. Raises ConfigurationError if there is none.
        """
        for _, section in components(self._values.destination, ESCrashStorage):
            return self._opened.enter_context(closing(ElasticsearchSearch(section))).crash_ids(query)
        raise ConfigurationError("cannot search for crashes: no store of the destination is an Elasticsearch")

    def close(self) -> None:
        self._opened.close()
