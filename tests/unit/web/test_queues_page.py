"""/queues says what the queue says, and its forms do what they say, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError, TransientStorageError
from socorro_processor.monitoring.health import Health
from socorro_processor.web.application import application
from socorro_processor.web.minute_rates import MinuteRates
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.viewer import ALL
from socorro_processor.web.probes import Probes
from socorro_processor.web.queues.component_checks import ComponentChecks
from socorro_processor.web.queues.queue_sources import QueueSources
from socorro_processor.web.queues.queues_page import QueuesRequest, queues_page
from socorro_processor.web.queues.queues_routes import queues_routes
from socorro_processor.web.queues.set_aside import kind_of
from socorro_processor.web.server_parts import ProcessorState
from tests.asgi import Answer, ask
from tests.unit.web.html_tree import Element, read_html
from tests.viewers import OPEN

CRASH = "0bba61c5-dfc3-43e7-dead-8afd2016112{}"
ORIGIN = {"Origin": "http://127.0.0.1:8000"}
NO_SPOOL = CollectorStatus(0, 0, 0.0, 256 << 20, 256 << 20, 0, "", "")


class Site:
    """A queue, its page, and what was written to the audit."""

    def __init__(self, path: Path, spool: CollectorStatus = NO_SPOOL) -> None:
        self.path = path
        self.audit: list[tuple[str, dict[str, str]]] = []
        self.cookie = ""
        self.rates = MinuteRates()
        self.sources = QueueSources(
            self.open,
            "SQLiteCrashQueue",
            lambda: spool,
            self.rates,
            lambda: ProcessorState(True, 4711),
            ComponentChecks({}),
            lambda words, fields: self.audit.append((words, dict(fields))),
        )
        self.app: ASGIApp = application(
            _submit, Probes(Health(), dict), OPEN, list(queues_routes(Pages(), self.sources))
        )

    def open(self) -> CrashQueueBase:
        return SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(self.path)))

    def park(self, *crash_ids: str, reason: str = "the reason", reject: bool = False) -> None:
        with closing(self.open()) as queue:
            for crash_id in crash_ids:
                queue.submit(crash_id)
                delivery = next(each for each in queue.new_crashes() if each)
                (queue.reject if reject else queue.park)(delivery, reason)

    def page(self, query: str = "") -> Element:
        answer = ask(self.app, f"/queues{query}", headers={"Cookie": self.cookie})
        assert answer.status == 200
        # A session begins with the first page.
        self.cookie = answer.header("Set-Cookie").partition(";")[0] or self.cookie
        return read_html(answer.text)

    def form(self, page: Element, words: str, which: int = 0) -> Element:
        """Return one of the forms whose button has these words."""
        return [form for form in page.all("form") if form.one("button").text == words][which]

    def fields(self, form: Element) -> dict[str, str]:
        return {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}

    def send(self, form: Element) -> Answer:
        headers = {**ORIGIN, "Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(self.fields(form)).encode()
        return ask(self.app, form.attributes["action"], "POST", headers, body)

    def notice(self, answer: Answer) -> str:
        assert answer.status == 303
        return self.page(f"?{urlsplit(answer.header('location')).query}").one(role="status").text

    def state(self) -> tuple[int, int, int]:
        """Return the numbers of crashes that wait, are parked and are rejected."""
        with closing(self.open()) as queue:
            depths = queue.depths()
            return sum(each.waiting for each in depths.queues.values()), depths.parked, depths.rejected


async def _submit(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nothing is submitted")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "queue.sqlite")


def crash_ids(number: int) -> list[str]:
    return [CRASH.format(each) for each in range(number)]


def test_the_numbers_of_each_queue_are_those_of_the_queue(site):
    with closing(site.open()) as queue:
        for crash_id, name in zip(
            crash_ids(5), ("priority", "normal", "normal", "normal", "reprocessing"), strict=True
        ):
            queue.submit(crash_id, name)
    rows = [row.text.split()[:4] for row in site.page().one("table", class_="numbers").one("tbody").all("tr")]
    assert rows == [["priority", "1", "0", "0"], ["normal", "3", "0", "0"], ["reprocessing", "1", "0", "0"]]


def test_a_crash_in_work_is_listed_with_its_process(site):
    with closing(site.open()) as queue:
        queue.submit(CRASH.format(1))
        next(each for each in queue.new_crashes() if each)
        (link,) = [each for each in site.page().all("a") if each.text == CRASH.format(1)]
    assert link.attributes["href"] == f"/report/{CRASH.format(1)}"


def test_parked_crashes_are_counted_by_kind_of_reason_and_listed_newest_first(site):
    site.park(*crash_ids(2), reason="too large: 30,000 bytes")
    site.park(CRASH.format(2), reason="too large: 40,123 bytes")
    site.park(CRASH.format(3), reason="another")
    page = site.page()
    kinds = [row.text for row in page.one("table", class_="kinds").one("tbody").all("tr")]
    assert [kind.partition(" put back")[0] for kind in kinds] == ["3 too large: … bytes", "1 another"]
    listed = [each.text for each in page.one(id="set-aside").all("a") if each.text.startswith("0bba")]
    assert listed == list(reversed(crash_ids(4)))


def test_one_parked_crash_is_put_back_and_the_page_says_so(site):
    site.park(*crash_ids(3))
    form = site.form(site.page(), "put back", 1)
    assert site.notice(site.send(form)) == "1 parked crash was put back."
    assert site.state() == (1, 2, 0)
    assert site.audit == [
        ("1 parked crash was put back", {"page": "queues", "state": "parked", "which": CRASH.format(1)})
    ]


def test_all_of_a_reason_are_put_back_and_others_stay(site):
    site.park(*crash_ids(3), reason="too large: 1 byte")
    site.park(CRASH.format(4), reason="another")
    assert site.notice(site.send(site.form(site.page(), "put back all"))) == "3 parked crashes were put back."
    assert site.state() == (3, 1, 0)


def test_crashes_that_were_parked_after_the_page_was_made_are_not_put_back_with_the_others(site):
    site.park(CRASH.format(0))
    form = site.form(site.page(), "put back all")
    site.park(CRASH.format(1))
    site.send(form)
    assert site.state() == (1, 1, 0)


def test_a_form_that_is_sent_twice_acts_once_and_says_the_same(site):
    site.park(*crash_ids(2))
    form = site.form(site.page(), "put back all")
    first = site.send(form)
    with closing(site.open()) as queue:
        # The crashes fail again before the second click.
        for _ in range(2):
            queue.park(next(each for each in queue.new_crashes() if each), "the reason")
    assert site.notice(site.send(form)) == site.notice(first) == "2 parked crashes were put back."
    assert site.state() == (0, 2, 0)
    assert len(site.audit) == 1


def test_two_clicks_at_once_act_once(site):
    site.park(*crash_ids(3))
    form = site.form(site.page(), "put back all")
    threads = [threading.Thread(target=site.send, args=(form,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.state() == (3, 0, 0)
    assert len(site.audit) == 1


def test_before_crashes_are_rejected_the_page_asks(site):
    site.park(*crash_ids(3), reason="too large: 1 byte")
    ask_form = site.form(site.page(), "reject all…")
    assert ask_form.attributes["method"] == "get"
    headers = {"Cookie": site.cookie}
    asked = read_html(ask(site.app, f"/queues/confirm?{urlencode(site.fields(ask_form))}", headers=headers).text)
    assert "Reject 3 parked crashes?" in asked.text
    assert site.state() == (0, 3, 0)
    assert site.notice(site.send(site.form(asked, "Reject"))) == "3 parked crashes were rejected."
    assert site.state() == (0, 0, 3)


def test_rejected_crashes_can_be_put_back_but_not_rejected(site):
    site.park("not <b>a crash id", reject=True, reason="it is none")
    page = site.page("?state=rejected")
    assert [form.one("button").text for form in page.all("form")] == ["put back all", "put back"]
    assert "not <b>a crash id" in page.text
    site.send(site.form(page, "put back"))
    assert site.state() == (1, 0, 0)


@pytest.mark.parametrize(
    "body", [{}, {"deed": "purge"}, {"deed": "reject", "state": "rejected"}, {"deed": "put back", "state": "no such"}]
)
def test_a_form_that_no_page_has_changes_nothing(site, body):
    site.park(*crash_ids(2))
    token = site.fields(site.form(site.page(), "put back"))["csrf_token"]
    headers = {**ORIGIN, "Cookie": site.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    sent = ask(site.app, "/queues", "POST", headers, urlencode({**body, "csrf_token": token}).encode())
    assert sent.status in (303, 400)
    assert site.state() == (0, 2, 0)


def test_without_the_token_of_a_page_nothing_is_put_back(site):
    site.park(CRASH.format(0))
    form = site.form(site.page(), "put back")
    fields = {**site.fields(form), "csrf_token": "0" * 64}
    headers = {**ORIGIN, "Cookie": site.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    assert ask(site.app, "/queues", "POST", headers, urlencode(fields).encode()).status == 403
    assert site.state() == (0, 1, 0)


def test_pages_of_set_aside_crashes_show_each_of_them_once(site):
    site.park(*(f"text {number}" for number in range(120)), reject=True)
    query, seen = "?state=rejected", []
    while query:
        page = site.page(query)
        rows = page.one(id="set-aside").all("table")[1].one("tbody").all("tr")
        seen += [row.all("td")[0].text for row in rows]
        older = [each for each in page.all("a") if each.text == "older"]
        query = f"?{urlsplit(older[0].attributes['href']).query}" if older else ""
    assert seen == [f"text {number}" for number in reversed(range(120))]


@pytest.mark.parametrize(
    "query", ["?offset=-1", "?offset=9e9", "?offset=" + "9" * 30, "?state=x", "?kind=no+such", "?x=y"]
)
def test_an_address_that_no_page_has_is_shown_all_the_same(site, query):
    site.park(CRASH.format(0))
    assert site.page(query).one("h1").text == "Queues"


def test_markup_in_a_reason_is_text(site):
    site.park(CRASH.format(0), reason="<script>alert(1)</script>\u202e\x1b[31m")
    page = site.page()
    assert len(page.all("script")) == 1
    assert "<script>alert(1)</script>\\u202e\\x1b[31m" in page.text


def test_a_queue_that_is_away_takes_only_its_own_part_of_the_page(site):
    def away() -> CrashQueueBase:
        raise CrashQueueError("cannot reach the broker")

    sources = QueueSources(
        away, "Broken", lambda: NO_SPOOL, site.rates, lambda: ProcessorState(False), ComponentChecks({}), print
    )
    page = read_html(queues_page(Pages(), sources, QueuesRequest(), ALL).html)
    assert "cannot reach the broker" in page.text
    assert "Spool" in page.text


def test_the_page_tells_what_is_wrong_with_the_spool_and_the_processor(tmp_path):
    spool = CollectorStatus(3, 5 << 20, 7200.0, 0, 1 << 20, 2, "the disk is full", "the store is away")
    site = Site(tmp_path / "queue.sqlite", spool)
    text = site.page().text
    for words in ("5 MB", "2 hours", "the disk is full", "the store is away", "2 crashes were set aside", "4711"):
        assert words in text


def test_rates_are_those_of_each_minute(tmp_path):
    moment = [600_000.0]
    rates = MinuteRates(lambda: moment[0])
    for minute, number in ((0, 3), (1, 1), (59, 2)):
        moment[0] = 600_000.0 + 60 * minute
        rates.increment("collector.accepted", number, ())
        rates.increment("something.else", 99, ())
    assert [each for each in enumerate(rates.counts()["taken"]) if each[1]] == [(0, 3), (1, 1), (59, 2)]
    moment[0] += 60
    assert [each for each in enumerate(rates.counts()["taken"]) if each[1]] == [(0, 1), (58, 2)]
    moment[0] += 3600 * 24
    assert sum(rates.counts()["taken"]) == 0


def test_a_clock_that_is_set_back_loses_no_count():
    moment = [600_000.0]
    rates = MinuteRates(lambda: moment[0])
    rates.increment("crash.parked", 1, (("queue", "normal"),))
    moment[0] -= 86400
    rates.increment("crash.rejected", 1, (("queue", "normal"),))
    assert sum(rates.counts()["failed"]) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"no {CRASH.format(1)} there", f"no {CRASH.format(2)} there"),
        ("too large: 1,234 bytes", "too large: 99 bytes"),
        ("at 0xdeadbeef", "at 0x1"),
        ("after 1.5 s", "after 12 s"),
    ],
)
def test_reasons_that_differ_in_ids_and_numbers_are_of_one_kind(one, other):
    assert kind_of(one) == kind_of(other)


@pytest.mark.parametrize("reason", ["storage1 failed", "BreakpadStackwalkerRule2015: failed", "utf8 is not utf16"])
def test_numbers_that_belong_to_a_name_stay(reason):
    assert kind_of(reason) == reason


def checks_of(check: Callable[[], str], patience: float = 30.0) -> ComponentChecks:
    return ComponentChecks({"source": ("Store", check)}, patience=patience)


def test_a_store_that_answers_one_that_fails_and_one_without_a_check_are_told_apart():
    def fail() -> str:
        raise TransientStorageError("no route to the bucket")

    def break_down() -> str:
        raise ValueError("secret")

    checks = ComponentChecks(
        {"a": ("A", lambda: "a note"), "b": ("B", fail), "c": ("C", None), "d": ("D", break_down)}, patience=30.0
    )
    results = checks.results()
    assert [each.state for each in results] == ["answers", "fails", "unchecked", "fails"]
    assert [each.words for each in results[:2]] == ["a note", "no route to the bucket"]
    assert "secret" not in results[3].words


def test_a_store_that_hangs_holds_one_thread_however_often_it_is_looked_at():
    released, calls = threading.Event(), []

    def hang() -> str:
        calls.append(1)
        released.wait()
        return ""

    checks = checks_of(hang, patience=0.0)
    assert [checks.results()[0].state for _ in range(5)] == ["silent"] * 5
    assert len(calls) <= 1
    released.set()


def test_an_answer_counts_for_some_seconds():
    calls: list[int] = []
    moment = [0.0]

    def check() -> str:
        calls.append(1)
        return ""

    checks = ComponentChecks({"source": ("Store", check)}, patience=30.0, fresh=10.0, clock=lambda: moment[0])
    for moment[0] in (0.0, 5.0, 9.0, 11.0):
        checks.results()
    assert len(calls) == 2


def test_the_address_of_a_page_leads_to_the_same_page():
    request = QueuesRequest("rejected", "a & b … =", 50, "n")
    fields = {name: values[-1] for name, values in parse_qs(urlsplit(request.address()).query).items()}
    assert fields == {"state": "rejected", "kind": "a & b … =", "offset": "50", "outcome": "n"}
