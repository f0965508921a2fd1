"""A collector that is killed between any two of its steps loses nothing that it answered, and keeps nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socorro_processor.collector.handover import HANDOVER_STEPS
from socorro_processor.collector.identity import Report, checksum_of
from socorro_processor.collector.spool import SPOOL_STEPS
from socorro_processor.crash_id import ACCEPTED
from tests.collector_site import MOMENT, Site, report_id
from tests.shared import REPOSITORY
from tests.unit.collector.dying_collector import UPLOADS, dump

PROGRAM = Path(__file__).parent / "dying_collector.py"


def run_until_killed(directory: Path, step: str, times: int, first: int = 0) -> list[str]:
    """Run the program; return what it answered."""
    result = subprocess.run(
        [sys.executable, str(PROGRAM), str(directory), step, str(times), str(first)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize("times", range(1, UPLOADS + 1))
@pytest.mark.parametrize("step", [*SPOOL_STEPS, *HANDOVER_STEPS])
def test_killed_after_a_step_every_answered_crash_is_there_once_and_no_half_one(tmp_path, step, times):
    answered = run_until_killed(tmp_path, step, times)
    assert len(answered) == (times - 1 if step in SPOOL_STEPS else UPLOADS)
    with Site(tmp_path) as site:
        assert site.files("writing") == []
        site.hand_over()
        assert set(answered) <= site.stored().keys()
        assert set(answered) <= set(site.queued())
        assert site.files("ready") == site.files("aside") == site.files("moving") == []

        # A client without an answer sends again; one that has an answer may do so too.
        again = [
            site.send({"upload_file_minidump": dump(number)}, report_id=report_id(number)).crash_id
            for number in range(UPLOADS)
        ]
        assert again[: len(answered)] == answered
        site.hand_over()
        assert site.stored() == dict.fromkeys(again, 1)
        assert set(site.queued()) <= set(again)
        for number, crash_id in enumerate(again):
            assert site.store.get_raw_dumps(crash_id) == {"upload_file_minidump": dump(number)}
            raw_crash = site.store.get_raw_crash(crash_id)
            assert raw_crash["uuid"] == crash_id
            checksum = checksum_of(raw_crash["metadata"])
            assert crash_id == Report(report_id(number), checksum).crash_id(MOMENT.date(), ACCEPTED)


def test_killed_again_and_again_everything_arrives_in_the_end(tmp_path):
    answered = []
    for number, step in enumerate([*SPOOL_STEPS, *HANDOVER_STEPS]):
        answered += run_until_killed(tmp_path, step, 1 + number % UPLOADS, UPLOADS * number)
    assert len(answered) == len(set(answered)) >= UPLOADS * len(HANDOVER_STEPS)
    with Site(tmp_path) as site:
        site.hand_over()
        stored = site.stored()
        assert set(answered) <= stored.keys()
        assert set(answered) <= set(site.queued())
        assert set(stored.values()) == {1}
        assert site.files("aside") == site.files("writing") == []
