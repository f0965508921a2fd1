"""The wall clock jumps by hours while crashes are delayed and in work: none is lost, early, late or processed twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemon import DEADLINE, eventually
from tests.system.embedded import EmbeddedInstallation, embedded_installation
from tests.system.fake_time import WallClock

LEASE = 10.0
DELAY = 15.0
"""Longer than a lease, so that an unrenewed one expires while a crash waits for its retry."""

OWN = """
import json
import time
from pathlib import Path

from socorro_processor.configuration import Namespace
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import PermanentStorageError
from socorro_processor.pipeline.rule import Rule


def note_attempt(directory, crash_id):
    with (directory / "attempts").open("a") as file:
        file.write(json.dumps([crash_id, time.monotonic()]) + "\\n")


class LongRule(Rule):
    required_config = Namespace()
    required_config.add_option("directory", default="", doc="where attempts are noted, and a file says go on")

    def predicate(self, crash):
        return "Long" in crash.raw

    def action(self, crash):
        directory = Path(self.config.directory)
        note_attempt(directory, crash.id)
        while not (directory / "go on").exists():
            (directory / "new").write_text(str(time.time()))
            (directory / "new").replace(directory / "clock on the wall")
            time.sleep(0.05)
        return True


class Choosy(CrashStorageBase):
    required_config = Namespace()
    required_config.add_option("directory", default="", doc="where attempts are noted")

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        directory = Path(self.config.directory)
        if "Refused" not in raw_crash:
            return
        first = crash_id not in (directory / "attempts").read_text()
        note_attempt(directory, crash_id)
        if first:
            raise PermanentStorageError("it is not to my liking")
"""


@pytest.fixture(params=["sqlite", "rabbitmq"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    with embedded_installation(request.param, tmp_path, retry_delays=f"{DELAY:g}") as installation:
        if request.param == "sqlite":
            installation.set("new_crash_source.lease_time", f"{LEASE:g}")
        (tmp_path / "attempts").touch()
        installation.plug_in("own", OWN)
        installation.use_rule("own.LongRule")
        installation.set("processor.own.LongRule.directory", str(tmp_path))
        installation.set("destination.crashstorage_class", "socorro_processor.crashstorage.poly.PolyCrashStorage")
        stores = "socorro_processor.crashstorage.filesystem.FileSystemCrashStorage, own.Choosy"
        installation.set("destination.storage_classes", stores)
        installation.set("destination.storage1.directory", str(tmp_path))
        yield installation


def attempts(installation: EmbeddedInstallation, crash_id: str) -> list[float]:
    """Return when each attempt of a crash began, by a clock that nobody sets."""
    lines = (installation.directory / "attempts").read_text().splitlines()
    return [when for each, when in map(json.loads, lines) if each == crash_id]


def ahead(installation: EmbeddedInstallation) -> float:
    """Return the seconds by which the clock of the working processor is ahead of the true time."""
    return float((installation.directory / "clock on the wall").read_text()) - time.time()


def jump(installation: EmbeddedInstallation, clock: WallClock, hours: int) -> None:
    """Set the clock of the working processor, and see that crashes are still processed."""
    clock.set_by(hours)
    eventually(lambda: abs(ahead(installation) - hours * 3600) < DEADLINE)
    later = installation.submit_crash()
    eventually(lambda: installation.is_processed(later))


@pytest.mark.parametrize("jumps", [(3, -5), (-5, 3)], ids=["forward and back", "back and forward"])
def test_delays_and_leases_do_not_follow_the_wall_clock(installation, tmp_path, jumps):
    clock = WallClock(tmp_path / "clock")
    refused = [installation.submit_crash(Refused="yes") for _ in range(3)]
    in_work = installation.submit_crash(Long="yes")
    true_time = dict(installation.environment)
    installation.environment |= clock.environment
    installation.start()
    eventually(lambda: all(attempts(installation, crash_id) for crash_id in (*refused, in_work)))
    # A second processor with the true time would take whatever it believes to be due or abandoned.
    installation.environment = true_time
    installation.start()
    jump(installation, clock, jumps[0])
    for crash_id in refused:
        eventually(lambda crash_id=crash_id: len(attempts(installation, crash_id)) == 2)
        first, second = attempts(installation, crash_id)
        assert DELAY - 0.1 <= second - first < DEADLINE
    jump(installation, clock, jumps[1])
    (installation.directory / "go on").touch()
    eventually(lambda: installation.is_processed(in_work))
    assert len(attempts(installation, in_work)) == 1
    depths = installation.queue_of_its_own.depths()
    assert (depths.parked, depths.rejected) == (0, 0)
