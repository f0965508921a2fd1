"""Erase crashes from every store, report what each had, and tell which crashes may come back.

A processor that fetched a crash before the removal saves it afterwards. No processor works on a crash for longer than
``app.maximum_crash_time``: after that time a crash that came back can be removed for good.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from socorro_processor.crashqueue.base import SET_ASIDE_STATES, CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.errors import CrashIDNotFound, CrashQueueError, CrashStorageError, SocorroError
from socorro_processor.monitoring.log import stack_of

logger = logging.getLogger(__name__)

State = Literal["held", "nothing", "removed", "failed"]

_PAUSE = 0.5
"""Seconds between two questions to the queue."""


@dataclass
class StoreResult:
    """The parts of a crash that a store had, and what was done with them."""

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
    stores: dict[str, StoreResult] = field(default_factory=dict)
    """The result in each store, by its section."""
    queue: list[str] = field(default_factory=list)
    """The places of its id in the queue: pending, parked, rejected."""
    again: bool = False
    """True for a crash that came back after it had been removed."""

    def names(self, state: State) -> str:
        """Return the names of the stores with this result, separated by commas; empty if there are none."""
        return ", ".join(name for name, result in self.stores.items() if result.state == state)


class Record(Protocol):
    """Receives a line for each crash, such as an AuditLog."""

    def write(self, message: str, fields: Mapping[str, str]) -> None: ...


class Removal:
    """Removes crashes from each of these stores, and from those inside them, even if some fail."""

    def __init__(self, stores: Mapping[str, CrashStorageBase], audit: Record | None) -> None:
        """Without an ``audit`` it only tells what the stores have."""
        self._stores = dict(each_store(stores))
        self._audit = audit

    @property
    def places(self) -> str:
        """The stores that are searched, in words."""
        return ", ".join(dict.fromkeys(map(str, self._stores.values())))

    def run(self, crash_id: str, *, again: bool = False) -> CrashToRemove:
        crash = CrashToRemove(crash_id, again=again)
        try:
            for name, store in self._stores.items():
                crash.stores[name] = self._remove(name, store, crash_id)
        finally:
            if self._audit:
                self._record(self._audit, crash)
        return crash

    def _remove(self, name: str, store: CrashStorageBase, crash_id: str) -> StoreResult:
        try:
            held = _held(store, crash_id)
            if self._audit is None and held is None:
                return _unsupported(store, "tell what it has of a crash")
            if self._audit is None:
                return StoreResult("held", held) if held else StoreResult("nothing")
            if held == []:
                return StoreResult("nothing")
            if not store.can("remove"):
                return _unsupported(store, "remove crashes")
            store.remove(crash_id)
            if left := _held(store, crash_id):
                return StoreResult("failed", held or [], f"still has, or has again: {', '.join(left)}")
            return StoreResult("removed", held or ["unknown parts"])
        except CrashIDNotFound:
            return StoreResult("nothing")
        except CrashStorageError as error:
            return StoreResult("failed", error=str(error))
        except Exception as error:
            logger.error("%s (%s) has a bug: %s", name, type(store).__name__, stack_of(error))
            return StoreResult("failed", error=f"{type(store).__name__} has a bug, {type(error).__name__}: see the log")

    def _record(self, audit: Record, crash: CrashToRemove) -> None:
        removed, failed, nothing = (crash.names(state) for state in ("removed", "failed", "nothing"))
        outcome = "removal failed" if failed else "removed" if removed else "nothing to remove"
        places = {"from": removed, "not_from": failed, "not_in": nothing}
        audit.write(f"{crash.crash_id} {outcome}", {key: names for key, names in places.items() if names})


def _held(store: CrashStorageBase, crash_id: str) -> list[str] | None:
    """Return the parts of a crash that the store has; None if it cannot tell."""
    return store.held(crash_id) if store.can("held") else None


def _unsupported(store: CrashStorageBase, act: str) -> StoreResult:
    return StoreResult("failed", error=f"{type(store).__name__} does not {act}: check it yourself")


def find_in_queue(queue: CrashQueueBase, crashes: Sequence[CrashToRemove]) -> None:
    """Note for each crash where its id is in the queue. Raises CrashQueueError."""
    by_id = {crash.crash_id: crash for crash in crashes}
    for crash_id in queue.pending(by_id) or ():
        by_id[crash_id].queue.append("pending")
    depths = queue.depths()
    for state in SET_ASIDE_STATES:
        if getattr(depths, state):
            for crash_id in {crash.crash_id for crash in queue.set_aside(state)} & by_id.keys():
                by_id[crash_id].queue.append(state)


class QueueCannotTell(SocorroError):
    """Crashes wait, and the queue cannot tell which."""


class NeededCrashes:
    """Tells which crashes a processor, or an operator, will need: they wait, are in work or are parked."""

    def __init__(self, queue: CrashQueueBase) -> None:
        """Raises CrashQueueError. Crashes that are parked later are not known."""
        self._queue = queue
        self._parked = {crash.crash_id for crash in queue.set_aside("parked")}

    def among(self, crash_ids: Sequence[str]) -> set[str]:
        """Return those of a few crashes that are needed. Raises CrashQueueError, and QueueCannotTell."""
        pending = self._queue.pending(crash_ids)
        if pending is None:
            depths = self._queue.depths()
            waiting = depths.suspect + sum(
                each.waiting + each.delayed + each.in_flight for each in depths.queues.values()
            )
            if waiting:
                raise QueueCannotTell(f"{waiting} crashes wait, and the queue cannot tell which")
            pending = set()
        return pending | self._parked.intersection(crash_ids)


def may_be_in_work(queue: CrashQueueBase | None, crash_ids: Collection[str]) -> list[str]:
    """Return the crashes that a processor may have fetched before they were removed, as far as the queue can tell.

    A crash that is fetched from now on is not found in the stores. ``queue`` is None if it cannot be asked.
    """
    if queue is None or not crash_ids:
        return list(crash_ids)
    try:
        pending = queue.pending(crash_ids)
        if pending is not None and not any(depth.in_flight for depth in queue.depths().queues.values()):
            return []
        return [crash_id for crash_id in crash_ids if pending is None or crash_id in pending]
    except CrashQueueError:
        return list(crash_ids)


def wait_while_in_work(
    queue: CrashQueueBase | None, crash_ids: Collection[str], seconds: float, progress: Callable[[float], None]
) -> None:
    """Wait until no crash can be in work any more, at most ``seconds``. ``progress`` receives the seconds so far."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and may_be_in_work(queue, crash_ids):
        time.sleep(min(_PAUSE, left))
        progress(seconds - left)
