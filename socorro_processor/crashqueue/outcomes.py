"""Outcomes: how crashes end, as the processors of an installation tell each other.

One processor alone cannot judge whose fault a failure is: with eight of them each sees an eighth of what happens.
What is told may be lost, or come late; nothing but a judgement depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_IDS = 100
_MOST_STORES = 100
_LONGEST_NAME = 200
_MOST_CRASHES = 1_000_000


@dataclass(frozen=True)
class Outcomes:
    """The ends of crashes at one processor within a moment."""

    saved: int = 0
    """Crashes that every store took."""
    took: Mapping[str, int] = field(default_factory=dict)
    """The number of crashes that a store took and another did not, by its name."""
    failed: tuple[str, ...] = ()
    """Ids of crashes that failed of their own since the last of ``saved``."""

    def __bool__(self) -> bool:
        return bool(self.saved or self.took or self.failed)


def encode_outcomes(outcomes: Outcomes) -> bytes:
    values = {"saved": outcomes.saved, "took": dict(outcomes.took), "failed": outcomes.failed[-_MOST_IDS:]}
    return json.dumps(values, separators=(",", ":")).encode()


def decode_outcomes(data: bytes) -> Outcomes:
    """Return what was encoded, cut to what makes sense; empty if another program sent it."""
    values = object_of(data)
    if values is None:
        return Outcomes()
    took, failed = values.get("took"), values.get("failed")
    return Outcomes(
        count_of(values.get("saved")),
        {
            name: count_of(count)
            for name, count in list(took.items())[:_MOST_STORES]
            if len(name) <= _LONGEST_NAME and count_of(count)
        }
        if isinstance(took, dict)
        else {},
        tuple(name for name in failed[:_MOST_IDS] if isinstance(name, str) and len(name) <= _LONGEST_NAME)
        if isinstance(failed, list)
        else (),
    )


def object_of(data: bytes) -> dict[str, Any] | None:
    """Return a JSON object that anybody may have sent; None if it is not one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def count_of(value: object) -> int:
    """Return a number of crashes that anybody may have sent, cut to what makes sense."""
    return min(value, _MOST_CRASHES) if isinstance(value, int) and value > 0 else 0
