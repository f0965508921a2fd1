"""A round that is killed before any of its changes is finished by the next one, which leaves nothing half."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socorro_processor.retention.bounds import Bounds
from tests.retention_site import RetentionSite
from tests.shared import REPOSITORY
from tests.unit.retention.dying_retention import BOUNDS

PROGRAM = Path(__file__).parent / "dying_retention.py"


def run(directory: Path, number: int) -> int:
    """Run the program; return how it ended."""
    result = subprocess.run(
        [sys.executable, str(PROGRAM), str(directory), str(number)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in (0, -signal.SIGKILL), result.stderr
    return result.returncode


def test_killed_before_each_change_the_next_round_leaves_nothing_half(tmp_path):
    before = tmp_path / "before"
    with RetentionSite(before) as site:
        old, stripped, newest = site.crash(100), site.crash(2), site.crash(1)
    killed = 0
    while True:
        directory = tmp_path / f"killed{killed}"
        shutil.copytree(before, directory)
        if run(directory, killed + 1) == 0:
            break
        killed += 1
        with RetentionSite(directory) as site:
            site.keep(BOUNDS)
            assert site.files(old) == []
            assert site.parts(stripped) == {"raw_crash", "dump_names", "processed_crash", "dumps_removed"}
            assert site.parts(newest) == {"raw_crash", "dump_names", "processed_crash", "dump", "log"}
            assert site.kept() == site.indexed() == {stripped, newest}
            assert site.keep(BOUNDS).removed == {}
    # At least once for each file that goes.
    assert killed >= 5 + 3


def test_what_was_begun_is_finished_even_if_the_bounds_are_wider_now(tmp_path):
    with RetentionSite(tmp_path) as site:
        old, stripped = site.crash(100), site.crash(2)
        site.crash(1)
    # The first crash has lost its raw crash, and with it its entry in the index.
    assert run(tmp_path, 2) == -signal.SIGKILL
    with RetentionSite(tmp_path) as site:
        assert site.files(old) != []
        site.keep(Bounds())
        assert site.files(old) == []
        assert "dump" in site.parts(stripped)


@pytest.mark.parametrize(("deletions", "parts"), [(0, 5), (1, 0)])
def test_a_crash_that_is_queued_again_stays_if_its_removal_had_removed_nothing_yet(tmp_path, deletions, parts):
    with RetentionSite(tmp_path) as site:
        old = site.crash(100)
    assert run(tmp_path, deletions + 1) == -signal.SIGKILL
    with RetentionSite(tmp_path) as site:
        site.queue.submit(old)
        site.keep(BOUNDS)
        assert len(site.files(old)) == parts
