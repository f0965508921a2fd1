"""Say why no page of many crashes can be shown: the search index is away, or there is none yet."""

from __future__ import annotations

from socorro_processor.errors import CrashStorageError
from socorro_processor.web.rendering import Pages
from socorro_processor.web.report_page import Answer
from socorro_processor.web.search_sources import SearchSources

_NONE_YET = (
    "The first crash that is processed makes the search index, and none has been written into it yet.",
    "If the store has crashes from before, `socorro search index` builds the index from them.",
)
_LINKS = (("Send a crash", "/"), ("See what is in work", "/queues"))


def index_away_page(pages: Pages, sources: SearchSources, error: CrashStorageError) -> Answer:
    """Return the page for a search that failed."""
    if sources.is_without_index_yet():
        html = pages.render(
            "message.html", title="No crashes to show yet", words=_NONE_YET, links=_LINKS, reload_after=0
        )
        return Answer(200, html)
    return Answer(
        503, pages.render("message.html", title="The search index is away", words=[str(error)], reload_after=0)
    )
