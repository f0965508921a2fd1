"""``socorro reprocess``, into the embedded queue."""

import io
import json
import sys
import time
from contextlib import closing
from functools import partial

import pytest

from socorro_processor.cli.main import main
from socorro_processor.cli.reprocess import print_summary
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashQueueError
from socorro_processor.reprocessing.journal import Journal
from socorro_processor.reprocessing.results import Comparison, Summary
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage

FIRST, SECOND, THIRD = (new_crash_id() for _ in range(3))


@pytest.fixture
def reprocess(tmp_path, capsys, monkeypatch):
    """Run the command; return its exit code, output and error output."""
    path = tmp_path / "queue.sqlite"
    jobs = tmp_path / "jobs"

    def run(*arguments: object, given: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        options = [f"--new_crash_source.path={path}", f"--cron.directory={jobs}"]
        code = main(["reprocess", *options, *map(str, arguments)], environ={})
        return code, *capsys.readouterr()

    run.queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(path)))
    run.jobs = jobs
    yield run
    run.queue.close()


def failing_at(failing: str, error: BaseException | None = None):
    """Return a queue's ``submit`` that fails at this crash, by default like Ctrl-C."""
    submit = SQLiteCrashQueue.submit

    def submit_others(queue, crash_id, name, work):
        if crash_id == failing:
            raise error or KeyboardInterrupt
        submit(queue, crash_id, name, work)

    return submit_others


