"""The files of the embedded queue are removed under a running daemon."""

from __future__ import annotations

from pathlib import Path

from socorro_processor.app.watchdog import EXIT_CODE
from tests.shared import SAMPLES
from tests.system.daemon import DEADLINE, Installation, eventually

SAMPLE = SAMPLES / "segfault"


def test_a_daemon_whose_queue_is_removed_says_so_ends_with_70_and_a_restart_works_with_what_was_confirmed(
    installation: Installation, slow_walker, tmp_path: Path
):
    daemon = installation.start("--producer_consumer.number_of_threads=1", "--producer_consumer.maximum_queue_size=0")
    before = [installation.submit(SAMPLE / "upload_file_minidump.dmp") for _ in range(3)]
    slow_walker.wait_until_it_runs()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"queue.sqlite{suffix}").unlink()
    assert daemon.process.wait(DEADLINE) == EXIT_CODE
    (line,) = [line for line in daemon.log.splitlines() if "CRITICAL" in line]
    assert f"{tmp_path}/queue.sqlite-wal was removed while it was in use; nothing more is confirmed" in line
    assert f"everything confirmed is in {tmp_path}/queue.sqlite: start again" in line
    slow_walker.let_it_go_on()
    after = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    installation.start()
    eventually(lambda: all(map(installation.is_processed, [*before, after])))
