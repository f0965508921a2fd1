"""The status of the queues at one moment: how many crash ids are where, and which, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from socorro_processor.crashqueue.base import (
    QUEUES,
    CrashQueueBase,
    Depths,
    InFlight,
    PendingCrash,
    QueueName,
    SetAsideState,
)


@dataclass(frozen=True)
class QueueStatus:
    depths: Depths
    in_flight: InFlight
    with_ids: bool

    @classmethod
    def of(cls, queue: CrashQueueBase, *, ids: bool = False) -> Self:
        """Return the current status of the queues. Raises CrashQueueError."""
        # In this order, a crash that is taken between the two is counted twice rather than not at all.
        depths = queue.depths()
        return cls(depths, queue.in_flight(ids=ids), ids)

    def in_work(self, queue: QueueName) -> str:
        """Return the number of crashes in work; ``3+?`` or ``?`` if a process did not answer."""
        return self._number(self.in_flight.in_work.get(queue, 0), queue)

    def prefetched(self, queue: QueueName) -> str:
        return self._number((self.in_flight.prefetched or {}).get(queue, 0), queue)

    def not_listed(self) -> dict[str, int]:
        """Return the numbers of crashes that are counted but not listed, by where they are."""
        crashes = self.in_flight.crashes
        held = sum(self.in_flight.in_work.values()) + sum((self.in_flight.prefetched or {}).values())
        delayed = sum(depth.delayed for depth in self.depths.queues.values())
        listed = sum(crash.state == "delayed" for crash in crashes)
        counts = {"in flight": held - (len(crashes) - listed), "delayed": delayed - listed}
        return {where: count for where, count in counts.items() if count > 0}

    def why(self, crash: PendingCrash) -> str:
        """Return why a crash is where it is; the text may quote a stranger."""
        due = crash.due.isoformat(timespec="seconds") if crash.due else ""
        if crash.state == "delayed":
            return f"delayed until {due}" + (f": {crash.reason}" if crash.reason else "")
        words: str = "taken, waits for a free thread" if crash.state == "taken" else crash.state
        if crash.state == "prefetched" and due:
            words += f", not taken before {due}"
        if crash.reason:
            words += f"; its last attempt failed: {crash.reason}"
        elif crash.state == "prefetched" and (pause := self._pause(crash.process)):
            words += f"; its process takes no crashes now: {pause}"
        return words

    def as_object(self) -> dict[str, Any]:
        """Return the status for JSON; a number that is not known is None."""
        in_flight = self.in_flight
        values = asdict(self.depths)
        for queue in QUEUES:
            known = self._is_known(queue)
            values["queues"][queue]["in_flight"] = in_flight.in_work.get(queue, 0) if known else None
            if in_flight.prefetched is not None:
                values["queues"][queue]["prefetched"] = in_flight.prefetched.get(queue, 0) if known else None
        values["processes"] = [
            {
                "process": each.process,
                "in_flight": dict(each.in_work),
                **({"prefetched": dict(each.prefetched)} if in_flight.prefetched is not None else {}),
                "pause": each.pause,
            }
            for each in in_flight.processes
        ]
        values["silent_consumers"] = {queue: count for queue, count in in_flight.silent.items() if count}
        if self.with_ids:
            values["crashes"] = [
                asdict(crash)
                | {"since": crash.since and crash.since.isoformat(), "due": crash.due and crash.due.isoformat()}
                for crash in in_flight.crashes
            ]
        return values

    def _is_known(self, queue: QueueName) -> bool:
        return not self.in_flight.silent.get(queue)

    def _number(self, number: int, queue: QueueName) -> str:
        if self._is_known(queue):
            return str(number)
        return f"{number}+?" if number else "?"

    def _pause(self, process: str) -> str:
        return next((each.pause for each in self.in_flight.processes if each.process == process), "")


def count_purgeable(depths: Depths, name: QueueName | SetAsideState) -> int:
    """Return the number of crashes that wait or are delayed in a queue, or that were set aside."""
    if name == "parked" or name == "rejected":
        return depths.parked if name == "parked" else depths.rejected
    return depths.queues[name].waiting + depths.queues[name].delayed
