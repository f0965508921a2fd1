"""The project's sample crashes, as a rule meets them that runs after all default ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from socorro_processor.pipeline.rule import Crash
from socorro_processor.serialization import decode

FILE = Path(__file__).with_suffix(".json")
CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"


def sample_crashes() -> dict[str, Crash]:
    """Return a new copy of each, by name, without dumps: their raw crashes, and what became of them."""
    read: dict[str, dict[str, Any]] = decode(FILE.read_bytes())
    return {name: Crash(CRASH_ID, parts["raw"], processed=parts["processed"]) for name, parts in read.items()}
