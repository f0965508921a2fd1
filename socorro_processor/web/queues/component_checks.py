"""Ask stores and the queue whether they answer, without waiting long for one that does not.

Each check has a thread of its own, and at most one: a store that hangs holds one thread, however often a page is shown.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from socorro_processor.errors import SocorroError

logger = logging.getLogger(__name__)

Check = Callable[[], str]
"""Returns a note, which may be empty. Raises SocorroError, which says what is wrong."""

State = Literal["answers", "fails", "silent", "unchecked"]
"""``silent``: there is no answer yet; ``unchecked``: the component has no check."""

PATIENCE = 1.0
"""Seconds that a page waits for all answers."""
FRESH = 10.0
"""Seconds in which an answer counts as that of now."""


@dataclass(frozen=True)
class CheckResult:
    part: str
    """Its section, such as ``destination.storage0``."""
    component: str
    state: State
    words: str = ""
    """The reason of a failure, or a note."""
    seconds: float = 0.0
    """The time that the answer took, or has taken so far."""


class ComponentChecks:
    """The checks of some components. Threads may share it."""

    def __init__(
        self,
        checks: Mapping[str, tuple[str, Check | None]],
        *,
        patience: float = PATIENCE,
        fresh: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``checks``: the name of each component and its check, by its part; None if it has no check."""
        self._patience = patience
        self._clock = clock
        self._checks = [
            (part, component, _Running(part, check, fresh, clock) if check else None)
            for part, (component, check) in checks.items()
        ]

    def results(self) -> list[CheckResult]:
        """Return what each component answers now, or answered a few seconds ago. Waits for ``patience`` at most."""
        for _, _, running in self._checks:
            if running is not None:
                running.start()
        end = self._clock() + self._patience
        results = []
        for part, component, running in self._checks:
            if running is None:
                results.append(CheckResult(part, component, "unchecked"))
            else:
                results.append(running.result(component, max(0.0, end - self._clock())))
        return results


class _Running:
    """One check, which runs again when its result is not fresh any more."""

    def __init__(self, part: str, check: Check, fresh: float, clock: Callable[[], float]) -> None:
        self._part = part
        self._check = check
        self._fresh = fresh
        self._clock = clock
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._is_running = False
        self._started = 0.0
        self._ended: float | None = None
        self._state: State = "silent"
        self._words = ""

    def start(self) -> None:
        with self._lock:
            is_fresh = self._ended is not None and self._clock() - self._ended < self._fresh
            if self._is_running or is_fresh:
                return
            self._is_running = True
            self._started = self._clock()
            self._done.clear()
        threading.Thread(target=self._run, name=f"check of {self._part}", daemon=True).start()

    def result(self, component: str, patience: float) -> CheckResult:
        self._done.wait(patience)
        with self._lock:
            if self._is_running or self._ended is None:
                return CheckResult(self._part, component, "silent", "", self._clock() - self._started)
            return CheckResult(self._part, component, self._state, self._words, self._ended - self._started)

    def _run(self) -> None:
        state: State = "fails"
        try:
            words = self._check()
            state = "answers"
        except SocorroError as error:
            words = str(error)
        except Exception as error:
            # A fault in an operator's own store must not take the page away.
            logger.exception("the check of %s failed", self._part)
            words = f"it cannot be checked: {type(error).__name__}; the server's log says where"
        with self._lock:
            self._state, self._words = state, words
            self._ended = self._clock()
            self._is_running = False
            self._done.set()
