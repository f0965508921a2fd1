"""Walks that were killed, but not by us: whose fault that was.

- Whoever stops or restarts a service signals all of its processes; the kernel kills a large one where
  memory runs out. No crash is at fault, and what the stackwalker had printed by then says nothing of it.
- A hostile dump may bring about the same: it may hang until a ``timeout`` in front of the stackwalker
  ends it, or make the stackwalker grow until a container's memory is used up. It must not be tried for
  ever, for with each attempt the processor believes that its machine is ill, and pauses.
"""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from socorro_processor.machine.bounded_program import SIGNAL_BASE, Limits, Outcome
from socorro_processor.monitoring.blame_counter import OTHERS, BlameCounter

_SENT_BY_OTHERS = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL}
"""No fault of a program raises them; memory that it is refused (its own limit) ends it by SIGABRT."""

_CPU_COUNT_IS_EXACT_TO = 0.9
"""The kernel counts by ticks for the limit, and more exactly for what it tells afterwards."""

_MAXIMUM_KILLS = 3
_REMEMBERED = 1000


def killed_by_another(outcome: Outcome, limits: Limits) -> bool:
    """Return True if it died of a signal that neither this process nor the kernel sent because of its limits."""
    if outcome.timed_out or outcome.output_too_large or outcome.memory_too_large:
        return False
    code = outcome.return_code
    number = -code if code < 0 else code - SIGNAL_BASE
    if number != signal.SIGKILL:
        return number in _SENT_BY_OTHERS
    # A program that ignores SIGXCPU gets SIGKILL at the hard limit: ours, or a lower one that we were given.
    own_limit = resource.getrlimit(resource.RLIMIT_CPU)[1]
    cpu_limit = limits.cpu if own_limit == resource.RLIM_INFINITY else min(limits.cpu, own_limit)
    if outcome.cpu_seconds >= cpu_limit * _CPU_COUNT_IS_EXACT_TO:
        return False
    # Command lines of 2016 begin with `timeout -s KILL {kill_timeout}`, which runs out as our own does.
    return outcome.wall_seconds < limits.timeout


class Kills:
    """Counts by crash the walks that were killed by another. May be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._others = BlameCounter(clock)
        self._killed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def ended(self) -> None:
        """Note that a walk came to its end."""
        with self._lock:
            self._others.went_well()

    def is_own_fault(self, crash_id: str) -> bool:
        """Count a walk of this crash that was killed. Return True if the crash is to blame.

        It is if it was killed in three attempts, and OTHERS walks came to their end meanwhile: then it is not the
        machine. While nothing else is walked nobody can tell, and nobody is kept waiting.
        """
        with self._lock:
            times, since = self._killed.pop(crash_id, (0, self._clock()))
            if times + 1 >= _MAXIMUM_KILLS and self._others.others_since(since) >= OTHERS:
                return True
            self._killed[crash_id] = times + 1, since
            while len(self._killed) > _REMEMBERED:
                self._killed.popitem(last=False)
            return False
