"""A processor in a process of its own, for tests that kill it: OPTIONS as JSON, COUNT, BEGIN.

Takes COUNT crashes, begins them if BEGIN is ``begin``, prints each, and never ends them.
"""

from __future__ import annotations

import json
import sys

from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue

if __name__ == "__main__":
    queue = RabbitMQCrashQueue(defaults(RabbitMQCrashQueue, **json.loads(sys.argv[1])))
    crashes = filter(None, queue.new_crashes())
    for _ in range(int(sys.argv[2])):
        delivery = next(crashes)
        if sys.argv[3] == "begin":
            queue.begin(delivery)
        print(json.dumps([delivery.crash_id, delivery.attempt, delivery.suspect]), flush=True)
    sys.stdin.read()
