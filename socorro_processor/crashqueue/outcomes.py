"""Outcomes: how crashes ended, as the processors of an installation tell each other.

One processor alone cannot judge whose fault a failure is: with eight of them, each sees an eighth of what happens.
Outcomes may get lost or come late, because nothing but that judgement depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_IDS = 100
_MOST_STORES = 100
_LONGEST_NAME = 200  # characters
_MOST_CRASHES = 1_000_000


@dataclass(frozen=True)
class Outcomes:
    """How crashes ended in one processor lately."""

    saved: int = 0
    """The number of crashes that every store took."""
    took: Mapping[str, int] = field(default_factory=dict)
    """By name of a store: the number of crashes that it took while another store did not."""
    failed: tuple[str, ...] = ()
    """The ids of crashes that failed through their own fault since the last one that was saved."""

    def __bool__(self) -> bool:
        return bool(self.saved or self.took or self.failed)


def encode_outcomes(outcomes: Outcomes) -> bytes:
    values = {"saved": outcomes.saved, "took": dict(outcomes.took), "failed": outcomes.failed[-_MOST_IDS:]}
    return json.dumps(values, separators=(",", ":")).encode()


def decode_outcomes(data: bytes) -> Outcomes:
    """Return the outcomes, cut to what makes sense; empty if another program sent the data."""
    values = parse_object(data)
    if values is None:
        return Outcomes()
    took, failed = values.get("took"), values.get("failed")
    return Outcomes(
        bounded_count(values.get("saved")),
        {
            name: bounded_count(count)
            for name, count in list(took.items())[:_MOST_STORES]
            if len(name) <= _LONGEST_NAME and bounded_count(count)
        }
        if isinstance(took, dict)
        else {},
        tuple(name for name in failed[:_MOST_IDS] if isinstance(name, str) and len(name) <= _LONGEST_NAME)
        if isinstance(failed, list)
        else (),
    )


def parse_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that anybody may have sent; None if it is not one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def bounded_count(value: object) -> int:
    """Return a number of crashes that anybody may have sent, cut to what makes sense."""
    return min(value, _MOST_CRASHES) if isinstance(value, int) and value > 0 else 0
