"""The order in which the three queues are served, and the crashes within each.

Each queue has a *turn*, a point on a common line. The queue with the earliest turn is served, and its turn moves on by
a step: the greater its weight, the shorter the step. With weights 6, 3 and 1 the steps are 3, 6 and 18: of ten crashes
in a row, taken while all three have work, 6 are from the first queue, 3 from the second, 1 from the third.

    order = FairOrder(parse_weights("priority=6, normal=3, reprocessing=1"))
    order.take({"priority": 0, "normal": 2, "reprocessing": 1})  # "normal"

Within a queue, untried crashes go first: otherwise a few that fail again and again would keep all others waiting. But
at least every fourth crash is a retry, while any is due.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from socorro_processor.crashqueue.base import QUEUES, QueueName

DEFAULT_WEIGHTS = "priority=6, normal=3, reprocessing=1"

MAXIMUM_JUMPS = 9
"""The number of priority crashes in a row that may jump the queue while others wait."""

UNTRIED_IN_A_ROW = 3
"""The number of untried crashes of a queue that go before a retry that is due."""


def parse_weights(text: str) -> dict[QueueName, int]:
    """Read weights like ``priority=6, normal=3, reprocessing=1``. Raises ValueError."""
    weights: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        if name not in QUEUES:
            raise ValueError(f"weights {text!r}: {name!r} is not a queue; there are {', '.join(QUEUES)}")
        if name in weights:
            raise ValueError(f"weights {text!r}: {name} is given twice")
        if not re.fullmatch(r"[1-9][0-9]{0,5}", number, re.ASCII):
            raise ValueError(f"weights {text!r}: {name} needs a whole number from 1 to 999999, not {number!r}")
        weights[name] = int(number)
    missing = [queue for queue in QUEUES if queue not in weights]
    if missing:
        raise ValueError(f"weights {text!r}: {', '.join(missing)} missing; expected e.g. {DEFAULT_WEIGHTS!r}")
    return {queue: weights[queue] for queue in QUEUES}


class FairOrder:
    """Chooses the queue that the next crash is taken from. For one thread at a time.

    - While all queues have work, each has its share of every window whose length is the sum of the weights.
    - A queue without work leaves its share to the others, and does not make up for it later. Nor does a queue pay
      later for having had more than its share while it was the only one with work.
    - A priority crash that arrives at an empty priority queue is taken next, up to ``MAXIMUM_JUMPS`` in a row. So a
      stream of them, each arriving just after the last was taken, leaves every tenth turn to the others.
    """

    def __init__(self, weights: Mapping[QueueName, int]) -> None:
        scale = math.lcm(*weights.values())
        self._steps = {queue: scale // weights[queue] for queue in QUEUES}
        self._turns = dict.fromkeys(QUEUES, 0)
        self._now = 0
        self._was_empty = set(QUEUES)
        self._jumps = 0

    def take(self, waiting: Mapping[QueueName, int]) -> QueueName | None:
        """Return the queue to take the next crash from, and count that crash as taken; None if all queues are empty.

        ``waiting``: the number of crashes that wait in each queue. A caller need not count beyond two.
        """
        ready = [queue for queue in QUEUES if waiting[queue]]
        arrived = self._was_empty.intersection(ready)
        self._was_empty = {queue for queue in QUEUES if not waiting[queue]}
        if not ready:
            return None
        for queue in ready:
            # A share that the queue did not use while it was empty is lost.
            self._turns[queue] = max(self._turns[queue], self._now)
        others = [queue for queue in ready if queue != "priority"]
        arrival = "priority" in arrived and bool(others)
        if arrival and self._jumps < MAXIMUM_JUMPS:
            taken: QueueName = "priority"
            # A jump costs as much as a turn now, however many jumps came before it.
            self._turns[taken] = self._now
            self._jumps += 1
        else:
            # Ties always go to the first of QUEUES: otherwise a window could have one crash of a queue too many.
            taken = min(others if arrival else ready, key=self._turns.__getitem__)
            self._now = self._turns[taken]
            self._jumps = 0
        self._turns[taken] += self._steps[taken]
        if waiting[taken] == 1:
            self._was_empty.add(taken)
        return taken


class RetryOrder:
    """Decides whether a queue's next crash is a retry. For one thread at a time."""

    def __init__(self) -> None:
        self._untried = dict.fromkeys(QUEUES, 0)

    def is_retry_next(self, queue: QueueName) -> bool:
        """Return True if a retry that is due goes before the untried crashes of this queue."""
        return self._untried[queue] >= UNTRIED_IN_A_ROW

    def note_taken(self, queue: QueueName, *, retried: bool) -> None:
        """Note that a crash of this queue was taken."""
        self._untried[queue] = 0 if retried else self._untried[queue] + 1
