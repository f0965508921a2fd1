"""The answer to a request for a page: a status of HTTP, and HTML. Also pages that say why there is nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashQueueError,
    CrashStorageError,
    DumpsRemoved,
    InvalidCrashID,
    QueryError,
    SocorroError,
)
from socorro_processor.web.pages.filter_bar import FilterBar
from socorro_processor.web.pages.rendering import Pages


class Answer(NamedTuple):
    status: int
    html: str


def message_page(
    pages: Pages,
    status: int,
    title: str,
    words: Sequence[str],
    *,
    links: Sequence[tuple[str, str]] = (),
    filters: FilterBar | None = None,
    reload_after: int = 0,
) -> Answer:
    """Return a page that says why there is nothing else.

    ``links`` are words and addresses, ``filters`` those of the address, to be mended; after ``reload_after`` seconds,
    if that is not 0, the page loads itself again.
    """
    html = pages.render(
        "message.html", title=title, words=words, links=links, filters=filters, reload_after=reload_after
    )
    return Answer(status, html)


def failure_page(pages: Pages, error: SocorroError) -> Answer:
    """Return the page that says why something cannot be shown."""
    status, title = status_of(error)
    return message_page(pages, status, title, [str(error)])


def status_of(error: SocorroError) -> tuple[int, str]:
    """Return the status of HTTP for an error of a store, a queue or a search, and a title in words."""
    if isinstance(error, InvalidCrashID):
        return 404, "Not a crash id"
    if isinstance(error, DumpsRemoved):
        return 410, "The dump was removed"
    if isinstance(error, CrashIDNotFound):
        return 404, "There is no such crash"
    if isinstance(error, CrashStorageError) and error.transient:
        return 503, "A store is away"
    if isinstance(error, CrashQueueError):
        return 503, "The queue is away"
    if isinstance(error, QueryError):
        return 400, "This cannot be searched"
    if isinstance(error, ConfigurationError):
        return 503, "There is no search index"
    return 500, "The crash cannot be read"
