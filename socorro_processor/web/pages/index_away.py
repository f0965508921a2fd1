"""Say why no page of many crashes can be shown: the search index is away, or there is none yet."""

from __future__ import annotations

from socorro_processor.errors import CrashStorageError
from socorro_processor.web.pages.answer import Answer, message_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources

_NONE_YET = (
    "The first crash that is processed makes the search index, and none has been written into it yet.",
    "If the store has crashes from before, `socorro search index` builds the index from them.",
)
_LINKS = (("Send a crash", "/"), ("See what is in work", "/queues"))


def index_away_page(pages: Pages, sources: SearchSources, error: CrashStorageError) -> Answer:
    """Return the page for a search that failed."""
    if sources.is_without_index_yet():
        return message_page(pages, 200, "No crashes to show yet", _NONE_YET, links=_LINKS)
    return message_page(pages, 503, "The search index is away", [str(error)])
