"""A server that no crash has reached: its pages say so, and do not speak of failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette

from socorro_processor.configuration import DotDict, defaults
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import TransientStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.monitoring.metrics import Metrics
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from socorro_processor.web.any_crash import has_crashes
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import ALL
from socorro_processor.web.search.search_routes import search_routes
from socorro_processor.web.signature.signature_page import signature_page
from socorro_processor.web.top.compare_page import compare_page
from tests.asgi import ask
from tests.unit.web.html_tree import Element, read_html
from tests.viewers import SeenBy

VIEWER = ALL
PAGES = ["/search", "/compare", "/signature"]


class Away(CrashStorageBase):
    """A store that does not answer."""

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[Any]:
        raise TransientStorageError("the store is away")


class LockedIndex(SQLiteCrashIndex):
    """An index that does not answer."""

    def state(self) -> Any:
        raise TransientStorageError("the index is locked")

    def _take(self) -> Any:
        raise TransientStorageError("the index is locked")


def any_crash(source: CrashStorageBase, spooled: int = 0) -> bool:
    collector: Any = SimpleNamespace(status=lambda: SimpleNamespace(crashes=spooled))
    return has_crashes(collector, None, source, Metrics())


def answer_of(index: SQLiteCrashIndex, path: str) -> tuple[int, Element]:
    sources = SearchSources(index, FieldTable(), lambda: date(2026, 11, 30))
    if path == "/compare":
        status, html = compare_page(Pages(), sources, b"", VIEWER)
    elif path == "/signature":
        status, html = signature_page(Pages(), sources, b"signature=x", VIEWER)
    else:
        answer = ask(SeenBy(Starlette(routes=list(search_routes(Pages(), sources))), VIEWER), path)
        status, html = answer.status, answer.text
    return status, read_html(html)


def test_a_store_that_was_not_made_yet_has_no_crash_and_one_that_is_away_may_have_some(tmp_path):
    options = defaults(FileSystemCrashStorage, root=str(tmp_path / "nowhere"))
    with closing(FileSystemCrashStorage(options)) as store:
        assert not any_crash(store)
        assert any_crash(store, spooled=1)
    assert any_crash(Away(DotDict()))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_many_crashes_says_that_there_is_none_yet_and_where_to_send_one(tmp_path, path):
    with SQLiteCrashIndex(tmp_path / "search", FieldTable()) as index:
        status, page = answer_of(index, path)
    assert (status, page.one("h1").text) == (200, "No crashes to show yet")
    assert {"/", "/queues"} <= {link.attributes["href"] for link in page.one("main").all("a")}


@pytest.mark.parametrize("path", PAGES)
def test_an_index_that_fails_is_not_taken_for_an_empty_one(tmp_path, path):
    with LockedIndex(tmp_path / "search", FieldTable()) as index:
        status, page = answer_of(index, path)
    assert (status, page.one("h1").text) == (503, "The search index is away")
    assert "the index is locked" in page.text