@pytest.fixture
def interrupted(reprocess, monkeypatch):
    """Run the command, and interrupt it at the second crash."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with monkeypatch.context() as broken:
            broken.setattr(SQLiteCrashQueue, "submit", failing_at(SECOND))
            return reprocess(*arguments)

    return run


def waiting(reprocess) -> dict[str, int]:
    return {name: depth.waiting for name, depth in reprocess.queue.depths().queues.items() if depth.waiting}


def test_crash_ids_of_the_command_line_are_queued_for_reprocessing(reprocess):
    assert reprocess(FIRST, SECOND) == (0, "2 queued as reprocessing\n", "")
    assert waiting(reprocess) == {"reprocessing": 2}


def test_crash_ids_of_standard_input_are_queued_each_once(reprocess):
    given = f"{FIRST}\n\n {SECOND.upper()} {FIRST}\r\n".encode()
    assert reprocess("-", SECOND, given=given)[:2] == (0, "2 queued as reprocessing\n")
    assert waiting(reprocess) == {"reprocessing": 2}


def test_crash_ids_of_files_are_queued(reprocess, tmp_path):
    for name, text in (("a", f"{FIRST}\n{SECOND}\n"), ("b", THIRD)):
        (tmp_path / name).write_text(text)
    code, out, _ = reprocess("--file", tmp_path / "a", "--file", tmp_path / "b")
    assert (code, out) == (0, "3 queued as reprocessing\n")


def test_a_file_that_cannot_be_read_is_an_error(reprocess, tmp_path):
    code, _, err = reprocess("--file", tmp_path / "absent")
    assert code == 2
    assert err == f"socorro: cannot read {tmp_path}/absent: No such file or directory\n"


def test_crashes_may_go_into_the_priority_queue(reprocess):
    assert reprocess(FIRST, "--queue=priority")[:2] == (0, "1 queued as priority\n")
    assert waiting(reprocess) == {"priority": 1}


def test_a_dry_run_queues_nothing_and_leaves_nothing(reprocess):
    assert reprocess(FIRST, SECOND, "--dry-run")[:2] == (0, "2 would be queued as reprocessing\n")
    assert waiting(reprocess) == {}
    assert not reprocess.jobs.exists()


def test_an_invalid_crash_id_is_named_and_the_others_are_queued(reprocess):
    code, out, err = reprocess("-", given=b"x\x1b[31m\xff\n" + FIRST.encode())
    assert (code, out) == (1, "1 queued as reprocessing\n")
    assert err.startswith(r"socorro: x\x1b[31m")
    assert waiting(reprocess) == {"reprocessing": 1}


def test_not_every_word_of_an_unrelated_file_is_reported(reprocess):
    code, _, err = reprocess("-", "--json", given=b"word\n" * 1000)
    assert code == 1
    assert len(err.splitlines()) == 21


def test_programs_get_json(reprocess):
    code, out, _ = reprocess(FIRST, "no-id", "--json")
    assert code == 1
    counts = {"queued": 1, "queued_before": 0, "refused": 1, "valid": 1}
    assert json.loads(out) == {"queue": "reprocessing", "dry_run": False, "force": False, "summary": None, **counts}


def work_of_all(reprocess) -> list[str]:
    return [delivery.history.work for delivery in iter(partial(next, reprocess.queue.new_crashes()), None) if delivery]


def test_force_goes_with_each_crash(reprocess):
    assert reprocess(FIRST, SECOND, "--force")[:2] == (0, "2 queued as reprocessing, forced\n")
    assert reprocess(THIRD)[0] == 0
    assert work_of_all(reprocess) == [FORCE, FORCE, ""]


def test_crashes_that_were_queued_without_force_are_queued_again_with_it(reprocess, interrupted):
    interrupted(FIRST, SECOND)
    assert reprocess(FIRST, SECOND, "--force")[1] == "2 queued as reprocessing, forced\n"


@pytest.mark.parametrize("arguments", [[], [FIRST, "--signature=a.b::c"], ["-", "--date=2016-11-23"]])
def test_crashes_are_either_named_or_looked_for(reprocess, arguments):
    code, _, err = reprocess(*arguments)
    assert code == 2
    assert "no crashes to reprocess: either name them" in err


def test_without_elasticsearch_or_index_nothing_can_be_looked_for(reprocess, tmp_path):
    files = f"--destination.crashstorage_class={class_name(FileSystemCrashStorage)}"
    code, _, err = reprocess("--signature=a.b::c", files)
    assert code == 2
    assert "no store of the destination is an Elasticsearch" in err
    code, _, err = reprocess("--signature=a.b::c", f"--resource.filesystem.root={tmp_path}/crashes")
    assert code == 1
    assert "`socorro search index` makes it" in err


def test_the_search_index_finds_the_crashes_and_says_if_it_may_lack_some(reprocess, tmp_path):
    config = defaults(IndexedFileSystemCrashStorage, root=str(tmp_path / "crashes"))
    with closing(IndexedFileSystemCrashStorage(config)) as store:
        store.save_processed({"uuid": FIRST, "signature": "a", "app_notes": "out of memory", "version": "1"})
        store.save_processed({"uuid": SECOND, "signature": "b", "app_notes": "out of reach", "version": "2"})
    root = f"--resource.filesystem.root={tmp_path}/crashes"
    assert reprocess("--signature=a", root) == (0, "1 queued as reprocessing\n", "")
    assert reprocess("--field", "app_notes=out of", root)[1] == "2 queued as reprocessing\n"
    (tmp_path / "crashes" / "search" / "complete").unlink()
    code, out, err = reprocess("--version=2", root)
    assert (code, out) == (0, "1 queued as reprocessing\n")
    assert "may lack crashes: `socorro search index` adds them" in err


@pytest.mark.parametrize("argument", ["--rate=0", "--rate=fast", "--date=today", "--queue=normal", "--patience=-1"])
def test_wrong_arguments_are_refused(reprocess, argument):
    with pytest.raises(SystemExit, match="2"):
        reprocess(FIRST, argument)


def test_a_rate_is_observed(reprocess):
    began = time.monotonic()
    assert reprocess(*(new_crash_id() for _ in range(6)), "--rate=20")[0] == 0
    assert time.monotonic() - began >= 5 / 20


def test_an_unreachable_queue_is_reported_at_once(reprocess, tmp_path):
    code, out, err = reprocess(FIRST, SECOND, f"--new_crash_source.path={tmp_path}/queue.sqlite/no-file")
    assert (code, out) == (1, "0 queued as reprocessing\n")
    assert err.startswith(f"socorro: cannot open the queue {tmp_path}/queue.sqlite/no-file")
    assert list(reprocess.jobs.iterdir()) == []


def test_a_queue_that_refuses_the_first_crash_is_not_waited_for(reprocess, monkeypatch):
    monkeypatch.setattr(SQLiteCrashQueue, "submit", failing_at(SECOND, CrashQueueError("it refuses the password")))
    code, _, err = reprocess(SECOND)
    assert code == 1
    assert err.splitlines()[0].startswith("socorro: 0 of 1 are queued; the same command goes on from there")
    assert err.splitlines()[1] == "socorro: it refuses the password"
    assert list(reprocess.jobs.iterdir()) == []


def test_after_an_interruption_the_same_command_continues(reprocess, interrupted):
    code, out, err = interrupted(FIRST, SECOND, THIRD)
    assert (code, out) == (130, "1 queued as reprocessing\n")
    (journal,) = reprocess.jobs.iterdir()
    assert err == f"socorro: 1 of 3 are queued; the same command goes on from there, by the journal {journal}\n"

    assert (
        reprocess(FIRST, SECOND, THIRD, "--dry-run")[1]
        == "2 would be queued as reprocessing, 1 had been queued before\n"
    )
    code, out, err = reprocess(FIRST, SECOND, THIRD)
    assert (code, out) == (0, "2 queued as reprocessing, 1 had been queued before\n")
    assert err == f"socorro: 1 crash was queued before, by the journal {journal} (--anew queues again)\n"
    assert waiting(reprocess) == {"reprocessing": 3}
    # The former request is done, so the same words are a new one.
    assert list(reprocess.jobs.iterdir()) == []
    assert reprocess(FIRST, SECOND, THIRD)[1] == "3 queued as reprocessing\n"


def test_another_request_does_not_continue_an_interrupted_one(reprocess, interrupted):
    interrupted(FIRST, SECOND)
    assert reprocess(FIRST, THIRD)[1] == "2 queued as reprocessing\n"
    assert reprocess(FIRST, SECOND, "--queue=priority")[1] == "2 queued as priority\n"


def test_an_interrupted_request_can_be_started_over(reprocess, interrupted):
    interrupted(FIRST, SECOND)
    assert reprocess(FIRST, SECOND, "--anew") == (0, "2 queued as reprocessing\n", "")


def test_a_queue_that_goes_away_halfway_is_waited_for(reprocess, monkeypatch):
    submit = SQLiteCrashQueue.submit
    failures = [CrashQueueError("the broker is away")]

    def failing(queue, crash_id, name, work):
        if crash_id == SECOND and failures:
            raise failures.pop()
        submit(queue, crash_id, name, work)

    monkeypatch.setattr(SQLiteCrashQueue, "submit", failing)
    code, out, err = reprocess(FIRST, SECOND)
    assert (code, out) == (0, "2 queued as reprocessing\n")
    assert err == "socorro: the broker is away: waiting for the queue, up to 120 s\n"


def test_a_named_journal_stays_and_nothing_in_it_is_queued_again(reprocess, tmp_path):
    journal = tmp_path / "done"
    assert reprocess(FIRST, f"--resume={journal}")[1] == "1 queued as reprocessing\n"
    assert reprocess(FIRST, SECOND, f"--resume={journal}")[1] == "1 queued as reprocessing, 1 had been queued before\n"
    assert waiting(reprocess) == {"reprocessing": 2}
    assert not reprocess.jobs.exists()


def test_a_journal_that_was_cut_off_in_a_line_counts_up_to_that_line(reprocess, tmp_path):
    journal = tmp_path / "done"
    reprocess(FIRST, SECOND, f"--resume={journal}")
    journal.write_bytes(journal.read_bytes()[:-5])
    assert reprocess(FIRST, SECOND, f"--resume={journal}")[1] == "1 queued as reprocessing, 1 had been queued before\n"
    assert reprocess(FIRST, SECOND, f"--resume={journal}")[1] == "0 queued as reprocessing, 2 had been queued before\n"


@pytest.mark.parametrize("cut", [0, 7])
def test_a_journal_that_was_cut_off_at_its_beginning_is_an_empty_one(reprocess, tmp_path, cut):
    journal = tmp_path / "done"
    reprocess(FIRST, f"--resume={journal}")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:cut])
    assert reprocess(FIRST, f"--resume={journal}")[1] == "1 queued as reprocessing\n"
    assert len(journal.read_bytes()) == len(whole)


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--anew"]])
def test_a_file_that_is_not_a_journal_is_left_as_it_is(reprocess, tmp_path, arguments):
    file = tmp_path / "crash_ids.txt"
    file.write_text(FIRST)
    code, _, err = reprocess(FIRST, f"--resume={file}", *arguments)
    assert (code, err) == (2, f"socorro: {file} is not a journal of socorro reprocess: name another file\n")
    assert file.read_text() == FIRST
    assert waiting(reprocess) == {}


def test_a_damaged_journal_is_refused(reprocess, tmp_path):
    journal = tmp_path / "done"
    reprocess(FIRST, f"--resume={journal}")
    journal.write_bytes(journal.read_bytes() + b'["no id"]\n')
    code, _, err = reprocess(FIRST, f"--resume={journal}")
    assert code == 2
    assert "is damaged" in err


def test_two_runs_with_one_journal_are_refused(reprocess, tmp_path):
    with closing(Journal(tmp_path / "done")):
        code, _, err = reprocess(FIRST, f"--resume={tmp_path}/done")
    assert (code, err) == (1, f"socorro: another socorro reprocess is at work with the journal {tmp_path}/done\n")
    assert waiting(reprocess) == {}


def test_if_no_journal_can_be_written_the_command_says_so_and_queues_all(reprocess, tmp_path):
    reprocess.jobs.write_text("a file in its place")
    code, out, err = reprocess(FIRST)
    assert (code, out) == (0, "1 queued as reprocessing\n")
    assert "this run cannot be resumed" in err


def test_a_named_journal_that_cannot_be_written_is_an_error(reprocess, tmp_path):
    code, _, err = reprocess(FIRST, f"--resume={tmp_path}")
    assert (code, err) == (2, f"socorro: cannot write the journal {tmp_path}: Is a directory\n")
    assert waiting(reprocess) == {}


def test_a_continued_search_counts_what_it_had_found_before(reprocess, interrupted, monkeypatch):
    monkeypatch.setattr(CrashSearch, "crash_ids", lambda *_: iter([FIRST, SECOND]))
    assert interrupted("--signature=OOM")[0] == 130
    (journal,) = reprocess.jobs.iterdir()
    assert journal.name.startswith("reprocess-signature=OOM_reprocessing-")
    # The first one has got another signature meanwhile.
    monkeypatch.setattr(CrashSearch, "crash_ids", lambda *_: iter([SECOND, THIRD]))
    assert (
        reprocess("--signature=OOM", "--dry-run")[1] == "2 would be queued as reprocessing, 1 had been queued before\n"
    )
    assert reprocess("--signature=OOM")[1] == "2 queued as reprocessing, 1 had been queued before\n"
    assert waiting(reprocess) == {"reprocessing": 3}


def test_the_same_command_continues_a_summary_that_was_given_up(reprocess, tmp_path):
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))
    store.setup()
    summary = (FIRST, "--summary", "--patience=0", f"--resource.filesystem.root={tmp_path}/crashes")
    code, out, err = reprocess(*summary)
    assert (code, out) == (1, "1 queued as reprocessing\n      1 not done yet\n")
    assert err == "socorro: no crash was done in 0 s, 1 left: the same command waits for them again\n"
    store.save_processed({"uuid": FIRST, "signature": "OOM", "completed_datetime": "now", "success": True})
    code, out, _ = reprocess(*summary)
    assert (code, out.splitlines()[1:]) == (0, ["      1 not processed before"])
    assert waiting(reprocess) == {"reprocessing": 1}
    assert list(reprocess.jobs.iterdir()) == []


def test_without_a_store_that_can_be_read_there_is_no_summary(reprocess):
    store = class_name(CrashStorageBase)
    code, out, err = reprocess(FIRST, "--summary", f"--destination.crashstorage_class={store}")
    assert (code, out) == (2, "0 queued as reprocessing\n")
    assert "no summary: no store of the destination returns processed crashes" in err


def test_the_counts_and_the_most_frequent_changes_are_shown_first(capsys):
    crashes = [
        Comparison(FIRST, "changed", "OOM\x1b[31m", "small"),
        *(Comparison(crash_id, "changed", "OOM", "small") for crash_id in (SECOND, THIRD)),
        Comparison(new_crash_id(), "kept", "OOM", "OOM"),
        Comparison(new_crash_id(), "waiting", "OOM"),
    ]
    print_summary(Summary(crashes))
    assert capsys.readouterr().out.splitlines() == [
        "      3 with another signature",
        "      1 with the earlier result, because the new one was worse (--force replaces it)",
        "      1 not done yet",
        "",
        "      2 before  OOM",
        "        after   small",
        "",
        "      1 before  OOM\\x1b[31m",
        "        after   small",
    ]


def test_only_the_most_frequent_of_very_many_changes_are_shown(capsys):
    print_summary(Summary([Comparison(FIRST, "changed", "OOM", f"small {number}") for number in range(25)]))
    out = capsys.readouterr().out
    assert out.count(" before  OOM\n") == 20
    assert out.endswith("\n\n        and 5 other changes, which --json has\n")
