"""The crashes that were set aside, for the page of the queues: by reason, newest first, to be put back or rejected.

Crashes of one *kind* failed alike: their reasons are equal but for ids and numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Literal, NamedTuple

from socorro_processor.crashqueue.base import CrashQueueBase, SetAsideCrash, SetAsideState
from socorro_processor.layout import counted_with_verb
from socorro_processor.monitoring.audit import Audit
from socorro_processor.untrusted import plain

MOST_LISTED = 10_000
"""Crashes of a state that a page reads: a broker hands out all of them for each look."""
PAGE = 50
MOST_KINDS = 20

Deed = Literal["put back", "reject"]
DEEDS: tuple[Deed, ...] = ("put back", "reject")

_LONGEST_KIND = 300
"""Characters of a reason that tell its kind."""
_VARIES = re.compile(r"(?:bp-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-fA-F]+|(?<!\w)\d[\d,.]*\b")


class Kind(NamedTuple):
    """A kind of reason, and how many crashes were set aside for it."""

    text: str
    crashes: int


class Listed(NamedTuple):
    """A crash in the list, with the key by which forms name it."""

    key: str
    crash: SetAsideCrash


@dataclass(frozen=True)
class SetAside:
    """A page of the crashes of one state, and the kinds of all of them."""

    state: SetAsideState
    kinds: list[Kind]
    """The most frequent first."""
    crashes: list[Listed]
    """The newest first."""
    count: int
    """All crashes of the chosen kind, or of all kinds."""
    latest: int
    """The latest time of any of them, in microseconds since 1970: what came later was not seen."""


@dataclass(frozen=True)
class Selection:
    """The crashes that a form names: one by its key, or all of a kind that the page showed."""

    state: SetAsideState
    key: str = ""
    kind: str = ""
    until: int = 0
    """The ``SetAside.latest`` of the page; crashes that were set aside later stay."""

    def has(self, crash: SetAsideCrash) -> bool:
        if self.key:
            return key_of(crash) == self.key
        return crash.microseconds <= self.until and kind_of(crash.reason) == self.kind


def kind_of(reason: str) -> str:
    """Return the reason without what differs from crash to crash."""
    return plain(_VARIES.sub("…", reason[:_LONGEST_KIND]))[:_LONGEST_KIND]


def key_of(crash: SetAsideCrash) -> str:
    """Return a name for exactly this crash, as it was set aside at this time."""
    return hashlib.blake2b(repr(astuple(crash)).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def read_set_aside(crashes: Iterable[SetAsideCrash], state: SetAsideState, kind: str, offset: int) -> SetAside:
    """Return a page of crashes, which come oldest first. With a ``kind``, only those of it."""
    kinds: Counter[str] = Counter()
    chosen: list[SetAsideCrash] = []
    latest = 0
    for crash in crashes:
        of_crash = kind_of(crash.reason)
        kinds[of_crash] += 1
        latest = max(latest, crash.microseconds)
        if kind in ("", of_crash):
            chosen.append(crash)
    chosen.sort(key=lambda crash: crash.time, reverse=True)
    return SetAside(
        state,
        [Kind(*each) for each in kinds.most_common(MOST_KINDS)],
        [Listed(key_of(crash), crash) for crash in chosen[offset : offset + PAGE]],
        len(chosen),
        latest,
    )


def selected(queue: CrashQueueBase, selection: Selection) -> Iterator[SetAsideCrash]:
    """Yield the crashes of a selection that are still set aside. Raises CrashQueueError."""
    for crash in queue.set_aside(selection.state):
        if selection.has(crash):
            yield crash
            if selection.key:
                return


def do_with(queue: CrashQueueBase, deed: Deed, selection: Selection, audit: Audit, who: Mapping[str, str]) -> str:
    """Put the crashes of a selection back, or reject them; return a sentence about it.

    ``audit`` takes what was done, and ``who`` did it, even if the queue fails half-way. Raises CrashQueueError.
    """
    do = queue.requeue if deed == "put back" else queue.reject_parked
    words = "put back" if deed == "put back" else "rejected"
    done = 0
    last = ""
    try:
        for crash in list(selected(queue, selection)):
            if do(crash):
                done += 1
                last = crash.crash_id
    finally:
        if done:
            what = last[:100] if done == 1 else selection.kind
            audit(f"{_counted(done, selection.state)} {words}", {**who, "state": selection.state, "which": what})
    if not done:
        return f"No crash was {words}: what the form named is not {selection.state} any more."
    return f"{_counted(done, selection.state)} {words}."


def _counted(number: int, state: SetAsideState) -> str:
    return counted_with_verb(number, f"{state} crash", f"{state} crashes")
