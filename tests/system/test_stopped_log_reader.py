"""The reader of the daemon's log stops: its pipe fills up, and the work goes on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.system.daemon import Daemon, Installation, eventually
from tests.system.embedded import EmbeddedInstallation, embedded_installation
from tests.system.test_operation import get

MAXIMUM_CRASH_TIME = 5.0
A_LITTLE = 10.0
"""Seconds in which a hanging processor reports itself and ends, on a busy machine."""
LINES = 3_000

RULE = f"""
import logging
import time
from pathlib import Path
from socorro_processor.pipeline.rule import Rule

class OperatorsRule(Rule):
    def action(self, crash):
        crash.processed["signature"] = "done"
        if crash.raw.get("Talks"):
            for number in range({LINES}):
                logging.getLogger("operators").info("line %d %s", number, "x" * 1000)
                print("printed")
        while crash.raw.get("Hangs") and not Path("mended").exists():
            logging.getLogger("operators").info("hangs %s", "x" * 1000)
            time.sleep(0.01)
"""


@pytest.fixture(params=["sqlite", "rabbitmq"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    with embedded_installation(request.param, tmp_path, "0.2") as installation:
        installation.plug_in("operators", RULE)
        installation.use_rule("operators.OperatorsRule")
        yield installation


@pytest.fixture
def reading() -> Iterator[threading.Event]:
    """The log is read while it is set."""
    reading = threading.Event()
    reading.set()
    yield reading
    reading.set()


def all_processed(installation: Installation, crash_ids: list[str], daemon: Daemon) -> None:
    eventually(lambda: all(map(installation.is_processed, crash_ids)), lambda: f"not processed; log:\n{daemon.log}")


def dropped(port: int) -> int:
    """Return the number of lines that the processor reports as dropped."""
    [line] = [line for line in get(port, "/metrics")[1].splitlines() if line.startswith("processor_log_dropped_total ")]
    return int(float(line.split()[1]))


def test_crashes_are_processed_and_lost_log_lines_are_counted_and_reported(installation, reading):
    port = free_port()
    daemon = installation.start(f"--health.port={port}", "--logging.format=json", reading=reading)
    reading.clear()
    all_processed(installation, [installation.submit_crash(Talks="1") for _ in range(4)], daemon)
    all_processed(installation, [installation.submit_crash() for _ in range(40)], daemon)
    assert get(port, "/healthz")[0] == 200
    assert dropped(port) > LINES
    reading.set()
    daemon.wait_for_log("missing here")
    # The last crash may have been logged after it was seen as processed.
    counted = dropped(port)
    assert daemon.stop() == 0
    log = [json.loads(line) for line in daemon.log.splitlines() if line.startswith("{")]
    said = [int(line["message"].split()[0]) for line in log if "missing here" in line["message"]]
    assert sum(said) == counted
    assert log[-1]["message"] == "the processor has ended"


def test_a_processor_that_hangs_says_so_in_healthz_and_ends_with_70_and_another_gets_its_crashes(installation, reading):
    port = free_port()
    installation.set("app.maximum_crash_time", str(MAXIMUM_CRASH_TIME))
    daemon = installation.start(f"--health.port={port}", reading=reading)
    reading.clear()
    crash_ids = [installation.submit_crash(Hangs="1") for _ in range(2)]
    deadline = time.monotonic() + MAXIMUM_CRASH_TIME + A_LITTLE
    statuses = []
    while daemon.process.poll() is None and time.monotonic() < deadline:
        # The process may end in the middle of an answer.
        with suppress(OSError, HTTPException):
            statuses.append(get(port, "/healthz")[0])
        time.sleep(0.05)
    assert daemon.process.poll() == 70
    assert (statuses[0], statuses[-1]) == (200, 503)
    (installation.directory / "mended").touch()
    another = installation.start()
    all_processed(installation, crash_ids, another)
    assert another.stop() == 0


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_the_last_words_before_exit_code_70_are_in_a_log_that_is_read(installation, reading):
    installation.set("app.maximum_crash_time", str(MAXIMUM_CRASH_TIME))
    daemon = installation.start(reading=reading)
    crash_id = installation.submit_crash(Hangs="1")
    assert daemon.wait() == 70
    assert f"{crash_id} has been in work for" in daemon.log
    assert daemon.log.count("in action") >= 1
    assert daemon.log.endswith("\n")


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_a_processor_that_is_told_to_stop_ends_in_time(installation, reading):
    daemon = installation.start(reading=reading)
    reading.clear()
    all_processed(installation, [installation.submit_crash(Talks="1") for _ in range(2)], daemon)
    daemon.process.terminate()
    assert daemon.process.wait(A_LITTLE) == 0


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_a_wrong_configuration_ends_the_processor_with_2_though_the_pipe_is_full(installation, reading):
    reading.clear()
    daemon = Daemon(installation, ("--app.maximum_attempts=" + "x" * 10_000,), reading)
    assert daemon.process.wait(A_LITTLE) == 2


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_the_last_words_before_exit_code_2_are_in_a_log_that_is_read(installation, reading):
    daemon = Daemon(installation, ("--app.maximum_attempts=many", "--health.port=far"), reading)
    assert daemon.wait() == 2
    assert "app.maximum_attempts" in daemon.log
    assert daemon.log.endswith("\n")
