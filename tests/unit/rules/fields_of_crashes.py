"""Crashes for tests of the rules that fill the table of fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socorro_processor.pipeline.rule import Crash, Rule

CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"


def crash(raw: Mapping[str, Any] | None = None, json_dump: Any = None, **processed: Any) -> Crash:
    found = Crash(CRASH_ID, {"uuid": CRASH_ID, **(raw or {})}, processed=dict(processed))
    if json_dump is not None:
        found.processed["json_dump"] = json_dump
    return found


def after(rule: Rule, given: Crash) -> Crash:
    """Return the crash after a rule, which must not fail."""
    rule.act(given)
    assert [note for note in given.notes if "failed in its" in note] == []
    return given
