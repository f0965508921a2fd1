"""Commands that only look, run in an empty directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue

CRASH_ID = "22db6a2b-4969-4600-9b63-9ea140261124"
LOOKS = {
    "queue status": 0,
    "queue status --ids": 0,
    "queue parked": 0,
    "queue rejected": 0,
    "queue requeue --all": 0,
    "queue reject --all": 0,
    "queue purge normal --dry-run": 0,
    "list": 1,
    f"show {CRASH_ID}": 1,
    f"fetch {CRASH_ID} there": 1,
    f"remove {CRASH_ID} --dry-run": 1,
    "symbols missing": 0,
    "cron status": 0,
    "cron filesystem-cleanup --dry-run": 0,
    "cron verify-processed --dry-run": 1,
    "cron missing-symbols --dry-run": 0,
    "cron late-symbols --dry-run": 0,
}
"""Commands with their exit codes."""


@pytest.mark.parametrize("command", LOOKS)
def test_a_look_leaves_nothing_behind(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split(), environ={}) == LOOKS[command], capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_queue_that_is_made_after_the_first_look_is_seen_by_the_next(tmp_path: Path) -> None:
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "data" / "queue.sqlite"))
    watching = SQLiteCrashQueue.without_creating(config)
    assert watching.depths().queues["normal"].waiting == 0
    assert (watching.in_flight(ids=True).crashes, list(watching.set_aside("parked"))) == ((), [])

    other = SQLiteCrashQueue(config)
    other.submit(CRASH_ID)
    other.close()
    assert watching.depths().queues["normal"].waiting == 1
    watching.close()


def test_a_crash_that_is_submitted_after_a_mere_look_at_the_queue_is_kept(tmp_path: Path) -> None:
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "data" / "queue.sqlite"))
    queue = SQLiteCrashQueue.without_creating(config)
    assert queue.pending([CRASH_ID]) == set()
    queue.submit(CRASH_ID)
    assert queue.pending([CRASH_ID]) == {CRASH_ID}
    queue.close()
    again = SQLiteCrashQueue(config)
    assert again.pending([CRASH_ID]) == {CRASH_ID}
    again.close()
