"""``POST /report/ID/reprocess``, through the whole application: who may, what is queued, what is said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.configuration import DotDict, defaults
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import CrashStorageBase, RawCrash
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashQueueError,
    SocorroError,
    TransientStorageError,
)
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.health import Health
from socorro_processor.serialization import Note, ignore
from socorro_processor.web.application import application
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.probes import Probes
from socorro_processor.web.report.report_routes import report_routes
from socorro_processor.web.report.reprocessing import Reprocessing
from tests.asgi import Answer, ask
from tests.unit.cli.reports import CRASH_ID, frame, processed
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, OneCrash, pages, sources
from tests.unit.web.html_tree import Element, read_html
from tests.viewers import OPEN, SeenBy

ORIGIN = {"Origin": "http://127.0.0.1:8000"}
PATH = f"/report/{CRASH_ID}/reprocess"
AUDIT_FILE = "audit.log"


class Site:
    """The pages of one crash, a queue, and an audit file."""

    def __init__(
        self,
        directory: Path,
        audit: AuditLog,
        store: CrashStorageBase | None = None,
        viewer: Viewer = EVERYTHING,
        failure: SocorroError | None = None,
    ) -> None:
        self._queue_path = directory / "queue.sqlite"
        self._failure = failure
        self.audit_path = directory / AUDIT_FILE
        store = store or OneCrash(processed(frame(function="f")), {"ProductName": "Player"})
        reprocessing = Reprocessing(self._connect, audit)
        self.routes = list(report_routes(pages(), sources(store), reprocessing))
        rules = OPEN if viewer is EVERYTHING else replace(OPEN, everyone=viewer.permissions, is_open=False)
        self.app: ASGIApp = application(_no_submissions, Probes(Health(), dict), rules, self.routes)

    def _connect(self) -> CrashQueueBase:
        if self._failure:
            raise self._failure
        return SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(self._queue_path)))

    def queued(self) -> list[tuple[str, str]]:
        """Take all crashes from the queue; return their ids and queues."""
        with closing(SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(self._queue_path)))) as queue:
            taken = []
            for delivery in queue.new_crashes():
                if delivery is None:
                    return taken
                taken.append((delivery.crash_id, delivery.queue))
                queue.ack(delivery)
        raise AssertionError("new_crashes ended")

    def audited(self) -> list[str]:
        return self.audit_path.read_text().splitlines()

    def press(self, path: str = PATH, **headers: str) -> Answer:
        """Open the page and send its form, as a browser does."""
        page = ask(self.app, f"/report/{CRASH_ID}")
        token = read_html(page.text).one("form", action=PATH).one("input").attributes["value"]
        return self.send({"csrf_token": token}, page.header("Set-Cookie").partition(";")[0], path, **headers)

    def send(self, form: dict[str, str], cookie: str, path: str = PATH, **headers: str) -> Answer:
        all_headers = {**ORIGIN, "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", **headers}
        return ask(self.app, path, "POST", all_headers, urlencode(form).encode())

    def page(self, query: str = "") -> Element:
        return read_html(ask(self.app, f"/report/{CRASH_ID}{query}").text)


NewSite = Callable[..., Site]


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[NewSite]:
    config = DotDict({"audit_file": str(tmp_path / AUDIT_FILE), "format": "json"})
    with closing(AuditLog(config, needs_file=False)) as audit:
        yield partial(Site, tmp_path, audit)


class OnlyThatCrash(OneCrash):
    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        if crash_id != CRASH_ID:
            raise CrashIDNotFound(f"there is no {crash_id}")
        return super().get_raw_crash(crash_id, note)


async def _no_submissions(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nothing is submitted")


def notices(page: Element) -> str:
    return " ".join(each.text for each in page.all("p", class_="notice"))


def test_the_button_queues_the_crash_and_the_page_says_so(new_site: NewSite) -> None:
    site = new_site()

    answer = site.press()

    assert (answer.status, answer.header("Location")) == (303, f"/report/{CRASH_ID}?queued")
    assert site.queued() == [(CRASH_ID, "reprocessing")]
    assert "in the queue to be processed again" in notices(site.page("?queued"))
    assert "in the queue" not in notices(site.page())


def test_the_audit_has_a_line_with_who_queued_which_crash(new_site: NewSite) -> None:
    site = new_site()

    site.press()

    (line,) = site.audited()
    assert f"{CRASH_ID} was queued for reprocessing" in line
    assert '"by":' in line.replace('": ', '":')


def test_a_second_click_does_no_harm(new_site: NewSite) -> None:
    site = new_site()

    assert [site.press().status, site.press().status] == [303, 303]
    assert set(site.queued()) == {(CRASH_ID, "reprocessing")}


@pytest.mark.parametrize("origin", ["http://example.com", "null", ""])
def test_another_site_queues_nothing(new_site: NewSite, origin: str) -> None:
    site = new_site()

    assert site.press(Origin=origin).status == 403
    assert site.queued() == []


def test_a_request_without_the_token_of_a_page_queues_nothing(new_site: NewSite) -> None:
    site = new_site()

    assert site.send({}, "").status == 403
    assert site.send({"csrf_token": "x"}, "socorro_session=a.b").status == 403
    assert site.queued() == []


def test_an_address_that_is_only_opened_queues_nothing(new_site: NewSite) -> None:
    site = new_site()

    assert ask(site.app, PATH).status == 405
    assert site.queued() == []


def test_who_may_not_process_a_crash_again_has_no_button_and_is_refused(new_site: NewSite) -> None:
    site = new_site(viewer=NOTHING)

    assert site.page().all("form", action=PATH) == []
    # Behind the guards, because only the button would hold a token for them.
    answer = ask(SeenBy(Starlette(routes=site.routes), replace(NOTHING, name="ada")), PATH, "POST")

    assert (answer.status, "needs the permission actions" in answer.text) == (403, True)
    assert site.queued() == []


@pytest.mark.parametrize("failure", [CrashQueueError("the broker is away"), ConfigurationError("no such vhost")])
def test_a_queue_that_is_away_is_said_with_its_words(new_site: NewSite, failure: SocorroError) -> None:
    site = new_site(failure=failure)

    answer = site.press()

    assert answer.status == 503
    assert "The queue is away" in answer.text
    assert str(failure) in answer.text
    assert site.audited() == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/report/0bba61c5-dfc3-43e7-dead-8afd20161199/reprocess", 404),
        ("/report/nothing/reprocess", 404),
        (f"/report/BP-{CRASH_ID.upper()}/reprocess", 303),
    ],
)
def test_only_a_crash_that_is_in_the_store_is_queued(new_site: NewSite, path: str, status: int) -> None:
    site = new_site(OnlyThatCrash(processed(frame(function="f")), {"ProductName": "Player"}))

    assert site.press(path).status == status
    assert site.queued() == ([(CRASH_ID, "reprocessing")] if status == 303 else [])


def test_a_crash_whose_annotations_are_gone_is_not_queued(new_site: NewSite) -> None:
    site = new_site(OneCrash(processed(frame(function="f")), None))

    assert site.press().status == 404
    assert site.queued() == []


def test_a_store_that_is_away_is_said_and_nothing_is_queued(new_site: NewSite) -> None:
    site = new_site(OneCrash(processed(frame(function="f")), TransientStorageError("the bucket is away")))

    answer = site.press()

    assert (answer.status, "the bucket is away" in answer.text) == (503, True)
    assert site.queued() == []


def test_a_crash_is_queued_also_if_the_audit_file_is_full_and_the_log_says_so(
    new_site: NewSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = new_site()
    site.audit_path.unlink()
    site.audit_path.mkdir()

    with caplog.at_level(logging.ERROR):
        answer = site.press()

    assert answer.status == 303
    assert site.queued() == [(CRASH_ID, "reprocessing")]
    assert f"the audit file lacks a line: crash {CRASH_ID}" in caplog.text
