"""Ask the store, for a limited time, which of a few crashes it has: an upload is answered also while it is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from socorro_processor.collector.identity import checksum_of
from socorro_processor.crashstorage.base import CrashStorageBase, RawCrash
from socorro_processor.errors import CrashIDNotFound, CrashStorageError, MalformedCrash, NoStoreYetError
from socorro_processor.monitoring.circuit_breaker import CircuitBreaker

logger = logging.getLogger(__name__)

TIME = 2.0
"""Seconds that an answer may wait for the store. A client gives up after 15 to 60, and keeps nothing then."""

AT_ONCE = 8
"""The number of questions at once: a store that hangs must not use up all threads."""

PAUSES = (2.0, 5.0, 15.0)
"""Seconds without questions after the first, second and every further failure."""


def stored_crash(store: CrashStorageBase, crash_id: str) -> RawCrash | None:
    """Return the raw crash that the store has; empty if it is malformed, None if there is none.

    Raises CrashStorageError if the store cannot tell.
    """
    try:
        return store.get_raw_crash(crash_id)
    except (CrashIDNotFound, NoStoreYetError):
        # The first crash that is saved makes the store.
        return None
    except MalformedCrash:
        return {}


class KnownCrashes:
    """Asks a store in threads of its own. May be used from any thread."""

    def __init__(self, store: CrashStorageBase, seconds: float = TIME, breaker: CircuitBreaker | None = None) -> None:
        self._store = store
        self._time = seconds
        self._breaker = breaker or CircuitBreaker(PAUSES)
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def find(self, crash_ids: Sequence[str]) -> Mapping[str, str] | None:
        """Return the checksums of those crashes that the store has; an empty one if it is not known.

        Return None if the store does not answer in time, or did not a moment ago.
        """
        if not crash_ids:
            return {}
        if not self._breaker.may_try():
            return None
        deadline = time.monotonic() + self._time
        if not self._places.acquire(timeout=self._time):
            self._breaker.end_trial()
            return None
        question = _Question(self._store, crash_ids, self._places.release)
        try:
            threading.Thread(target=question.ask, name="known crashes", daemon=True).start()
        except RuntimeError as error:
            self._places.release()
            self._breaker.end_trial()
            logger.warning("the store cannot be asked which crashes it has: %s", error)
            return None
        question.answered.wait(max(0.0, deadline - time.monotonic()))
        if question.known is None:
            reason = question.failure or f"no answer within {self._time:g} s"
            if self._breaker.note_failure(reason):
                logger.warning("the store cannot tell which crashes it has, so an upload may come twice: %s", reason)
            return None
        self._breaker.note_success()
        return question.known


class _Question:
    def __init__(self, store: CrashStorageBase, crash_ids: Sequence[str], done: Callable[[], None]) -> None:
        self._store = store
        self._crash_ids = crash_ids
        self._done = done
        self.answered = threading.Event()
        self.known: Mapping[str, str] | None = None
        self.failure = ""

    def ask(self) -> None:
        try:
            known = {}
            for crash_id in self._crash_ids:
                if (raw_crash := stored_crash(self._store, crash_id)) is not None:
                    known[crash_id] = checksum_of(raw_crash.get("metadata"))
            self.known = known
        except CrashStorageError as error:
            self.failure = str(error)
        except Exception as error:
            logger.exception("a bug: the store cannot be asked")
            self.failure = f"a bug: {type(error).__name__}"
        finally:
            self._done()
            self.answered.set()
