"""The search index beside the real daemon: what it processes is found, whatever happens to daemon and index."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.shared import SAMPLES
from tests.system.daemon import Installation, eventually

SAMPLE = SAMPLES / "segfault"


def found(installation: Installation, *filters: str) -> set[str]:
    result = installation.socorro("search", "--json", "--limit=1000", *filters)
    assert result.returncode == 0, result.stderr
    return {json.loads(line)["crash_id"] for line in result.stdout.splitlines()}


def submit(installation: Installation) -> str:
    return installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")


def index_of(installation: Installation) -> Path:
    return Path(installation.crashes) / "search"


def test_a_processed_crash_is_found_by_what_is_in_it_and_top_lists_its_signature(installation):
    crash_id = submit(installation)
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    processed = installation.show(crash_id)
    for condition in (
        f"signature={processed['signature']}",
        "product=Lightbox",
        "version=2.3.1",
        f"reason={processed['reason']}",
        "frame~lightbox_fingerprint",
        "module~lightbox",
        f"thread_count={processed['thread_count']}",
        f"uuid={crash_id}",
    ):
        assert found(installation, condition) == {crash_id}, condition
    assert found(installation, "product!=Lightbox") == set()
    top = installation.socorro("top", "--json", f"--date={processed['date_processed'][:10]}")
    assert json.loads(top.stdout)["signature"] == processed["signature"]
    assert index_of(installation).joinpath("complete").exists()


@pytest.mark.long
def test_the_index_has_what_the_store_has_though_daemons_are_killed(installation):
    submitted = {submit(installation) for _ in range(8)}
    for killed in range(3):
        daemon = installation.start()
        eventually(
            lambda least=killed + 1: sum(map(installation.is_processed, submitted)) >= least, lambda: "none saved"
        )
        daemon.process.kill()
        daemon.process.wait()
    daemon = installation.start()
    eventually(lambda: all(map(installation.is_processed, submitted)), lambda: daemon.log)
    assert daemon.stop() == 0
    # A crash that was saved, but not yet in the index when its daemon was killed, comes again.
    assert found(installation) == submitted


@pytest.mark.long
def test_an_index_that_is_damaged_in_use_stops_no_crash_and_is_built_anew_beside_the_daemon(installation):
    first = submit(installation)
    daemon = installation.start()
    daemon.wait_for_log(f"{first} saved")
    file = index_of(installation) / index_of(installation).joinpath("current").read_text()
    size = file.stat().st_size
    assert size
    with file.open("r+b") as content:
        content.write(os.urandom(4096))
    waiting = [submit(installation) for _ in range(2)]
    for crash_id in waiting:
        daemon.wait_for_log(f"{crash_id} saved")
    result = installation.socorro("search", "index")
    assert result.returncode == 0, result.stderr
    later = submit(installation)
    daemon.wait_for_log(f"{later} saved")
    eventually(lambda: found(installation) == {first, *waiting, later}, lambda: daemon.log)
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(60) == 0
    assert "may lack crashes" not in installation.socorro("doctor").stdout
