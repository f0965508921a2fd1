"""``socorro reprocess``, into the embedded queue."""

import io
import json
import sys

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue

FIRST, SECOND = new_crash_id(), new_crash_id()


@pytest.fixture
def reprocess(tmp_path, capsys, monkeypatch):
    """Run the command; its exit code, what it printed, and what it complained of."""
    path = tmp_path / "queue.sqlite"

    def run(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main(["reprocess", f"--new_crash_source.path={path}", *arguments], environ={})
        return code, *capsys.readouterr()

    run.queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(path)))
    yield run
    run.queue.close()


def waiting(reprocess) -> dict[str, int]:
    return {name: depth.waiting for name, depth in reprocess.queue.depths().queues.items()}


def test_crash_ids_of_the_command_line_are_queued_for_reprocessing(reprocess):
    assert reprocess(FIRST, SECOND) == (0, "2 queued as reprocessing\n", "")
    assert waiting(reprocess) == {"priority": 0, "normal": 0, "reprocessing": 2}


def test_crash_ids_of_standard_input_are_queued_each_once(reprocess):
    given = f"{FIRST}\n\n {SECOND.upper()} {FIRST}\r\n".encode()
    assert reprocess("-", SECOND, given=given)[:2] == (0, "2 queued as reprocessing\n")
    assert waiting(reprocess)["reprocessing"] == 2


def test_they_may_go_into_the_priority_queue(reprocess):
    assert reprocess(FIRST, "--priority")[:2] == (0, "1 queued as priority\n")
    assert waiting(reprocess) == {"priority": 1, "normal": 0, "reprocessing": 0}


def test_a_dry_run_queues_nothing(reprocess):
    assert reprocess(FIRST, SECOND, "--dry-run")[:2] == (0, "2 would be queued as reprocessing\n")
    assert waiting(reprocess)["reprocessing"] == 0


def test_what_is_no_crash_id_is_named_and_the_others_are_queued(reprocess):
    code, out, err = reprocess("-", given=b"x\x1b[31m\xff\n" + FIRST.encode())
    assert (code, out) == (1, "1 queued as reprocessing\n")
    assert err.startswith(r"socorro: x\x1b[31m")
    assert waiting(reprocess)["reprocessing"] == 1


def test_programs_get_json(reprocess):
    code, out, _ = reprocess(FIRST, "no-id", "--json")
    assert code == 1
    assert json.loads(out) == {"queue": "reprocessing", "dry_run": False, "queued": 1, "refused": 1, "valid": 1}


def test_a_queue_that_cannot_be_reached_leaves_word_where_to_go_on(reprocess, tmp_path):
    code, _, err = reprocess(FIRST, SECOND, f"--new_crash_source.path={tmp_path}/queue.sqlite/no-file")
    assert code == 1
    assert f"0 of 2 are queued; go on from {FIRST}" in err
