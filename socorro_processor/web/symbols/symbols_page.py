"""The page of the symbols, ``/symbols``: which symbol files crashes miss, and how to get them.

An address that names one symbol file shows that file, too: what is held under its name, and the command that mends it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from socorro_processor.crashstorage.missed_in_stack import NAME
from socorro_processor.errors import ConfigurationError, CrashStorageError, QueryError, SocorroError
from socorro_processor.kernel_modules import is_of_kernel
from socorro_processor.machine.disk_space import in_words
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.days import filters_of_days
from socorro_processor.search.filters import Filter
from socorro_processor.search.missed_symbols import item_of, read_item
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.untrusted import joined, plain
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.filter_bar import FilterBar, filter_bar
from socorro_processor.web.pages.once import Once, Outcome
from socorro_processor.web.pages.quantities import age_words
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.symbols_address import PATH, chosen_file
from socorro_processor.web.pages.viewer import Viewer, audit_fields
from socorro_processor.web.symbols.symbol_sources import MOST_HELD, CacheState, HeldFile, SymbolSources

MOST_MISSING = 100
"""Symbol files that are listed, the most missed ones."""
MOST_BUILDS = 8
"""Symbol files whose builds are listed."""
MOST_REPROCESSED = 1000
"""Crashes that a form puts into the queue again, the newest."""
_CHOICES = 50
_SIMPLE_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)
_VALUES = 3


class MissingFile(NamedTuple):
    """A symbol file that crashes miss."""

    debug_file: str
    debug_id: str
    crashes: int
    installations: int | None
    share: float
    state: str
    """``there now``, ``other builds``, or empty if nothing is held under its name."""
    address: str


class Build(NamedTuple):
    """A build whose symbols were not added, although those of other builds of its program were."""

    words: str
    """Product, version and build."""
    file: MissingFile


@dataclass(frozen=True)
class ChosenFile:
    """The symbol file that the address names."""

    debug_file: str
    debug_id: str
    is_there: bool
    held: Sequence[HeldFile]
    held_left_out: int
    crashes: int
    """The crashes that miss it, of all days."""
    crashes_address: str
    can_reprocess: bool
    commands: Sequence[tuple[str, str]]
    """Each a command, and what it is for; none if nobody has such a file."""


@dataclass(frozen=True)
class Counts:
    """The numbers from the index, or the reason why there are none."""

    problem: str = ""
    warning: str = ""
    bar: FilterBar | None = None
    crashes: int = 0
    lacking: int = 0
    """The crashes that miss a symbol file."""
    missing: Sequence[MissingFile] = ()
    builds: Sequence[Build] = ()


@dataclass(frozen=True)
class SymbolsView:
    outcome: Outcome | None
    counts: Counts
    chosen: ChosenFile | None
    store: str
    names: int | None
    takes_uploads: bool
    remote: Sequence[str]
    cache: CacheState | None
    maximum: str
    key: str
    origin: str


def symbols_page(
    pages: Pages, sources: SymbolSources, asked: Address | QueryError, viewer: Viewer, origin: str, now: float
) -> Answer:
    """Return the page of an address, or of one that could not be read. ``now`` is in seconds since 1970."""
    status = 200
    address = asked if isinstance(asked, Address) else Address(PATH)
    try:
        if isinstance(asked, QueryError):
            raise asked
        counts = _counts(sources, address)
    except QueryError as error:
        status, counts = 400, Counts(str(error))
    except ConfigurationError as error:
        counts = Counts(str(error))
    except CrashStorageError as error:
        status, counts = (200, Counts()) if sources.search.is_without_index_yet() else (503, Counts(str(error)))
    outcome = address.one("outcome")
    chosen = chosen_file(address)
    uploads = sources.uploads
    view = SymbolsView(
        sources.once.outcome(outcome) if outcome else None,
        counts,
        _chosen(sources, chosen, counts, origin) if chosen else None,
        str(sources.store or ""),
        sources.number_of_names(),
        uploads is not None,
        sources.remote,
        sources.cache(),
        in_words(uploads.limits.size) if uploads else "",
        Once.new_key(),
        origin,
    )
    html = pages.render(
        "symbols.html",
        view=view,
        viewer=viewer,
        size_words=in_words,
        age_words=age_words,
        path=PATH,
        now=now,
        most_reprocessed=MOST_REPROCESSED,
    )
    return Answer(status, html)


def reprocess(sources: SymbolSources, wanted: SymbolFileID, key: str, viewer: Viewer) -> str:
    """Queue the crashes that miss a symbol file again, once; return the address that tells the result."""
    item = item_filter(wanted)

    def action() -> str:
        index = sources.search.index
        count = index.count([item])
        ids = [crash.crash_id for crash in index.find([item], fields=(), limit=MOST_REPROCESSED).crashes]
        with closing(sources.connect()) as queue:
            waiting = queue.pending(ids) or set()
            queued = sum(1 for _ in queue.submit_all([each for each in ids if each not in waiting], "reprocessing"))
        if queued:
            fields = {**audit_fields("symbols", viewer.whole_name), "symbols": item.values[0]}
            sources.audit(f"{queued} crashes were queued for reprocessing", fields)
        words = f"{queued:,} crash{'' if queued == 1 else 'es'} queued for reprocessing."
        if waiting:
            words += f" {len(waiting):,} were in the queue already."
        if count > len(ids):
            words += f" These are the newest of {count:,}; `{_reprocess_command(wanted)}` queues all."
        return words

    name = sources.once.do(f"reprocess {key} {wanted.path}", action)
    return str(Address(PATH, (item,), {"outcome": (name,)}))


def item_filter(wanted: SymbolFileID) -> Filter:
    """Return the filter for crashes that miss the file."""
    return Filter(NAME, "is", (item_of(wanted),))


def _counts(sources: SymbolSources, address: Address) -> Counts:
    """Raises QueryError, ConfigurationError, CrashStorageError."""
    index = sources.search.index
    today = sources.search.today()
    days = address.days(today)
    filters = (*address.filters, *filters_of_days(days))
    with index.snapshot() as at_once:
        choices = at_once.choices(*days, size=_CHOICES)
        (facet,) = at_once.facets([NAME], filters, size=MOST_MISSING)
        crashes = at_once.count(filters)
    missing = []
    for each in facet.values:
        item = str(each.value)
        debug_file, _, debug_id = item.rpartition("/")
        if is_of_kernel(debug_file):  # an index of before may have it
            continue
        state = _state(sources, item)
        link = str(address.with_filter(NAME, item))
        missing.append(
            MissingFile(
                debug_file, debug_id, each.crashes, each.installations, each.crashes / max(crashes, 1), state, link
            )
        )
    return Counts(
        "",
        " ".join(sources.search.notices()),
        filter_bar(address, days, today, choices),
        crashes,
        crashes - facet.missing,
        missing,
        [_build(index, each, filters) for each in missing if each.state == "other builds"][:MOST_BUILDS],
    )


def _state(sources: SymbolSources, item: str) -> str:
    try:
        wanted = read_item(item)
    except ValueError:
        return ""
    if sources.has(wanted):
        return "there now"
    return "other builds" if sources.held(wanted.path.partition("/")[0]) else ""


def _build(index: CrashIndex, file: MissingFile, filters: Sequence[Filter]) -> Build:
    item = Filter(NAME, "is", (f"{file.debug_file}/{file.debug_id}",))
    facets = index.facets(("product", "version", "build"), (*filters, item), size=_VALUES + 1)
    product, version, build = (_values_in_short([str(each.value) for each in facet.values]) for facet in facets)
    return Build(joined(" ", product, version, f"(build {build})" if build else ""), file)


def _values_in_short(values: Sequence[str]) -> str:
    return ", ".join(values[:_VALUES]) + ("…" if len(values) > _VALUES else "")


def _chosen(sources: SymbolSources, wanted: SymbolFileID, counts: Counts, origin: str) -> ChosenFile:
    name, debug_id, _ = wanted.path.split("/")
    held = sources.held(name)
    is_there = sources.has(wanted)
    crashes = 0
    if not counts.problem:
        try:
            crashes = sources.search.index.count([item_filter(wanted)])
        except SocorroError:  # the page says above what is wrong
            crashes = 0
    return ChosenFile(
        name,
        debug_id,
        is_there,
        held[:MOST_HELD],
        max(0, len(held) - MOST_HELD),
        crashes,
        str(Address("/search", (item_filter(wanted),), {"days": ("1000",)})),
        crashes > 0 and (is_there or bool(sources.remote)),
        [] if is_of_kernel(name) else list(_commands(sources, wanted, name, origin, is_there=is_there)),
    )


def _commands(
    sources: SymbolSources, wanted: SymbolFileID, name: str, origin: str, *, is_there: bool
) -> Iterator[tuple[str, str]]:
    on_server = "on the server" + (f", in {plain(sources.working_directory)}" if sources.working_directory else "")
    if not is_there and sources.uploads is not None:
        # Other names could be more than a name to curl, or to the shell.
        file = f"PATH/TO/{name}" if _SIMPLE_NAME.fullmatch(name) else "PROGRAM"
        yield (
            f"curl --fail-with-body -F symbols=@{file} {origin}{PATH}",
            "from where it was built: adds the symbols of the build that crashed, with its debug information",
        )
    if not is_there and sources.remote:
        item = plain(shlex.quote(item_of(wanted)))
        yield f"socorro symbols fetch {item}", f"{on_server}: asks the sources again"
    yield _reprocess_command(wanted), f"{on_server}, once the symbols are there: processes all these crashes again"


def _reprocess_command(wanted: SymbolFileID) -> str:
    return f"socorro reprocess --field={plain(shlex.quote(str(item_filter(wanted))))}"
