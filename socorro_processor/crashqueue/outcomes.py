"""What the processors of an installation tell each other of how crashes end.

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
    """How crashes ended at one processor within a moment."""

    saved: int = 0
    """Crashes that every store took."""
    took: Mapping[str, int] = field(default_factory=dict)
    """By store, crashes that it took and another store did not."""
    failed: tuple[str, ...] = ()
    """Ids of crashes that failed of their own since the last of ``saved``."""

    def __bool__(self) -> bool:
        return bool(self.saved or self.took or self.failed)


def encode_outcomes(outcomes: Outcomes) -> bytes:
    values = {"saved": outcomes.saved, "took": dict(outcomes.took), "failed": outcomes.failed[-_MOST_IDS:]}
    return json.dumps(values, separators=(",", ":")).encode()


def decode_outcomes(data: bytes) -> Outcomes:
    """What was encoded, cut to what makes sense; nothing of what another program may have sent."""
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
    """Return a JSON object that anybody may have sent; None where it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def count_of(value: object) -> int:
    """Return a number of crashes that anybody may have sent, cut to what makes sense."""
    return min(value, _MOST_CRASHES) if isinstance(value, int) and value > 0 else 0
