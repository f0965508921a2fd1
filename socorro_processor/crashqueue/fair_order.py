"""The order in which the three queues are served, and the crashes of each.

Each queue has a *turn*, a point on a common line. The queue with the earliest turn is served, and
its turn moves on by a step: the heavier its weight, the shorter the step. With 6, 3 and 1 the
steps are 3, 6 and 18, so that any ten crashes taken while all three have work are 6, 3 and 1.

    order = FairOrder(parse_weights("priority=6, normal=3, reprocessing=1"))
    order.take({"priority": 0, "normal": 2, "reprocessing": 1})  # "normal"

Within a queue, crashes that were not tried yet go first, or a few that fail again and again would
keep all others waiting; but every fourth at least is one that is tried again, where one is due.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from socorro_processor.crashqueue.base import QUEUES, QueueName

DEFAULT_WEIGHTS = "priority=6, normal=3, reprocessing=1"

MAXIMUM_JUMPS = 9
"""The number of priority crashes in a row that may jump the line while others wait."""

UNTRIED_IN_A_ROW = 3
"""The number of untried crashes of a queue that go before one that is due to be tried again."""


def parse_weights(text: str) -> dict[QueueName, int]:
    """Read weights like ``priority=6, normal=3, reprocessing=1``. Raises ValueError."""
    weights: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        if name not in QUEUES:
            raise ValueError(f"weights {text!r}: {name!r} is not a queue; there are {', '.join(QUEUES)}")
        if name in weights:
            raise ValueError(f"weights {text!r}: {name} is there twice")
        if not re.fullmatch(r"[1-9][0-9]{0,5}", number, re.ASCII):
            raise ValueError(f"weights {text!r}: {name} needs a whole number from 1 to 999999, not {number!r}")
        weights[name] = int(number)
    missing = [queue for queue in QUEUES if queue not in weights]
    if missing:
        raise ValueError(f"weights {text!r}: {', '.join(missing)} missing; expected e.g. {DEFAULT_WEIGHTS!r}")
    return {queue: weights[queue] for queue in QUEUES}


class FairOrder:
    """Says which queue the next crash is taken from. For one thread at a time.

    - While all queues have work, each has its share of every window as long as the sum of weights.
    - A queue without work leaves its share to the others. It neither saves it up nor is it made
      to pay later for having had more than its share while it was the only one.
    - A priority crash that arrives at an empty priority queue is the next one taken, up to
      ``MAXIMUM_JUMPS`` in a row: a stream of them, each arriving just after the last was taken,
      leaves every tenth crash to the others.
    """

    def __init__(self, weights: Mapping[QueueName, int]) -> None:
        scale = math.lcm(*weights.values())
        self._steps = {queue: scale // weights[queue] for queue in QUEUES}
        self._turns = dict.fromkeys(QUEUES, 0)
        self._now = 0
        self._was_empty = set(QUEUES)
        self._jumps = 0

    def take(self, waiting: Mapping[QueueName, int]) -> QueueName | None:
        """Return the queue to take the next crash from, which counts as taken; None if none waits.

        ``waiting``: how many wait in each queue; whether none, one or more is all that matters,
        so that a caller need not count beyond two.
        """
        ready = [queue for queue in QUEUES if waiting[queue]]
        arrived = self._was_empty.intersection(ready)
        self._was_empty = {queue for queue in QUEUES if not waiting[queue]}
        if not ready:
            return None
        for queue in ready:
            # What it did not use while it was empty is gone.
            self._turns[queue] = max(self._turns[queue], self._now)
        others = [queue for queue in ready if queue != "priority"]
        arrival = "priority" in arrived and bool(others)
        if arrival and self._jumps < MAXIMUM_JUMPS:
            taken: QueueName = "priority"
            # A jump costs what a turn now would have, however many jumps there were before.
            self._turns[taken] = self._now
            self._jumps += 1
        else:
            # Ties go to the first of QUEUES: always the same, or a window could have one too many.
            taken = min(others if arrival else ready, key=self._turns.__getitem__)
            self._now = self._turns[taken]
            self._jumps = 0
        self._turns[taken] += self._steps[taken]
        if waiting[taken] == 1:
            self._was_empty.add(taken)
        return taken


class RetryOrder:
    """Says whether a queue's next crash is one that is tried again. For one thread at a time."""

    def __init__(self) -> None:
        self._untried = dict.fromkeys(QUEUES, 0)

    def retried_first(self, queue: QueueName) -> bool:
        """Return True if a retried crash that is due goes before those of this queue that were not tried yet."""
        return self._untried[queue] >= UNTRIED_IN_A_ROW

    def took(self, queue: QueueName, *, retried: bool) -> None:
        """Note that a crash of this queue was taken."""
        self._untried[queue] = 0 if retried else self._untried[queue] + 1
