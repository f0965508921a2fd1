"""The page of a signature as its template shows it: facts, badges, chart, tables, stacks, comments and crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from socorro_processor.crashstorage.indexed_crash import LONGEST_TEXT
from socorro_processor.fields.searchable import DATE
from socorro_processor.report.sent_signals import is_sent_signal
from socorro_processor.search.filters import Filter
from socorro_processor.search.results import (
    DayCount,
    Facet,
    FoundCrash,
    IndexState,
    NewestCrashes,
    SignatureRecord,
    Standing,
)
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.bar_chart import MOST_SERIES, BarChart, Series, day_chart
from socorro_processor.web.pages.filter_bar import FilterBar, filter_bar
from socorro_processor.web.pages.moments import moment_text
from socorro_processor.web.pages.report_address import report_path
from socorro_processor.web.pages.version_order import is_unknown, version_key
from socorro_processor.web.signature.signature_badges import Badge, SignatureFacts, badges
from socorro_processor.web.signature.signature_history import Return

ADDRESS = "address"
FACETS: Mapping[str, str] = {
    "version": "Versions",
    "os_name": "Systems",
    "os_pretty_version": "Versions of systems",
    "reason": "Reasons",
    ADDRESS: "Addresses",
    "process_type": "Process types",
    "cpu_arch": "CPUs",
    "product": "Products",
    "release_channel": "Channels",
}
"""The fields whose values are counted, with the titles of their tables."""
STACKS = "proto_signature"
MODULES = "modules_in_stack"
CRASH_FIELDS = (
    *(DATE, "product", "version", "os_name", "os_pretty_version", "reason", "address", "process_type", "uptime"),
)
COMMENT_FIELDS = (DATE, "product", "version", "user_comments")

_MOST_VALUES = 10
_MOST_MODULES = 20
_MOST_STACKS = 10
_MOST_PRODUCTS = 10
_FIRST_FRAMES = 4
_FRAMES_IN_A_ROW = " | "
_LONGEST_UPTIME = 2**37
_SENT = "none: a process sent the signal"
_LAST_SEEN_DAYS = 7


@dataclass(frozen=True)
class FoundSignature:
    """All that an index has told of a signature."""

    address: Address
    signature: str
    """As the index has it, which may be the beginning of the one that was asked for; empty if it has none."""
    days: tuple[date, date]
    last_seen: datetime | None
    """When the last crash of it came, in any product."""
    records: Sequence[SignatureRecord]
    """One for each product that the filters allow."""
    standing: Standing
    by_day: Sequence[DayCount]
    """By version."""
    came_back: Return | None
    newest: NewestCrashes
    """Their addresses are those of all but ``sent_signals``."""
    sent_signals: Mapping[str, int]
    """The reasons that are signals sent by a process, with their crashes: these have no address."""
    choices: Mapping[str, Sequence[str]]
    """The values that the filter bar offers."""
    crashes: Sequence[FoundCrash]
    comments: Sequence[FoundCrash]
    """Protected: empty if the viewer may not see them."""
    state: IndexState


class Row(NamedTuple):
    """A value in a table, and how many crashes have it."""

    text: str
    crashes: int
    share: float
    """The part of the crashes that were counted: 0 to 1."""
    address: str
    is_value: bool = True
    """False for crashes without a value, and for all other values together."""


class Table(NamedTuple):
    title: str
    rows: list[Row]


class Stack(NamedTuple):
    crashes: int
    share: float
    first: list[str]
    """Its first frames."""
    rest: list[str]
    is_cut: bool
    """True if the index has only the beginning."""
    address: str


class CrashRow(NamedTuple):
    path: str
    moment: str
    product: str
    version: str
    system: str
    reason: str
    address: str
    process_type: str
    uptime: str


class Comment(NamedTuple):
    path: str
    moment: str
    program: str
    text: str
    is_cut: bool


@dataclass(frozen=True)
class SignatureView:
    signature: str
    filters: FilterBar
    standing: Standing
    share: float
    """The part of all crashes of these days that have the other filters."""
    first: SignatureRecord | None
    """The record of the product that had it first."""
    last_seen: datetime | None
    records: Sequence[SignatureRecord]
    """One for each product that the filters allow."""
    more_records: int
    badges: list[Badge]
    chart: BarChart
    counted: int
    tables: list[Table]
    stacks: list[Stack]
    more_stacks: str
    """The address of all stacks; empty if all are shown."""
    crashes: list[CrashRow]
    comments: list[Comment]
    search: str
    """The address of all these crashes."""
    last_days: str
    """The address of this page in the last days with a crash, without other filters."""
    problem: str
    """Says what is wrong with the index; empty if nothing is."""


def signature_view(found: FoundSignature, today: date) -> SignatureView:
    standing, newest = found.standing, found.newest
    facets = {facet.field: facet for facet in newest.facets}
    search = found.address.to("/search")
    stacks = [_stack(value.value, value.crashes, newest, search) for value in facets[STACKS].values[:_MOST_STACKS]]
    tables = [
        _table(title, facets[field], newest, search, found.sent_signals if field == ADDRESS else {})
        for field, title in FACETS.items()
    ]
    return SignatureView(
        found.signature,
        signature_filter_bar(found.address, found.days, today, found.choices),
        standing,
        standing.crashes / standing.all_crashes if standing.all_crashes else 0.0,
        min(found.records, key=lambda each: each.first_seen, default=None),
        max((each.last_seen for each in found.records), default=None),
        found.records[:_MOST_PRODUCTS],
        max(0, len(found.records) - _MOST_PRODUCTS),
        list(badges(_facts(found, facets[STACKS].missing))) if standing.crashes else [],
        _chart(found),
        newest.crashes,
        [
            each
            for each in (*tables, _modules(facets[MODULES], newest, search))
            if any(row.is_value or row.text == _SENT for row in each.rows)
        ],
        stacks,
        _with_facet(search, STACKS) if len(facets[STACKS].values) > len(stacks) else "",
        [_crash_row(each) for each in found.crashes],
        [_comment(each) for each in found.comments],
        str(search),
        _last_days(found),
        found.state.problem,
    )


def signature_filter_bar(
    address: Address, days: tuple[date, date], today: date, choices: Mapping[str, Sequence[str]]
) -> FilterBar:
    """Return the filters of an address; the signature is none that could be removed."""
    this = Filter("signature", "is", address.values("signature"))
    ordered = {
        field: sorted(values, key=version_key, reverse=True) if field == "version" else values
        for field, values in choices.items()
    }
    bar = filter_bar(address, days, today, ordered)
    chips = [each for each in bar.chips if each.text != str(this)]
    return replace(bar, chips=chips, clear=str(Address(address.path, (this,))) if chips else "")


def _last_days(found: FoundSignature) -> str:
    if found.last_seen is None:
        return ""
    last_day = found.last_seen.date()
    unfiltered = replace(found.address, filters=(Filter("signature", "is", (found.signature,)),))
    return str(unfiltered.of_days(last_day - timedelta(days=_LAST_SEEN_DAYS - 1), last_day))


def _facts(found: FoundSignature, without_stack: int) -> SignatureFacts:
    early, said = found.newest.fulfilling
    return SignatureFacts(
        found.signature,
        *found.days,
        min((each.first_seen for each in found.records), default=None),
        found.came_back,
        found.newest,
        early,
        said,
        without_stack,
    )


def _chart(found: FoundSignature) -> BarChart:
    totals: Counter[str] = Counter()
    for each in found.by_day:
        totals.update({version: crashes for version, crashes in each.by.items() if not is_unknown(version)})
    most = [version for version, _ in totals.most_common(MOST_SERIES)]
    series = {
        version: Series(version, str(found.address.with_filter("version", version)))
        for version in sorted(most, key=version_key, reverse=True)
    }
    rest = "other versions" if series else "all"
    return day_chart(
        "Crashes by day and version",
        found.by_day,
        series=series,
        rest=rest,
        address_of=lambda first, last: str(found.address.of_days(first, last)),
    )


def _table(title: str, facet: Facet, newest: NewestCrashes, search: Address, sent_signals: Mapping[str, int]) -> Table:
    sent = sum(sent_signals.values())
    shown = facet.values[:_MOST_VALUES]
    rows = [
        Row(
            str(each.value),
            each.crashes,
            each.crashes / newest.crashes,
            str(search.with_filter(facet.field, each.value)),
        )
        for each in shown
    ]
    others = newest.crashes - facet.missing - sent - sum(each.crashes for each in shown)
    if others:
        rows.append(Row("others", others, others / newest.crashes, _with_facet(search, facet.field), is_value=False))
    if facet.missing:
        without = search.without_field(facet.field)
        none = replace(without, filters=(*without.filters, Filter(facet.field, "exists", negated=True)))
        rows.append(Row("none", facet.missing, facet.missing / newest.crashes, str(none), is_value=False))
    if sent:
        these = search.without_equality("reason").plus(Filter("reason", "is", tuple(sent_signals)))
        rows.append(Row(_SENT, sent, sent / newest.crashes, str(these), is_value=False))
    return Table(title, rows)


def _modules(facet: Facet, newest: NewestCrashes, search: Address) -> Table:
    """Return the modules that stacks go through: each crash has a list of them, ``name/debug id;name/debug id``."""
    counts: Counter[str] = Counter()
    for each in facet.values:
        modules = str(each.value).split(";")
        if len(str(each.value)) >= LONGEST_TEXT:
            # The last one was cut.
            modules.pop()
        counts.update(dict.fromkeys({name for module in modules if (name := module.partition("/")[0])}, each.crashes))
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_MODULES]
    rows = [Row(name, crashes, crashes / newest.crashes, str(_with_module(search, name))) for name, crashes in most]
    return Table("Modules of the stack", rows)


def _with_module(search: Address, name: str) -> Address:
    return replace(search, filters=(*search.filters, Filter("module", "contains", (f"{name}/",))))


def _stack(text: str, crashes: int, newest: NewestCrashes, search: Address) -> Stack:
    frames = text.split(_FRAMES_IN_A_ROW)
    return Stack(
        crashes,
        crashes / newest.crashes,
        frames[:_FIRST_FRAMES],
        frames[_FIRST_FRAMES:],
        len(text) >= LONGEST_TEXT,
        str(search.with_filter(STACKS, text)),
    )


def _with_facet(search: Address, field: str) -> str:
    return str(search.with_parameter("facet", field))


def _crash_row(crash: FoundCrash) -> CrashRow:
    return CrashRow(
        report_path(crash.crash_id),
        _moment(crash),
        product=_text(crash, "product"),
        version=_text(crash, "version"),
        system=_text(crash, "os_pretty_version") or _text(crash, "os_name"),
        reason=_text(crash, "reason"),
        address="" if is_sent_signal(_text(crash, "reason")) else _text(crash, "address"),
        process_type=_text(crash, "process_type"),
        uptime=_uptime(crash.fields.get("uptime")),
    )


def _comment(crash: FoundCrash) -> Comment:
    text = _text(crash, "user_comments")
    program = " ".join(filter(None, (_text(crash, "product"), _text(crash, "version"))))
    return Comment(report_path(crash.crash_id), _moment(crash), program, text, len(text) >= LONGEST_TEXT)


def _text(crash: FoundCrash, name: str) -> str:
    value = crash.fields.get(name)
    return "" if value is None else str(value)


def _moment(crash: FoundCrash) -> str:
    moment = crash.fields.get(DATE)
    return moment_text(moment) if isinstance(moment, datetime) else ""


def _uptime(seconds: Any) -> str:
    """Return a time in words; a crash whose start is not known has 0."""
    if not isinstance(seconds, int) or not 0 < seconds < _LONGEST_UPTIME:
        return ""
    return str(timedelta(seconds=seconds)).replace(",", "") if seconds >= 60 else f"{seconds} s"
