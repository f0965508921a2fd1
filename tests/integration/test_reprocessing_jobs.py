"""``socorro cron reprocessing-jobs``, from a real database to the embedded queue."""

import json
import sqlite3
from contextlib import closing

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.errors import CrashQueueError
from tests.integration.postgresql_database import new_database

ALL = "SELECT crash_id FROM reprocessing_jobs"


@pytest.fixture(scope="module")
def database():
    with new_database() as database:
        with closing(database.store()) as store:
            store.setup()
        yield database


@pytest.fixture
def job(database, tmp_path, capsys, monkeypatch):
    """Run the job; return its exit code and the lines that it printed."""
    database.execute("TRUNCATE reprocessing_jobs, reprocessing_jobs_refused, jobs")
    monkeypatch.chdir(tmp_path)
    options = {
        **database.options,
        "destination.crashstorage_class": class_name(PostgreSQLCrashStorage),
        "new_crash_source.path": tmp_path / "queue.sqlite",
    }

    def run(*arguments: str) -> tuple[int, list[str], str]:
        given = [f"--{key}={value}" for key, value in options.items()]
        code = main(["cron", "reprocessing-jobs", *given, *arguments], environ={})
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    run.queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite")))
    yield run
    run.queue.close()


def ask_for(database, *crash_ids: str) -> None:
    for crash_id in crash_ids:
        database.execute("INSERT INTO reprocessing_jobs VALUES (%s)", crash_id)


def queued(job) -> set[str]:
    with closing(sqlite3.connect(job.queue.config.path)) as connection:
        return {
            body if isinstance(body, str) else body.decode() for (body,) in connection.execute("SELECT body FROM crash")
        }


def test_the_crashes_of_all_rows_are_queued_and_the_rows_are_gone(database, job):
    crash_ids = [new_crash_id() for _ in range(250)]
    database.execute("INSERT INTO reprocessing_jobs SELECT unnest(%s)", crash_ids)
    assert job() == (0, ["250 queued"], "")
    assert job.queue.depths().queues["reprocessing"].waiting == 250
    assert queued(job) == set(crash_ids)
    assert database.execute(ALL) == []
    assert job() == (0, ["0 queued"], "")


def test_a_row_without_a_crash_id_is_set_aside_with_the_reason_and_holds_nothing_up(database, job):
    crash_id = new_crash_id()
    ask_for(database, "no id", crash_id.upper(), "")
    code, lines, _ = job()
    assert (code, lines[-1]) == (1, "1 queued, 2 refused")
    assert lines[0].startswith("refused: 'no id' is not a crash id")
    assert queued(job) == {crash_id}
    assert database.execute(ALL) == []
    refused = database.execute("SELECT crash_id, reason FROM reprocessing_jobs_refused ORDER BY crash_id")
    assert [(text, "is not a crash id" in reason) for text, reason in refused] == [("", True), ("no id", True)]
    assert database.execute("SELECT succeeded, summary FROM jobs") == [(False, "1 queued, 2 refused")]


def test_a_crash_that_is_asked_for_twice_is_queued_once(database, job):
    crash_id = new_crash_id()
    ask_for(database, crash_id, crash_id)
    assert job("--json") == (0, [json.dumps({"queued": 1, "refused": 0})], "")
    assert database.execute(ALL) == []


def test_a_dry_run_changes_nothing(database, job):
    crash_id = new_crash_id()
    ask_for(database, crash_id, "no id")
    code, lines, _ = job("--dry-run")
    assert (code, lines[-1]) == (1, "1 would be queued, 1 would be refused")
    assert sorted(database.execute(ALL)) == sorted([crash_id, "no id"])
    assert database.execute("SELECT * FROM reprocessing_jobs_refused") == []
    assert job.queue.depths().queues["reprocessing"].waiting == 0


@pytest.mark.parametrize(("error", "code"), [(CrashQueueError("the broker is away"), 1), (KeyboardInterrupt(), 130)])
def test_a_row_stays_until_the_queue_has_confirmed_its_crash(database, job, monkeypatch, error, code):
    first, second = new_crash_id(), new_crash_id()
    ask_for(database, first, second)
    submit = SQLiteCrashQueue.submit

    def submit_one(queue, crash_id, name):
        if queued(job):
            raise error
        submit(queue, crash_id, name)

    monkeypatch.setattr(SQLiteCrashQueue, "submit", submit_one)
    assert job()[0] == code
    (left,) = database.execute(ALL)
    assert {left} | queued(job) == {first, second}
    assert database.execute("SELECT succeeded FROM jobs") == [False]


def test_rows_that_another_process_holds_are_left_to_it(database, job):
    first, second = new_crash_id(), new_crash_id()
    ask_for(database, first, second)
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"{ALL} WHERE crash_id = %s FOR UPDATE", (first,))
        assert job()[:2] == (0, ["1 queued"])
    assert queued(job) == {second}
    assert database.execute(ALL) == [first]


def test_the_column_of_the_2016_table_may_be_of_type_uuid(job):
    with new_database() as database:
        database.execute("CREATE TABLE reprocessing_jobs (crash_id uuid)")
        with closing(database.store()) as store:
            store.setup()
        crash_id = new_crash_id()
        ask_for(database, crash_id)
        database.execute("INSERT INTO reprocessing_jobs VALUES (NULL)")
        name = f"--resource.postgresql.database_name={database.name}"
        assert job(name)[0] == 1
        assert queued(job) == {crash_id}
        assert database.execute(ALL) == []


def test_without_postgresql_the_job_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["cron", "reprocessing-jobs"], environ={}) == 0
    assert "nothing to do: the configuration has no PostgreSQL" in capsys.readouterr().out
