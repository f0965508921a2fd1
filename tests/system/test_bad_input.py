"""Whatever comes in, and whatever this machine lacks: a clear message, and nothing lost."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from tests.shared import SAMPLES, require, stackwalker
from tests.system.daemon import Installation, eventually

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"
NOTHING = {"waiting": 0, "delayed": 0, "in_flight": 0, "parked": 0, "rejected": 0}


def make_store(installation: Installation) -> None:
    """An empty one: where there is none, that is said, and not that a crash is not there."""
    for top in ("v1", "v2"):
        (installation.crashes / top).mkdir(parents=True)


def queue_id(installation: Installation, body: str) -> None:
    """Put any text into the queue, as a collector could."""
    queue = SQLiteCrashQueue(
        defaults(SQLiteCrashQueue, path=installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"])
    )
    queue.submit(body)
    queue.close()


def processed(installation: Installation, *crash_ids: str) -> list[dict]:
    """The crashes, once a daemon has processed them and ended."""
    daemon = installation.start()
    eventually(lambda: all(map(installation.is_processed, crash_ids)), lambda: daemon.log)
    assert daemon.stop() == 0
    assert installation.queue() == NOTHING
    return [installation.show(crash_id) for crash_id in crash_ids]


@pytest.fixture
def walker(installation: Installation, tmp_path: Path) -> Callable[[str], None]:
    """Replace the stackwalker by a shell script, but for the dump that it is tried with."""

    def replace(text: str) -> None:
        path = tmp_path / "fake-walker"
        sound = 'case "$*" in *stackwalker-check*) echo "{}"; exit; esac'
        path.write_text(f"#!/bin/sh\n{sound}\n{text}\n")
        path.chmod(0o755)
        installation.walker(command_pathname=str(path), kill_timeout="1", output_limit="4M")

    return replace


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


def test_what_is_no_crash_id_is_rejected(installation):
    bodies = ["no id", "../../etc/passwd", "0bba61c5-dfc3-43e7-dead-8afd20161399"]
    for body in bodies:
        queue_id(installation, body)
    daemon = installation.start()
    for body in bodies:
        daemon.wait_for_log(f"{body} is rejected")
    assert daemon.stop() == 0
    assert installation.queue() == NOTHING | {"rejected": len(bodies)}


def test_an_unknown_crash_id_is_tried_again_and_then_rejected(installation):
    make_store(installation)
    crash_id = new_crash_id()
    queue_id(installation, crash_id)
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} is rejected")
    assert daemon.stop() == 0
    assert installation.queue() == NOTHING | {"rejected": 1}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "no-id"], "'no-id' is no crash id"),
        (["show", "0bba61c5-dfc3-43e7-dead-8afd20161123"], "0bba61c5-dfc3-43e7-dead-8afd20161123"),
        (["process", "no-id"], "no-id: 'no-id' is no crash id"),
        (["process", "0bba61c5-dfc3-43e7-dead-8afd20161123"], "0bba61c5-dfc3-43e7-dead-8afd20161123"),
        (["fetch", "0bba61c5-dfc3-43e7-dead-8afd20161123", "here"], "0bba61c5-dfc3-43e7-dead-8afd20161123"),
        (["submit", "absent.dmp"], "absent.dmp is no file that can be read"),
        (["submit", f"../../x={DUMP}"], "'../../x' is no dump name"),
        (["submit", str(DUMP), "--raw-crash", "absent.json"], "cannot read absent.json: No such file"),
        (["submit", str(DUMP), "--raw-crash", str(DUMP)], f"{DUMP} is no JSON: Expecting value"),
    ],
)
def test_a_command_that_cannot_do_it_says_why(installation, arguments, expected):
    make_store(installation)
    done = installation.socorro(*arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert installation.queue() == NOTHING


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--source.rot=x", "there is no option source.rot; did you mean source.root?"),
        ("--producer_consumer.number_of_threads=many", "'many' is not a whole number"),
        ("--producer_consumer.number_of_threads=0", "'0' is not a whole number from 1 to 1000"),
        ("--producer_consumer.idle_delay=nan", "'nan' is not a number of seconds, more than 0"),
        ("--health.port=99999", "'99999' is not a whole number from 0 to 65535"),
        ("--source.maximum_dump_size=-1", "'-1' is not a whole number of at least 1"),
        ("--source.crashstorage_class=no.such.Store", "module no.such cannot be imported"),
        ("--admin.conf=absent.ini", "cannot read absent.ini: No such file"),
        ("--unknown", "unrecognized arguments: --unknown"),
    ],
)
def test_a_wrong_configuration_is_an_error_that_names_the_place(installation, argument, expected):
    done = installation.socorro("processor", argument)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_option_in_the_file_is_an_error_that_names_file_and_section(installation, tmp_path):
    (tmp_path / "own.ini").write_text("[producer_consumer]\nnumber_of_thread = 3\n")
    done = installation.socorro("processor", "--admin.conf=own.ini")
    assert done.returncode == 2
    assert "own.ini, section [producer_consumer], number_of_thread: there is no option" in done.stderr
    assert "did you mean producer_consumer.number_of_threads?" in done.stderr


def test_a_dump_that_was_cut_is_saved_with_what_can_be_said_of_it(installation, tmp_path):
    crash_ids = []
    for size in (0, 1, 100, 20_000):
        (tmp_path / "cut.dmp").write_bytes(DUMP.read_bytes()[:size])
        crash_ids.append(installation.submit(tmp_path / "cut.dmp"))
    for crash in processed(installation, *crash_ids):
        assert crash["mdsw_return_code"] != 0 or crash["json_dump"]
        assert crash["processor_notes"]


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("sleep 100", "kill"),
        ("kill -SEGV $$", "died of signal 11"),
        ("echo this is no JSON", "JSON"),
        ("echo '[1, 2]'", "JSON"),
        ("head -c 2G /dev/zero", "too large"),
        ("printf ''; exit 3", "3"),
    ],
)
def test_a_walk_that_goes_wrong_is_a_note(installation, walker, script, note):
    walker(script)
    (crash,) = processed(installation, installation.submit(DUMP))
    assert note in crash["processor_notes"]
    assert crash["signature"].startswith("EMPTY")


def test_while_the_stackwalker_is_missing_nothing_is_saved_and_the_processor_is_not_ready(installation, tmp_path):
    walker = tmp_path / "walker"
    installation.walker(command_pathname=str(walker))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    crash_id = installation.submit(DUMP)
    daemon = installation.start(f"--health.port={port}")
    daemon.wait_for_log("is tried again, it is not at fault")
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
    daemon.wait_for_log("is tried again, it is not at fault")
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
    daemon.wait_for_log(f"{crash_id} is tried again, it is not at fault: {walker} prints no JSON for a sound minidump")
    assert not installation.is_processed(crash_id)

    broken.symlink_to(stackwalker())
    broken.rename(walker)
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert not installation.show(crash_id)["signature"].startswith("EMPTY")


def test_a_stackwalker_that_is_none_leaves_a_crash_as_it_was_in_the_foreground_too(installation):
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


def test_a_raw_crash_that_is_no_json_object_is_parked_with_that_reason(installation):
    contents = [b"", b"no JSON", b"[1, 2]", b'"text"', b"\xff\xfe"]
    crash_ids = [installation.submit(DUMP) for _ in contents]
    for crash_id, content in zip(crash_ids, contents, strict=True):
        (raw_crash,) = installation.crashes.glob(f"v2/raw_crash/*/*/{crash_id}")
        raw_crash.write_bytes(content)
    daemon = installation.start()
    for crash_id in crash_ids:
        daemon.wait_for_log(f"{crash_id} is parked")
    assert daemon.stop() == 0
    for crash_id in crash_ids:
        assert re.search(f"{crash_id} is parked.*JSON", daemon.log)
    assert installation.queue() == NOTHING | {"parked": len(contents)}


def test_a_stored_dump_name_that_is_a_trick_costs_that_dump_only(installation):
    crash_id = installation.submit(DUMP)
    names = installation.crashes / "v1" / "dump_names" / crash_id
    names.write_text(json.dumps([*json.loads(names.read_text()), "../../x", "missing", None, "x" * 300]))
    (crash,) = processed(installation, crash_id)
    assert crash["success"] is True
    assert "../../x" in crash["processor_notes"]
    assert "missing" in crash["processor_notes"]


def test_a_full_disk_for_temporary_files_keeps_the_crash_until_there_is_room(installation, tmpfs):
    installation.environment["SOCORRO__APP__TEMPORARY_DIRECTORY"] = str(tmpfs)
    (tmpfs / "ballast").write_bytes(b"x" * 1_000_000)
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    daemon.wait_for_log("is tried again, it is not at fault")
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
    daemon.wait_for_log("is tried again, it is not at fault")
    (tmpfs / "ballast").unlink()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert installation.show(crash_id)["success"] is True


def test_a_directory_that_cannot_be_written_is_named_and_keeps_the_crash(installation, tmpfs):
    installation.environment["SOCORRO__DESTINATION__ROOT"] = str(tmpfs)
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    daemon.wait_for_log("is tried again, it is not at fault")
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
    daemon.wait_for_log("is tried again, it is not at fault")
    assert f"not ready: source: there is no directory {installation.crashes}" in daemon.log
    installation.crashes.rmdir()
    mounted.rename(installation.crashes)
    for crash_id in crash_ids:
        daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert installation.queue() == NOTHING


def test_a_processor_may_be_started_before_the_first_crash_is_submitted(installation):
    daemon = installation.start()
    assert f"not ready: source: there is no directory {installation.crashes}" in daemon.log
    assert not installation.crashes.exists()
    crash_id = installation.submit(DUMP)
    daemon.wait_for_log(f"{crash_id} saved")
    daemon.wait_for_log("INFO ready")
    assert daemon.stop() == 0


def test_a_source_that_cannot_be_written_fails_the_submission(installation, tmpfs):
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    installation.environment["SOCORRO__RESOURCE__FILESYSTEM__ROOT"] = str(tmpfs)
    done = installation.socorro("submit", DUMP)
    assert done.returncode == 1
    assert str(tmpfs) in done.stderr
    assert "Traceback" not in done.stderr
    assert installation.queue() == NOTHING


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
    assert installation.queue() == NOTHING
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
