"""A process of its own on the queue, for tests that kill it or run many: PATH WORK [DIRECTORY or CRASH_ID...].

``hold``: take one crash, begin it, say so, and never end it. ``finish``: process until nothing is left, with a
file in DIRECTORY for each crash in flight, and print each id that was acked. ``submit``: open the file again for each
CRASH_ID, and print those that were confirmed; others are printed with the error. ``submit-patiently``: the same, and
wait for others as long as it takes. ``submit-for-ever``: submit new crashes, a few each time that the file is open, and
print those that were confirmed. ``take``: print each id once.
"""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError

BUSY_TIMEOUTS = {"submit": 2.0, "submit-patiently": 60.0}


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


def submit(path: str, busy_timeout: float, crash_ids: list[str]) -> None:
    for crash_id in crash_ids:
        try:
            queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path, busy_timeout=busy_timeout))
            queue.submit(crash_id)
            queue.close()
        except CrashQueueError as error:
            print(f"{crash_id}: {error}")
        else:
            print(crash_id, flush=True)


def submit_for_ever(path: str) -> None:
    for _ in iter(int, 1):
        with suppress(CrashQueueError), closing(SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path))) as queue:
            for _ in range(9):
                crash_id = new_crash_id()
                queue.submit(crash_id)
                print(crash_id, flush=True)


def take(queue: SQLiteCrashQueue) -> None:
    for delivery in queue.new_crashes():
        if delivery is None:
            break
        print(delivery.crash_id)
        queue.ack(delivery)


if __name__ == "__main__":
    if sys.argv[2] in BUSY_TIMEOUTS:
        submit(sys.argv[1], BUSY_TIMEOUTS[sys.argv[2]], sys.argv[3:])
        sys.exit()
    if sys.argv[2] == "submit-for-ever":
        submit_for_ever(sys.argv[1])
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=sys.argv[1], busy_timeout=30.0, idle_delay=1.0))
    if sys.argv[2] == "hold":
        hold(queue)
    elif sys.argv[2] == "take":
        take(queue)
    else:
        finish(queue, Path(sys.argv[3]))
    queue.close()
