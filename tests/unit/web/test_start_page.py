"""The page / while there is no crash: it says how to send one, and where those are that were sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError
from socorro_processor.fields import FieldTable
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.top.start_page import ArrivalSources
from socorro_processor.web.top.top_page import top_page
from tests.unit.web.crash_pages import EVERYTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import TODAY, crashes_in
from tests.unit.web.top_pages import ORIGIN, listed, spool_of

OpenQueue = Callable[[], AbstractContextManager[CrashQueueBase]]


@pytest.fixture
def queue(tmp_path: Path) -> OpenQueue:
    return lambda: closing(SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"))))


@pytest.fixture
def no_index(tmp_path: Path) -> Iterator[SearchSources]:
    """An index that nothing was written to yet."""
    with SQLiteCrashIndex(tmp_path / "search", FieldTable()) as index:
        yield SearchSources(index, FieldTable(), lambda: TODAY)


def page_of(
    sources: SearchSources,
    queue: OpenQueue,
    spool: CollectorStatus | None = None,
    query: str = "",
    *,
    has_crashes: bool = True,
) -> Element:
    arrivals = ArrivalSources(lambda: has_crashes, lambda: spool or spool_of(), queue)
    answer = top_page(pages(), sources, arrivals, query.encode(), ORIGIN, EVERYTHING)
    assert answer.status == 200
    return read_html(answer.html)


def reloads(page: Element) -> list[str]:
    return [each.attributes["content"] for each in page.all("meta", **{"http-equiv": "refresh"})]


def on_the_way(page: Element) -> list[str]:
    return [each.text for list_ in page.all("ul", class_="on-the-way") for each in list_.all("li")]


def test_a_new_server_says_how_to_send_the_first_crash_and_waits_for_it(no_index, queue):
    page = page_of(no_index, queue, has_crashes=False)

    assert page.one("h1").text == "No crashes yet"
    commands = [each.text for each in page.all("pre")]
    assert commands == [
        "curl --fail-with-body -F upload_file_minidump=@crash.dmp -F ProductName=Example -F Version=1.0 "
        "http://127.0.0.1:8000/submit",
        "http://127.0.0.1:8000/submit",
    ]
    assert "docs/collector.rst" in page.one("main").text
    assert reloads(page) == ["5"]
    # That the first crash makes the index is nothing to mend.
    assert not page.all("p", class_="notice")
    assert on_the_way(page) == []


def test_crashes_that_wait_are_told(no_index, queue):
    with queue() as opened:
        for number in range(3):
            opened.submit(f"0bba61c5-dfc3-43e7-dead-8afd2016112{number}")

    page = page_of(no_index, queue, spool_of(1, waits_for="the disk of the store is full"))

    assert page.one("h1").text == "No crashes to show"
    assert on_the_way(page) == [
        "1 crash is in the spool, on the way to store and queue: the disk of the store is full.",
        "3 crashes wait in the queue, to be processed.",
    ]
    assert "/queues" in [each.attributes["href"] for each in page.one("main").all("a")]


def test_crashes_that_were_set_aside_are_told(no_index, queue):
    with queue() as opened:
        opened.submit("0bba61c5-dfc3-43e7-dead-8afd20161124")
        delivery = next(each for each in opened.new_crashes() if each)
        opened.park(delivery, "the reason")

    assert on_the_way(page_of(no_index, queue)) == ["1 crash was set aside, because processing failed."]


def test_a_queue_that_is_away_and_a_spool_that_fails_are_told(no_index):
    def away() -> AbstractContextManager[CrashQueueBase]:
        raise CrashQueueError("cannot reach the queue: nobody listens")

    page = page_of(no_index, away, spool_of(failing="its disk is full"))

    assert on_the_way(page) == [
        "No crash can be taken now: its disk is full.",
        "How many crashes wait in the queue is not known: cannot reach the queue: nobody listens",
    ]


def test_an_index_that_was_never_built_beside_crashes_is_said_to_be_missing(no_index, queue):
    page = page_of(no_index, queue)

    assert "socorro search index makes it" in page.one("p", class_="notice").text
    assert "none is in the search index" in page.one("main").text


def test_the_first_crash_ends_it(tmp_path, queue):
    with crashes_in(tmp_path / "search") as crashes:
        assert reloads(page_of(crashes.sources, queue, query="product=Lightbox", has_crashes=False)) == ["5"]

        crashes.save()

        page = page_of(crashes.sources, queue)
        assert reloads(page) == []
        assert [row.crashes for row in listed(page)] == [1]
        # Crashes that a filter leaves out are crashes.
        assert reloads(page_of(crashes.sources, queue, query="product=Nothing")) == []


def test_an_empty_index_that_may_lack_crashes_is_said_to(tmp_path, queue):
    with crashes_in(tmp_path / "search") as crashes:
        IndexDirectory(tmp_path / "search").mark_incomplete()

        assert "may lack crashes" in page_of(crashes.sources, queue).one("p", class_="notice").text


def test_without_an_index_in_the_configuration_the_page_says_so_and_does_not_wait(queue):
    page = page_of(SearchSources(None, FieldTable()), queue)

    assert "no store of the destination is a search index" in page.one("p", class_="notice").text
    assert reloads(page) == []
    assert page.all("pre")
