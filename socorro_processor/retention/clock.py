"""Decide whether the clock may be believed when crashes are removed because of their age: nothing undoes that.

A machine may start with a wrong clock, which would make all crashes look old. So after a jump of the clock, or a long
time without a look at the store, nothing is removed by age for a day, and people are told.
"""

from __future__ import annotations

from socorro_processor.retention.ledger import Ledger

DAY = 86400.0  # seconds
LONGEST_ABSENCE = 14 * DAY
"""A clock that is further ahead of the last look at the store may be wrong."""

_LAST, _DOUBTED = "last look", "doubted since"


def doubted_until(ledger: Ledger, now: float) -> float | None:
    """Return until when nothing is removed by age; None if the clock is believed. Notes that it was looked at."""
    last, doubted = ledger.get_time(_LAST), ledger.get_time(_DOUBTED)
    ledger.set_time(_LAST, now)
    if last is None or now - last > LONGEST_ABSENCE:
        doubted = now
        ledger.set_time(_DOUBTED, doubted)
    if doubted is None:
        return None
    # Before that moment: the clock was ahead, and has been corrected.
    if not 0 <= now - doubted < DAY:
        ledger.set_time(_DOUBTED, None)
        return None
    return doubted + DAY
