"""Removal of crashes from every store; what each had of them, and what became of that."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.errors import CrashIDNotFound, CrashStorageError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import stack_of

logger = logging.getLogger(__name__)

State = Literal["held", "nothing", "removed", "failed"]


@dataclass
class Found:
    """The parts of a crash that a store had, and what became of them."""

    state: State
    held: list[str] = field(default_factory=list)
    error: str = ""

    def __str__(self) -> str:
        if self.state == "nothing":
            return "has nothing"
        if self.state == "failed":
            return f"FAILED: {self.error}"
        return f"{'has' if self.state == 'held' else 'removed'}: {', '.join(self.held)}"


@dataclass
class CrashToRemove:
    """A crash, and where it is or was."""

    crash_id: str
    stores: dict[str, Found] = field(default_factory=dict)
    """The result in each store, by its section."""
    queue: list[str] = field(default_factory=list)
    """The places of its id in the queue: pending, parked, rejected."""
    again: bool = False
    """True for a crash that came back after it had been removed."""

    @property
    def has_failed(self) -> bool:
        return bool(self.names("failed"))

    @property
    def is_nowhere(self) -> bool:
        return all(found.state == "nothing" for found in self.stores.values())

    @property
    def was_removed(self) -> bool:
        return bool(self.names("removed"))

    def names(self, state: State) -> str:
        return ", ".join(name for name, found in self.stores.items() if found.state == state)


class Removal:
    """Removes crashes from each of these stores, and from those within them. One that fails keeps no other from it."""

    def __init__(self, stores: Mapping[str, CrashStorageBase], audit: AuditLog | None) -> None:
        """Without an ``audit`` it only looks."""
        self._stores = dict(each_store(stores))
        self._audit = audit

    @property
    def places(self) -> str:
        """The stores in which crashes are looked for, in words."""
        return ", ".join(dict.fromkeys(map(str, self._stores.values())))

    def run(self, crash_id: str) -> CrashToRemove:
        crash = CrashToRemove(crash_id)
        try:
            for name, store in self._stores.items():
                crash.stores[name] = self._dealt_with(name, store, crash_id)
        finally:
            if self._audit:
                self._write_down(self._audit, crash)
        return crash

    def _dealt_with(self, name: str, store: CrashStorageBase, crash_id: str) -> Found:
        try:
            held = _held(store, crash_id)
            if self._audit is None:
                held = store.held(crash_id) if held is None else held
                return Found("held", held) if held else Found("nothing")
            if held != []:
                store.remove(crash_id)
                if left := _held(store, crash_id):
                    return Found("failed", held or [], f"it still has, or has again: {', '.join(left)}")
                return Found("removed", held or ["what it does not say"])
            return Found("nothing")
        except CrashIDNotFound:
            return Found("nothing")
        except CrashStorageError as error:
            return Found("failed", error=str(error))
        except NotImplementedError as error:
            return Found("failed", error=f"{error}: look there yourself")
        except Exception as error:
            logger.error("%s (%s) has a bug: %s", name, type(store).__name__, stack_of(error))
            return Found("failed", error=f"{type(store).__name__} has a bug, {type(error).__name__}: see the log")

    def _write_down(self, audit: AuditLog, crash: CrashToRemove) -> None:
        what = "removal failed" if crash.has_failed else "removed" if crash.was_removed else "nothing to remove"
        places = {"from": crash.names("removed"), "not_from": crash.names("failed"), "not_in": crash.names("nothing")}
        audit.write(f"{crash.crash_id} {what}", {key: names for key, names in places.items() if names})


def _held(store: CrashStorageBase, crash_id: str) -> list[str] | None:
    """Return the parts of a crash that the store has; None where it cannot tell."""
    try:
        return store.held(crash_id)
    except NotImplementedError:
        return None
