"""The page of the queues, ``/queues``: how many crashes are where, what was set aside and why, and who answers.

It says what ``socorro queue status`` and ``socorro queue parked`` say. Each part that cannot be read says so, and the
others are shown all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, QueueName, SetAsideState
from socorro_processor.crashqueue.status import QueueStatus
from socorro_processor.errors import CrashQueueError, InvalidCrashID
from socorro_processor.machine.disk_space import in_words
from socorro_processor.web.pages.answer import Answer, failure_page
from socorro_processor.web.pages.moments import moment_text
from socorro_processor.web.pages.once import Once, Outcome
from socorro_processor.web.pages.quantities import age_words
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.report_address import report_path
from socorro_processor.web.pages.viewer import Viewer, audit_fields
from socorro_processor.web.queues.component_checks import CheckResult
from socorro_processor.web.queues.queue_sources import QueueSources
from socorro_processor.web.queues.rate_chart import RateChart, rate_charts
from socorro_processor.web.queues.set_aside import (
    MOST_LISTED,
    PAGE,
    Deed,
    Kind,
    Listed,
    Selection,
    SetAside,
    do_with,
    read_set_aside,
)
from socorro_processor.web.server_parts import ProcessorState

PATH = "/queues"
MOST_PENDING_SHOWN = 50
"""Crashes in work, or delayed, that are listed."""

_CHARTS = (("taken", "processed"), ("failed", "refused"))


class QueueRow(NamedTuple):
    name: str
    waiting: int
    delayed: int
    in_work: str
    prefetched: str
    oldest: str
    """The age of the oldest crash id; a question mark if it is not known."""


class PendingRow(NamedTuple):
    name: str
    path: str
    queue: str
    since: str
    process: str
    why: str


@dataclass(frozen=True)
class QueueView:
    """The numbers of the queue, or the reason why there are none."""

    problem: str = ""
    rows: Sequence[QueueRow] = ()
    prefetches: bool = False
    parked: int = 0
    rejected: int = 0
    suspect: int = 0
    processes: Sequence[str] = ()
    pending: Sequence[PendingRow] = ()
    not_listed: str = ""


@dataclass(frozen=True)
class SetAsideView:
    """The crashes of one state, or the reason why they are not listed."""

    state: SetAsideState
    problem: str = ""
    kinds: Sequence[tuple[Kind, str]] = ()
    """Each with its address."""
    kind: str = ""
    crashes: Sequence[tuple[Listed, str]] = ()
    """Each with the address of its page; empty if it is no crash id."""
    count: int = 0
    latest: int = 0
    first: int = 1
    newer: str = ""
    older: str = ""
    all_kinds: str = ""


@dataclass(frozen=True)
class QueuesView:
    outcome: Outcome | None
    queue: QueueView
    queue_name: str
    set_aside: SetAsideView
    spool: CollectorStatus
    charts: list[RateChart]
    minutes: int
    processor: str
    processor_is_well: bool
    processor_is_here: bool
    stores: list[CheckResult]
    key: str
    """The key of this page's forms."""


class QueuesRequest(NamedTuple):
    """The address of the page."""

    state: SetAsideState = "parked"
    kind: str = ""
    offset: int = 0
    outcome: str = ""

    def address(self) -> str:
        parts = {
            "state": self.state if self.state != "parked" else "",
            "kind": self.kind,
            "offset": str(self.offset or ""),
            "outcome": self.outcome,
        }
        query = urlencode({name: value for name, value in parts.items() if value}, errors="replace")
        return f"{PATH}?{query}" if query else PATH


def queues_page(pages: Pages, sources: QueueSources, request: QueuesRequest, viewer: Viewer) -> Answer:
    """Return the page; its status is 200 even if the queue is away, because that is what it then tells."""
    queue, set_aside = _queue_and_set_aside(sources, request)
    processor = sources.processor()
    view = QueuesView(
        sources.once.outcome(request.outcome) if request.outcome else None,
        queue,
        sources.queue_name,
        set_aside,
        sources.spool(),
        rate_charts(sources.rates.counts(), _CHARTS),
        sources.rates.age,
        _processor_words(processor),
        not processor.problem,
        processor.is_here,
        sources.checks.results(),
        Once.new_key(),
    )
    html = pages.render("queues.html", view=view, viewer=viewer, size_words=in_words, age_words=age_words, path=PATH)
    return Answer(200, html)


def confirm_page(pages: Pages, sources: QueueSources, deed: Deed, selection: Selection, viewer: Viewer) -> Answer:
    """Return the page that asks before crashes are rejected."""
    try:
        with sources.queue() as queue:
            chosen = [crash for crash in queue.set_aside(selection.state) if selection.has(crash)]
    except CrashQueueError as error:
        return failure_page(pages, error)
    html = pages.render(
        "queues_confirm.html",
        deed=deed,
        selection=selection,
        chosen=chosen[:PAGE],
        count=len(chosen),
        key=Once.new_key(),
        viewer=viewer,
        path=PATH,
    )
    return Answer(200, html)


