"""Run an action between the opening of a file and its locking."""

from __future__ import annotations

import fcntl
from collections.abc import Callable

import pytest


def do_before_the_lock(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Run ``action`` once, when the next file to be locked is open and not locked yet."""
    flock = fcntl.flock

    def locked(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        action()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", locked)
