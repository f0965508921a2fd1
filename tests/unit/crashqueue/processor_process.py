"""A processor as a process of its own, for tests that kill it or run many: PATH WORK [DIRECTORY].

``hold``: take one crash, begin it, say so, and never end it. ``finish``: process until nothing is left, with a
file in DIRECTORY for each crash in flight, and say each id that was acked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue


def hold(queue: SQLiteCrashQueue) -> None:
    delivery = next(filter(None, queue.new_crashes()))
    queue.begin(delivery)
    print(delivery.crash_id, flush=True)
    sys.stdin.read()


def finish(queue: SQLiteCrashQueue, directory: Path) -> None:
    acked = []
    for delivery in queue.new_crashes():
        if delivery is None:
            break
        queue.begin(delivery)
        in_flight = directory / delivery.crash_id
        in_flight.touch(exist_ok=False)
        in_flight.unlink()
        queue.ack(delivery)
        acked.append(delivery.crash_id)
    print("\n".join(acked))


if __name__ == "__main__":
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=sys.argv[1], busy_timeout=30.0, idle_delay=1.0))
    if sys.argv[2] == "hold":
        hold(queue)
    else:
        finish(queue, Path(sys.argv[3]))
    queue.close()
