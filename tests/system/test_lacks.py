"""Whatever this machine lacks, there is a clear message, nothing is lost, and work resumes once it is there."""

import json
import os
import re
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.shared import SAMPLES, require, stackwalker
from tests.system.daemon import EMPTY_QUEUE, eventually

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    require(os.geteuid() == 0, "only root can mount a small file system")
    path = tmp_path / "tmpfs"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True, text=True)
    require(mounted.returncode == 0, f"cannot mount a small file system: {mounted.stderr}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_while_the_stackwalker_is_missing_nothing_is_saved_and_the_processor_is_not_ready(installation, tmp_path):
    walker = tmp_path / "walker"
    installation.walker(command_pathname=str(walker))
    port = free_port()
    crash_id = installation.submit(DUMP)
    daemon = installation.start(f"--health.port={port}")
    daemon.wait_for_log("will be tried again, this attempt does not count")
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    assert answer.value.code == 503
    assert str(walker) in json.load(answer.value)["problems"]["processing"]
    assert not installation.is_processed(crash_id)

    walker.symlink_to(stackwalker())
    daemon.wait_for_log(f"{crash_id} saved")
    eventually(lambda: is_ready(port))
    assert daemon.stop() == 0
    assert installation.show(crash_id)["processing"]["attempt"] == 1


def test_while_the_stackwalker_refuses_everything_nothing_is_saved(installation, tmp_path):
    walker = tmp_path / "walker"
    walker.write_text("#!/bin/sh\necho unexpected argument >&2; exit 2\n")
    walker.chmod(0o755)
    installation.walker(command_pathname=str(walker))
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    daemon.wait_for_log("will be tried again, this attempt does not count")
    assert f"{walker} prints no JSON for a sound minidump, exit code 2" in daemon.log
    assert not installation.is_processed(crash_id)

    walker.unlink()
    walker.symlink_to(stackwalker())
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert installation.show(crash_id)["success"]


def test_a_stackwalker_that_is_replaced_by_a_broken_one_makes_no_empty_crashes(installation, tmp_path):
    walker = tmp_path / "walker"
    walker.symlink_to(stackwalker())
    installation.walker(command_pathname=str(walker))
    daemon = installation.start()
    crash_id = installation.submit(DUMP)
    daemon.wait_for_log(f"{crash_id} saved")

    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    broken.rename(walker)
    crash_id = installation.submit(DUMP)
    daemon.wait_for_log(
        f"{crash_id} will be tried again, this attempt does not count: {walker} prints no JSON for a sound minidump"
    )
    assert not installation.is_processed(crash_id)

    broken.symlink_to(stackwalker())
    broken.rename(walker)
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert not installation.show(crash_id)["signature"].startswith("EMPTY")


def test_a_broken_stackwalker_leaves_a_crash_as_it_was_in_the_foreground_too(installation):
    crash_id = installation.submit(DUMP)
    assert installation.socorro("process", crash_id).returncode == 0
    installation.walker(command_pathname="/bin/false")
    done = installation.socorro("process", crash_id)
    assert done.returncode == 1
    assert "socorro: /bin/false prints no JSON for a sound minidump" in done.stderr
    assert not installation.show(crash_id)["signature"].startswith("EMPTY")


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return False


def test_a_full_disk_for_temporary_files_keeps_the_crash_until_there_is_room(installation, tmpfs):
    installation.environment["SOCORRO__APP__TEMPORARY_DIRECTORY"] = str(tmpfs)
    (tmpfs / "ballast").write_bytes(b"x" * 1_000_000)
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    daemon.wait_for_log("will be tried again, this attempt does not count")
    assert "No space left" in daemon.log
    (tmpfs / "ballast").unlink()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert installation.show(crash_id)["success"] is True


def test_a_full_disk_of_a_destination_keeps_the_crash_until_there_is_room(installation, tmpfs):
    installation.environment["SOCORRO__DESTINATION__ROOT"] = str(tmpfs)
    (tmpfs / "ballast").write_bytes(b"x" * 1_040_000)
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    daemon.wait_for_log("will be tried again, this attempt does not count")
    (tmpfs / "ballast").unlink()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert installation.show(crash_id)["success"] is True


def test_an_unwritable_directory_is_named_and_the_crash_is_kept(installation, tmpfs):
    installation.environment["SOCORRO__DESTINATION__ROOT"] = str(tmpfs)
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    daemon.wait_for_log("will be tried again, this attempt does not count")
    assert str(tmpfs) in daemon.log
    subprocess.run(["mount", "-o", "remount,rw", tmpfs], check=True)
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0


def test_while_the_store_is_not_mounted_no_crash_is_rejected(installation, tmp_path):
    crash_ids = [installation.submit(DUMP) for _ in range(3)]
    mounted = tmp_path / "mounted"
    installation.crashes.rename(mounted)
    installation.crashes.mkdir()
    daemon = installation.start()
    daemon.wait_for_log("will be tried again, this attempt does not count")
    assert f"there is no directory {installation.crashes}" in daemon.log
    assert "not ready: " in daemon.log
    installation.crashes.rmdir()
    mounted.rename(installation.crashes)
    for crash_id in crash_ids:
        daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert installation.queue() == EMPTY_QUEUE


def test_a_processor_may_be_started_before_the_first_crash_is_submitted(installation):
    daemon = installation.start()
    daemon.wait_for_log("INFO ready")
    assert "not ready" not in daemon.log
    assert not installation.crashes.exists()
    crash_id = installation.submit(DUMP)
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0


def test_a_source_that_cannot_be_written_fails_the_submission(installation, tmpfs):
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    installation.environment["SOCORRO__RESOURCE__FILESYSTEM__ROOT"] = str(tmpfs)
    done = installation.socorro("submit", DUMP)
    assert done.returncode == 1
    assert str(tmpfs) in done.stderr
    assert "Traceback" not in done.stderr
    assert installation.queue() == EMPTY_QUEUE


def test_a_submission_that_fails_leaves_nothing_in_the_store(installation, tmpfs):
    installation.environment["SOCORRO__RESOURCE__FILESYSTEM__ROOT"] = str(tmpfs)
    large = installation.directory / "large.dmp"
    large.write_bytes(b"MDMP" + bytes(2 << 20))
    done = installation.socorro("submit", large)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert [path for path in tmpfs.rglob("*") if path.is_file()] == []


def test_a_crash_that_is_stored_but_cannot_be_queued_is_named(installation):
    queue = installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"]
    installation.environment["SOCORRO__NEW_CRASH_SOURCE__BUSY_TIMEOUT"] = "0.1"
    assert installation.socorro("setup").returncode == 0
    with closing(sqlite3.connect(queue, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = installation.socorro("submit", DUMP)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    found = re.search(
        r"socorro: (\S+) is in the store, but in no queue \(`socorro process \1` does without\): .*locked", line
    )
    assert found
    assert installation.socorro("process", found[1]).returncode == 0
