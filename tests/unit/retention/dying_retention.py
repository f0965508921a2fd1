"""A program: a round of retention that kills itself before one of its changes of the store, as ``kill -9`` would.

    python dying_retention.py DIRECTORY NUMBER

NUMBER is that of the change, from 1. It ends with 0 if there are fewer.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from socorro_processor.crashstorage.base import Dump
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.store import RetainedStore
from tests.retention_site import RetentionSite

BOUNDS = Bounds(days=90, dumps=1)

_left = int(sys.argv[2]) if __name__ == "__main__" else 0


def die_in_turn() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingStore(RetainedStore):
    def delete(self, key: str) -> bool:
        die_in_turn()
        return super().delete(key)

    def put(self, key: str, content: Dump) -> None:
        die_in_turn()
        super().put(key, content)


if __name__ == "__main__":
    with RetentionSite(Path(sys.argv[1]), DyingStore) as site:
        site.keep(BOUNDS)