def act(sources: QueueSources, deed: Deed, selection: Selection, key: str, viewer: Viewer) -> str:
    """Do what a form asks for, once; return the address that tells the result."""

    def action() -> str:
        with sources.queue() as queue:
            return do_with(queue, deed, selection, sources.audit, audit_fields("queues", viewer.whole_name))

    name = sources.once.do(f"{key} {deed} {selection}", action)
    return QueuesRequest(selection.state, outcome=name).address()


def _queue_and_set_aside(sources: QueueSources, request: QueuesRequest) -> tuple[QueueView, SetAsideView]:
    try:
        with sources.queue() as queue:
            view = _queue_view(QueueStatus.of(queue, ids=True))
            return view, _set_aside_view(queue, view, request)
    except CrashQueueError as error:
        return QueueView(problem=str(error)), SetAsideView(request.state)


def _queue_view(status: QueueStatus) -> QueueView:
    depths, in_flight = status.depths, status.in_flight
    return QueueView(
        "",
        [_queue_row(status, name) for name in QUEUES],
        in_flight.prefetched is not None,
        depths.parked,
        depths.rejected,
        depths.suspect,
        list(_process_lines(status)),
        [
            PendingRow(
                crash.crash_id,
                _path_of(crash.crash_id),
                crash.queue,
                moment_text(crash.since) if crash.since else "?",
                crash.process or "?",
                status.why(crash),
            )
            for crash in in_flight.crashes[:MOST_PENDING_SHOWN]
        ],
        _not_listed(status),
    )


def _queue_row(status: QueueStatus, name: QueueName) -> QueueRow:
    depth = status.depths.queues[name]
    oldest = "?" if depth.oldest is None else age_words(depth.oldest) if depth.oldest else ""
    return QueueRow(name, depth.waiting, depth.delayed, status.in_work(name), status.prefetched(name), oldest)


def _process_lines(status: QueueStatus) -> list[str]:
    in_flight = status.in_flight
    lines = [f"{each.process} takes no crashes now: {each.pause}" for each in in_flight.processes if each.pause]
    if in_flight.failure:
        lines.append(f"The processors could not be asked for their crashes: {in_flight.failure}")
    if silent := ", ".join(f"{queue} {count}" for queue, count in in_flight.silent.items() if count):
        lines.append(f"Consumers that did not answer (?): {silent}.")
    return lines


def _not_listed(status: QueueStatus) -> str:
    counts = status.not_listed()
    if (more := len(status.in_flight.crashes) - MOST_PENDING_SHOWN) > 0:
        counts["in flight or delayed"] = more
    return ", ".join(f"{count:,} {where}" for where, count in counts.items())


def _set_aside_view(queue: CrashQueueBase, view: QueueView, request: QueuesRequest) -> SetAsideView:
    state = request.state
    count = view.parked if state == "parked" else view.rejected
    if count > MOST_LISTED:
        return SetAsideView(
            state,
            f"{count:,} crashes are {state}, and a page lists up to {MOST_LISTED:,}: `socorro queue {state}` lists "
            "them all, and `socorro queue requeue --reason=TEXT` puts them back.",
        )
    try:
        listed = read_set_aside(queue.set_aside(state), state, request.kind, request.offset)
    except CrashQueueError as error:
        return SetAsideView(state, f"The {state} crashes cannot be listed: {error}")
    return _shown(listed, request)


def _shown(listed: SetAside, request: QueuesRequest) -> SetAsideView:
    plainly = request._replace(outcome="")
    offset = request.offset
    return SetAsideView(
        listed.state,
        "",
        [(kind, plainly._replace(kind=kind.text, offset=0).address()) for kind in listed.kinds],
        request.kind,
        [(each, _path_of(each.crash.crash_id)) for each in listed.crashes],
        listed.count,
        listed.latest,
        offset + 1,
        plainly._replace(offset=max(0, offset - PAGE)).address() if offset else "",
        plainly._replace(offset=offset + PAGE).address() if offset + PAGE < listed.count else "",
        plainly._replace(kind="", offset=0).address() if request.kind else "",
    )


def _path_of(text: str) -> str:
    """Return the address of a crash's page; empty if the text is no crash id, as a stranger may submit it."""
    try:
        return report_path(check_crash_id(text))
    except InvalidCrashID:
        return ""


def _processor_words(processor: ProcessorState) -> str:
    if not processor.is_here:
        return "This server runs no processor (web.processor=no): others take the crashes from the queue."
    runs = f"runs beside the server, as process {processor.pid}" if processor.pid else "does not run"
    if processor.problem:
        return f"The processor {runs}: {processor.problem}."
    return f"The processor {runs}, and is ready." if processor.has_reported else f"The processor {runs}, and starts."
