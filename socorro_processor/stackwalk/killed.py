"""Find out who is to blame for a walk that was killed, if we did not kill it.

- Stopping or restarting a service signals all of its processes, and the kernel kills a large process if
  memory runs out. Then the crash is not to blame, and the stackwalker's output so far is worthless.
- A hostile dump may look the same: it may hang the stackwalker until a ``timeout`` in front of it
  ends it, or make it grow until a container's memory is used up. It must not be tried for ever,
  because after each attempt the processor believes that its machine is ill, and pauses.
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
"""Signals that a program's own bugs do not raise; a program that is refused memory ends by SIGABRT."""

_CPU_COUNT_PRECISION = 0.9
"""The kernel counts ticks against the limit, but reports the time used more exactly."""

_MAXIMUM_KILLS = 3
_REMEMBERED_CRASHES = 1000


def killed_by_another(outcome: Outcome, limits: Limits) -> bool:
    """Return True if the program died of a signal that was not sent because of its limits."""
    if outcome.timed_out or outcome.output_too_large or outcome.memory_too_large:
        return False
    code = outcome.return_code
    number = -code if code < 0 else code - SIGNAL_BASE
    if number != signal.SIGKILL:
        return number in _SENT_BY_OTHERS
    # A program that ignores SIGXCPU gets SIGKILL at the hard limit: its own, or this process's if that is lower.
    own_limit = resource.getrlimit(resource.RLIMIT_CPU)[1]
    cpu_limit = limits.cpu if own_limit == resource.RLIM_INFINITY else min(limits.cpu, own_limit)
    if outcome.cpu_seconds >= cpu_limit * _CPU_COUNT_PRECISION:
        return False
    # Command lines of 2016 begin with `timeout -s KILL {kill_timeout}`, which ends it as our own timeout does.
    return outcome.wall_seconds < limits.timeout


class Kills:
    """Counts, by crash, the walks that others killed. May be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._others = BlameCounter(clock)
        self._killed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def ended(self) -> None:
        """Note that a walk ended."""
        with self._lock:
            self._others.note_success()

    def is_own_fault(self, crash_id: str) -> bool:
        """Count a walk of this crash that was killed. Return True if the crash is to blame.

        It is if it was killed in three attempts while OTHERS walks ended: the machine is not at fault. While nothing
        else is walked nobody can tell, and no other crash has to wait.
        """
        with self._lock:
            times, since = self._killed.pop(crash_id, (0, self._clock()))
            if times + 1 >= _MAXIMUM_KILLS and self._others.others_since(since) >= OTHERS:
                return True
            self._killed[crash_id] = times + 1, since
            while len(self._killed) > _REMEMBERED_CRASHES:
                self._killed.popitem(last=False)
            return False
