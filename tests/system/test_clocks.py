"""The clock on the wall jumps by hours while crashes are delayed and in work: none is lost, early, late or taken twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.daemon import DEADLINE, eventually
from tests.system.embedded import EmbeddedInstallation, embedded_installation
from tests.system.fake_time import WallClock

DELAY = 8.0

RULE = """
import json
import time
from pathlib import Path

from socorro_processor.configuration import Namespace
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import PermanentStorageError
from socorro_processor.pipeline.rule import Rule


class Wait(Rule):
    required_config = Namespace()
    required_config.add_option("directory", default="", doc="where the attempts are noted")

    def action(self, crash):
        directory = Path(self.config.directory)
        with (directory / "attempts").open("a") as file:
            file.write(json.dumps([crash.id, time.time(), time.monotonic()]) + "\\n")
        while crash.raw.get("Long") and not (directory / "go on").exists():
            time.sleep(0.05)
        return True


class Choosy(CrashStorageBase):
    required_config = Namespace()
    required_config.add_option("directory", default="", doc="where a file says that it takes all")

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        if raw_crash.get("Refused") and not (Path(self.config.directory) / "take all").exists():
            raise PermanentStorageError("it is not to my liking")
"""


@pytest.fixture(params=["sqlite", "rabbitmq"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    with embedded_installation(request.param, tmp_path, retry_delays=f"{DELAY:g}") as installation:
        installation.plug_in("slow", RULE)
        installation.use_rule("slow.Wait")
        installation.set("processor.own.Wait.directory", str(tmp_path))
        installation.set("destination.crashstorage_class", "socorro_processor.crashstorage.poly.PolyCrashStorage")
        stores = "socorro_processor.crashstorage.filesystem.FileSystemCrashStorage, slow.Choosy"
        installation.set("destination.storage_classes", stores)
        installation.set("destination.storage1.directory", str(tmp_path))
        yield installation


def attempts(installation: EmbeddedInstallation, crash_id: str) -> list[tuple[float, float]]:
    """When each began: by the clock on the wall of its processor, and by one that nobody sets."""
    path = installation.directory / "attempts"
    lines: list[list[Any]] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(wall, true) for each, wall, true in lines if each == crash_id]


@pytest.mark.parametrize("jumps", [(3, -5), (-5, 3)], ids=["forward and back", "back and forward"])
def test_delays_and_leases_do_not_move_with_the_clock_on_the_wall(installation, tmp_path, jumps):
    clock = WallClock(tmp_path / "clock")
    refused = [installation.submit_crash(Refused="yes") for _ in range(3)]
    in_work = installation.submit_crash(Long="yes")
    # One that keeps the true time looks on, and would take what it thinks is due or abandoned.
    installation.start()
    installation.environment |= clock.environment
    installation.start()
    submitted = [*refused, in_work]
    eventually(lambda: all(attempts(installation, crash_id) for crash_id in submitted))
    for hours in jumps:
        clock.set_by(hours)
        later = installation.submit_crash()
        eventually(lambda later=later: installation.is_processed(later))
    (installation.directory / "take all").touch()
    for crash_id in refused:
        eventually(lambda crash_id=crash_id: len(attempts(installation, crash_id)) == 2)
        (_, first), (_, second) = attempts(installation, crash_id)
        assert DELAY - 0.1 <= second - first < DEADLINE
    (installation.directory / "go on").touch()
    eventually(lambda: installation.is_processed(in_work))
    assert len(attempts(installation, in_work)) == 1
    depths = installation.queue_of_its_own.depths()
    assert (depths.parked, depths.rejected) == (0, 0)
