"""The sources of the pages that show many crashes: the search index, and the table of fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from socorro_processor import crash_id
from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError, CrashStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.layout import counted
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.crash_search import NO_INDEX, CrashSearch
from socorro_processor.search.results import IndexState


@dataclass(frozen=True)
class SearchSources:
    """An index, and what else the pages are made from. Threads may share it."""

    index_or_none: CrashIndex | None
    fields: FieldTable
    today: Callable[[], date] = crash_id.today
    """Returns the day (UTC)."""

    @classmethod
    def of(cls, values: DotDict, search: CrashSearch) -> SearchSources:
        """Return the sources of a whole configuration. Raises ConfigurationError."""
        return cls(search.index_or_none(), FieldTable.of(values.web))

    def notices(self) -> list[str]:
        """Return what the index lacks, for people; nothing if it has all crashes."""
        return lacks_of(self.index.state())

    def is_without_index_yet(self) -> bool:
        """Return True if the first crash will make the index: until then nothing is wrong."""
        if self.index_or_none is None:
            return False
        try:
            return not self.index_or_none.state().exists
        except CrashStorageError:
            return False

    @property
    def index(self) -> CrashIndex:
        """Raises ConfigurationError if the configuration has no index."""
        if self.index_or_none is None:
            raise ConfigurationError(f"this page needs a search index: {NO_INDEX}")
        return self.index_or_none


def lacks_of(state: IndexState) -> list[str]:
    """Return what an index in this state lacks, for people; nothing if it has all crashes."""
    waiting = f"{counted(state.waiting, 'crash waits', 'crashes wait')} to be written into the search index."
    return [*([state.problem] if state.problem else []), *([waiting] if state.waiting else [])]
