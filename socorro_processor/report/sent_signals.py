"""Signals that a process sent, mostly to itself, as an abort does: such a crash has no address.

What the minidump has in its place is 0, or the ids of the process and its user.
"""

from __future__ import annotations

import re

_SENT_SIGNAL = re.compile(r"SIGABRT\b.*|SIG\w+ / SI_(?:USER|QUEUE|TKILL)", re.DOTALL)


def is_sent_signal(reason: str) -> bool:
    """Return True if the reason of a crash is a signal that a process sent."""
    return bool(_SENT_SIGNAL.fullmatch(reason))
