"""The pages of the signatures that crash most, and of two versions, of crashes in an index of the tests."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.web.pages.address import read_address
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.top.start_page import ArrivalSources
from socorro_processor.web.top.top_page import top_page
from tests.unit.web.crash_pages import EVERYTHING, pages
from tests.unit.web.html_tree import Element, read_html
from tests.unit.web.signature_crashes import Crashes

ORIGIN = "http://127.0.0.1:8000"


def spool_of(crashes: int = 0, waits_for: str = "", failing: str = "") -> CollectorStatus:
    return CollectorStatus(crashes, 0, 0.0, 0, 0, 0, failing, waits_for)


def no_queue() -> AbstractContextManager[CrashQueueBase]:
    raise AssertionError("nobody needs the queue while there are crashes to show")


NOTHING_ARRIVES = ArrivalSources(lambda: True, spool_of, no_queue)


def answer_of(crashes: Crashes, query: str = "", viewer: Viewer = EVERYTHING) -> Answer:
    return top_page(pages(), crashes.sources, NOTHING_ARRIVES, query.encode(), ORIGIN, viewer)


def page_of(crashes: Crashes, query: str = "", viewer: Viewer = EVERYTHING) -> Element:
    answer = answer_of(crashes, query, viewer)
    page = read_html(answer.html)
    assert answer.status == 200, page.one("main").text
    return page


class Listed(NamedTuple):
    """A row of the page."""

    rank: int
    change: str
    signature: str
    crashes: int
    share: str
    difference: str
    installations: int
    systems: dict[str, str]
    """The share of each."""
    seen: str


def listed(page: Element) -> list[Listed]:
    rows = []
    for table in page.all("table", class_="top-crashes"):
        for row in table.one("tbody").all("tr"):
            cells = {name: row.one(class_=name).text for name in Listed._fields if row.all(class_=name)}
            rows.append(
                Listed(
                    int(cells["rank"]),
                    row.one("td", class_="change").all("span")[0].text,
                    row.one("th").text,
                    _number(cells["crashes"]),
                    row.one("td", class_="share-of").text,
                    cells["difference"],
                    _number(cells["installations"].removeprefix("installations")),
                    dict(each.text.rsplit(" ", 1) for each in row.one(class_="systems").all("a")),
                    cells["seen"],
                )
            )
    return rows


def filters_of(address: str) -> dict[str, str]:
    """Return the parts of an address behind its question mark."""
    path, _, query = address.partition("?")
    return dict(read_address(path, query.encode()).parts())


def _number(text: str) -> int:
    return int(text.replace(",", ""))
