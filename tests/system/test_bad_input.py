"""Any input gives a clear message, and loses nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from tests.shared import SAMPLES
from tests.system.daemon import EMPTY_QUEUE, Installation, eventually

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"


def make_store(installation: Installation) -> None:
    """Make an empty store. Without one, the error would be about the store, and not about the crash."""
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
    """Let a daemon process the crashes; return them once it has ended."""
    daemon = installation.start()
    eventually(lambda: all(map(installation.is_processed, crash_ids)), lambda: daemon.log)
    assert daemon.stop() == 0
    assert installation.queue() == EMPTY_QUEUE
    return [installation.show(crash_id) for crash_id in crash_ids]


@pytest.fixture
def walker(installation: Installation, tmp_path: Path) -> Callable[[str], None]:
    """Replace the stackwalker by a shell script, except for the dump with which it is tried."""

    def replace(text: str) -> None:
        path = tmp_path / "fake-walker"
        sound = 'case "$*" in *stackwalker-check*) echo "{}"; exit; esac'
        path.write_text(f"#!/bin/sh\n{sound}\n{text}\n")
        path.chmod(0o755)
        installation.walker(command_pathname=str(path), kill_timeout="1", output_limit="4M")

    return replace


def test_an_invalid_crash_id_is_rejected(installation):
    bodies = ["no id", "../../etc/passwd", "0bba61c5-dfc3-43e7-dead-8afd20161399"]
    for body in bodies:
        queue_id(installation, body)
    daemon = installation.start()
    for body in bodies:
        daemon.wait_for_log(f"{body} is rejected")
    assert daemon.stop() == 0
    assert installation.queue() == EMPTY_QUEUE | {"rejected": len(bodies)}


def test_an_unknown_crash_id_is_tried_again_and_then_rejected(installation):
    make_store(installation)
    crash_id = new_crash_id()
    queue_id(installation, crash_id)
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} is rejected")
    assert daemon.stop() == 0
    assert installation.queue() == EMPTY_QUEUE | {"rejected": 1}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "no-id"], "'no-id' is not a crash id"),
        (["show", "0bba61c5-dfc3-43e7-dead-8afd20161123"], "0bba61c5-dfc3-43e7-dead-8afd20161123"),
        (["process", "no-id"], "no-id: 'no-id' is not a crash id"),
        (["process", "0bba61c5-dfc3-43e7-dead-8afd20161123"], "0bba61c5-dfc3-43e7-dead-8afd20161123"),
        (["fetch", "0bba61c5-dfc3-43e7-dead-8afd20161123", "here"], "0bba61c5-dfc3-43e7-dead-8afd20161123"),
        (["submit", "absent.dmp"], "cannot read absent.dmp: no such file"),
        (["submit", f"../../x={DUMP}"], "'../../x' is not a dump name"),
        (["submit", str(DUMP), "--raw-crash", "absent.json"], "cannot read absent.json: No such file"),
        (["submit", str(DUMP), "--raw-crash", str(DUMP)], f"{DUMP} is not JSON: Expecting value"),
    ],
)
def test_a_command_that_fails_says_why(installation, arguments, expected):
    make_store(installation)
    done = installation.socorro(*arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert installation.queue() == EMPTY_QUEUE


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


def test_a_truncated_dump_is_saved_with_what_can_be_read_of_it(installation, tmp_path):
    crash_ids = []
    for size in (0, 1, 100, 20_000):
        (tmp_path / "cut.dmp").write_bytes(DUMP.read_bytes()[:size])
        crash_ids.append(installation.submit(tmp_path / "cut.dmp", "--any-file"))
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


def test_a_raw_crash_that_is_not_a_json_object_is_parked_with_that_reason(installation):
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
    assert installation.queue() == EMPTY_QUEUE | {"parked": len(contents)}


def test_a_hostile_dump_name_in_the_store_costs_only_that_dump(installation):
    crash_id = installation.submit(DUMP)
    names = installation.crashes / "v1" / "dump_names" / crash_id
    names.write_text(json.dumps([*json.loads(names.read_text()), "../../x", "missing", None, "x" * 300]))
    (crash,) = processed(installation, crash_id)
    assert crash["success"] is True
    assert "../../x" in crash["processor_notes"]
    assert "missing" in crash["processor_notes"]


def test_a_deep_stack_that_came_with_a_larger_output_limit_is_saved_cut_and_shown(installation, tmp_path):
    frames = [{"frame": number, "function": "deep", "module": "app", "padding": "x" * 300} for number in range(30_000)]
    walked = {"status": "OK", "crash_info": {"crashing_thread": 0}, "threads": [{"frames": frames}], "modules": []}
    walked["crashing_thread"] = walked["threads"][0]
    prints(installation, tmp_path, walked, output_limit="100M")
    installation.environment["SOCORRO__DESTINATION__MAXIMUM_PROCESSED_CRASH_SIZE"] = "1000000"
    (crash,) = processed(installation, installation.submit(DUMP))
    for thread in (crash["json_dump"]["threads"][0], crash["json_dump"]["crashing_thread"]):
        assert len(thread["frames"]) == 501
        assert thread["frames"][250] == {"truncated": {"msg": "29,500 frames truncated"}}
    assert crash["signature"].startswith("deep")


def test_a_crash_that_could_not_be_shown_is_parked_with_that_reason(installation, tmp_path):
    prints(installation, tmp_path, {"status": "OK", "modules": ["x" * 2_000_000]}, output_limit="100M")
    crash_id = installation.submit(DUMP)
    daemon = installation.start(
        "--destination.maximum_processed_crash_size=1000000", "--app.maximum_attempts=1", "--logging.level=INFO"
    )
    daemon.wait_for_log(f"{crash_id} is parked")
    assert daemon.stop() == 0
    assert re.search(rf"{crash_id} is parked.*\(maximum_processed_crash_size\)", daemon.log)
    assert not installation.is_processed(crash_id)


def prints(installation: Installation, directory: Path, walked: dict, **options: str) -> None:
    """Replace the stackwalker by one that prints this for any dump."""
    (directory / "walked.json").write_text(json.dumps(walked))
    path = directory / "printing-walker"
    path.write_text(f"#!/bin/sh\nexec cat {directory}/walked.json\n")
    path.chmod(0o755)
    installation.walker(command_pathname=str(path), **options)
