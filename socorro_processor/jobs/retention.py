"""Decide what is old enough to be removed, with guards against a wrong clock or number, because nothing undoes it.

A job removes nothing in three cases: the server's clock disagrees; nothing has been new for two weeks, as it seems to a
clock that is ahead; or there is more to remove than a job that runs regularly can have.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from socorro_processor.configuration import WholeNumber, argument
from socorro_processor.jobs.job import Refused, Work

_CLOCKS_APART = timedelta(days=1)
_NOTHING_NEW = timedelta(days=14)

Name = TypeVar("Name")


class NotRemoved(Refused):
    """Nothing is removed."""


class ClockNotTrusted(NotRemoved):
    """Nothing is removed because this host's clock cannot be trusted."""


def add_arguments(parser: argparse.ArgumentParser, what: str, maximum: int) -> None:
    """Add the options of the guards. ``what``: the word for the things to remove, such as indexes."""
    parser.add_argument(
        "--maximum",
        type=argument(WholeNumber(1)),
        default=maximum,
        metavar="N",
        help=f"remove no {what} at all if more than N would go; default: {maximum}",
    )
    parser.add_argument("--trust-clock", action="store_true", help="remove even if this host's clock seems to be wrong")


@dataclass(frozen=True)
class Retention:
    """The rule of a job: things (``what``) are removed once their last day is more than ``days`` days ago.

    ``days`` is 0 if they are never removed. ``option`` is the name of the option with the days.
    """

    what: str
    days: int
    option: str

    def expired(self, work: Work, things: Collection[tuple[date, Name]], clock: datetime | None) -> list[Name]:
        """Return the names of the things to remove, oldest first. Raises NotRemoved.

        ``things``: the last day and the name of each thing. ``clock``: the time of the server, if it has one.
        """
        if not self.days:
            return []
        oldest = work.today - timedelta(days=self.days)
        old = sorted(day for day, _ in things if day < oldest)
        if not old:
            return []
        if not work.arguments.trust_clock:
            self._check_clocks(work, max(day for day, _ in things), clock)
        if len(old) > work.arguments.maximum:
            raise NotRemoved(
                f"nothing is removed: {len(old)} {self.what} ({old[0]} to {old[-1]}) are older than {self.days} days, "
                f"more than --maximum={work.arguments.maximum}: if {self.option} and this host's clock are right, run "
                f"the job once with --maximum={len(old)}"
            )
        return [name for day, name in sorted(things, key=lambda each: each[0]) if day < oldest]

    def _check_clocks(self, work: Work, newest: date, clock: datetime | None) -> None:
        if clock is not None and abs(clock - work.now()) > _CLOCKS_APART:
            raise ClockNotTrusted(
                f"nothing is removed: this host's clock says {work.now():%Y-%m-%d %H:%M}, the server's "
                f"{clock:%Y-%m-%d %H:%M} (UTC): correct the wrong clock, or use --trust-clock"
            )
        if work.today - newest > _NOTHING_NEW:
            raise ClockNotTrusted(
                f"nothing is removed: the newest of the {self.what} ends on {newest}, and this host's clock says "
                f"{work.today}: if that is right, use --trust-clock"
            )
