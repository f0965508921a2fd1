"""Crashes that come through the front door: every answer is a promise, whatever happens to the server."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.collector.handover import HANDOVER_STEPS
from socorro_processor.collector.spool import SPOOL_STEPS
from socorro_processor.configuration import class_name
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.retention.bounds import Bounds
from tests.chaos.faults import Full
from tests.chaos.plan import Lane
from tests.chaos.run import run
from tests.chaos.served import (
    ServedSite,
    ServerDies,
    ServerFrozen,
    ServerGets,
    SpoolFull,
    StoreInTheWay,
)
from tests.system.daemon import configuration

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


class Quick(ServedSite):
    """The faults of the server and of what it writes to, one after the other without much rest; processors have none."""

    @classmethod
    def lanes_with(cls, processors: int) -> tuple[Lane, ...]:
        return (
            Lane(
                "server",
                0.8,
                (
                    ServerGets(signal.SIGKILL),
                    ServerGets(signal.SIGTERM),
                    ServerFrozen(lasts=(0.5, 1.0)),
                ),
            ),
            Lane(
                "server's steps",
                0.1,
                tuple(ServerDies(step, lasts=(1.0, 1.2)) for step in (*SPOOL_STEPS, *HANDOVER_STEPS)),
            ),
            Lane("spool's disk", 3.0, (SpoolFull("spool's disk", lasts=(1.5, 2.0)),)),
            Lane("store's disk", 3.0, (Full("store's disk", lasts=(0.5, 1.0)),)),
            Lane("store", 3.0, (StoreInTheWay(lasts=(0.5, 1.0)),)),
        )


def test_some_seconds_of_chaos_break_no_promise_and_leave_nothing_behind(tmp_path: Path):
    report = run(Quick(tmp_path, {}, processors=1), seconds=14.0, rate=12.0)

    print(report.facts)
    print("\n".join(report.lines()))
    assert report.is_clean, "\n".join(report.lines())
