"""The partitions of weeks: which crash goes where, and how they are made while crashes are saved."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import date, timedelta

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.crashstorage.postgresql.partitions import TABLES, Partitions
from socorro_processor.errors import TransientStorageError
from tests.integration.postgresql_database import SERVER, new_database, new_role

DAY = date(2016, 11, 23)
"""A Wednesday, which is today unless a test says otherwise."""
WEEK = "20161121"


@pytest.fixture
def database():
    with new_database() as database:
        with closing(database.store(today=lambda: date(2010, 1, 1))) as store:
            store.setup()
        yield database


@pytest.fixture
def store(database):
    with closing(database.store(today=lambda: DAY)) as store:
        yield store


def save(store, crash_id: str) -> None:
    """Save a crash with a row in every table."""
    processed_crash = {
        "uuid": crash_id,
        "process_type": "plugin",
        "processing": {"missing_symbols": [["a.pdb", "0", None, None]]},
    }
    store.save_raw_and_processed({}, {}, processed_crash, crash_id)


def weeks_of(database, crash_id: str) -> set[str]:
    """Return the suffixes of the partitions with its rows; it has one row in each table."""
    partitions = {table: database.row(table, crash_id)["partition"] for table in TABLES}
    return {partition.removeprefix(f"{table}_") for table, partition in partitions.items()}


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2016, 11, 21), "20161121"),
        (date(2016, 11, 25), "20161121"),
        (date(2016, 11, 20), "20161114"),
        (date(2016, 1, 1), "20151228"),
        (date(2016, 2, 29), "20160229"),
    ],
)
def test_a_crash_goes_to_the_week_of_its_id_which_begins_on_monday(store, database, day, week):
    crash_id = new_crash_id(day)
    save(store, crash_id)

    assert weeks_of(database, crash_id) == {week}


@pytest.mark.parametrize(
    ("days", "week"), [(2, WEEK), (5, "default"), (30_000, "default"), (-400, "20151019"), (-401, "default")]
)
def test_a_crash_that_is_dated_too_far_from_today_goes_to_the_default_partition(store, database, days, week):
    before = database.partitions("reports")
    crash_id = new_crash_id(DAY + timedelta(days=days))
    save(store, crash_id)

    assert weeks_of(database, crash_id) == {week}
    assert database.partitions("reports") - before == {f"reports_{week}"} - before
    assert store.get_processed(crash_id)["uuid"] == crash_id
    store.remove(crash_id)
    assert not any(database.rows(table, crash_id) for table in TABLES)


def test_how_old_a_crash_may_be_is_an_option(database):
    with closing(database.store(oldest_crash_days=9, today=lambda: DAY)) as store:
        crash_ids = [new_crash_id(DAY - timedelta(days=days)) for days in (9, 10)]
        for crash_id in crash_ids:
            save(store, crash_id)

    assert [weeks_of(database, crash_id) for crash_id in crash_ids] == [{"20161114"}, {"default"}]


def test_a_crash_goes_to_an_existing_partition_however_old_it_is(database):
    first, second = new_crash_id(DAY), new_crash_id(DAY)
    for today, crash_id in ((DAY, first), (DAY + timedelta(days=1000), second)):
        with closing(database.store(today=lambda today=today: today)) as store:
            save(store, crash_id)

    assert weeks_of(database, first) == weeks_of(database, second) == {WEEK}


def test_eight_threads_of_eight_processors_make_the_same_partitions_at_once(database):
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        stores = [stack.enter_context(closing(database.store(today=lambda: DAY))) for _ in range(8)]
        for week in range(10):
            crash_ids = [new_crash_id(DAY - timedelta(weeks=week)) for _ in stores]
            together = threading.Barrier(8)

            def work(store, crash_id, together=together):
                together.wait()
                save(store, crash_id)

            list(pool.map(work, stores, crash_ids))
            monday = f"{date(2016, 11, 21) - timedelta(weeks=week):%Y%m%d}"
            assert all(weeks_of(database, crash_id) == {monday} for crash_id in crash_ids)

    assert database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", database.name) == [0]


def test_eight_threads_of_one_processor_make_partitions_at_once(store, database):
    crash_ids = [new_crash_id(DAY) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda crash_id: save(store, crash_id), crash_ids))

    assert all(weeks_of(database, crash_id) == {WEEK} for crash_id in crash_ids)


def test_partitions_are_made_while_crashes_go_to_the_default_one_and_are_removed(store, database):
    stop = threading.Event()

    def others() -> int:
        done = 0
        while not stop.is_set():
            crash_id = new_crash_id(date(2050, 1, 1))
            save(store, crash_id)
            store.get_processed(crash_id)
            store.remove(crash_id)
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(others) for _ in range(4)]
        try:
            for week in range(20):
                crash_id = new_crash_id(DAY - timedelta(weeks=week))
                save(store, crash_id)
                assert weeks_of(database, crash_id) == {f"{date(2016, 11, 21) - timedelta(weeks=week):%Y%m%d}"}
        finally:
            stop.set()
        assert all(worker.result() for worker in workers)

    assert database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", database.name) == [0]


def test_crashes_in_the_default_partition_are_moved_to_their_week_once_it_is_made(database):
    early, other, later = new_crash_id(DAY), new_crash_id(date(2050, 1, 1)), new_crash_id(DAY)
    with closing(database.store(today=lambda: DAY - timedelta(days=100))) as store:
        save(store, early)
        save(store, other)
        assert weeks_of(database, early) == {"default"}
    with closing(database.store(today=lambda: DAY)) as store:
        save(store, later)
        assert store.get_raw_crash(early) == {}

    assert weeks_of(database, early) == weeks_of(database, later) == {WEEK}
    assert weeks_of(database, other) == {"default"}


def test_a_crash_in_the_default_partition_that_comes_again_is_there_once(database):
    crash_id = new_crash_id(DAY)
    for today in (DAY - timedelta(days=100), DAY):
        with closing(database.store(today=lambda today=today: today)) as store:
            save(store, crash_id)

    assert weeks_of(database, crash_id) == {WEEK}


def test_while_somebody_keeps_reading_crashes_go_to_the_default_partition_and_are_moved_later(database, store, caplog):
    crash_id, later = new_crash_id(DAY), new_crash_id(DAY)
    with closing(database.connect()) as reader, reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM reports")
        save(store, crash_id)
        assert weeks_of(database, crash_id) == {"default"}
        assert any("2016-11-21 go to the default partitions: " in message for message in caplog.messages)
    with closing(database.store(today=lambda: DAY)) as another:
        save(another, later)

    assert weeks_of(database, crash_id) == weeks_of(database, later) == {WEEK}


def test_setup_moves_what_is_too_much_to_move_during_a_save(database):
    crash_id, later = new_crash_id(DAY), new_crash_id(DAY)
    with closing(database.store(today=lambda: DAY - timedelta(days=100))) as store:
        save(store, crash_id)
    database.execute(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(1.5); RETURN OLD; END $$;"
        "CREATE TRIGGER slowly BEFORE DELETE ON reports_default FOR EACH ROW EXECUTE FUNCTION slowly()"
    )
    with closing(database.store(**{f"{SERVER}statement_timeout": 1}, today=lambda: DAY)) as store:
        save(store, later)
        assert {database.row("reports", each)["partition"] for each in (crash_id, later)} == {"reports_default"}
        store.setup()

    assert weeks_of(database, crash_id) == weeks_of(database, later) == {WEEK}


def test_a_user_who_may_make_no_partitions_fills_the_default_one(database, caplog):
    crash_id = new_crash_id(DAY)
    with new_role(database) as role:
        name = role["secrets.postgresql.database_username"]
        database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
        with closing(database.store(today=lambda: DAY, **role)) as store:
            store.check()
            save(store, crash_id)

    assert weeks_of(database, crash_id) == {"default"}
    assert any("permission denied" in message for message in caplog.messages)


def test_a_table_with_the_name_of_a_partition_holds_up_no_crash(store, database, caplog):
    database.execute(f"CREATE TABLE raw_crashes_{WEEK} (of_somebody_else text)")
    crash_id = new_crash_id(DAY)
    save(store, crash_id)

    assert database.row("reports", crash_id)["partition"] == f"reports_{WEEK}"
    assert database.row("raw_crashes", crash_id)["partition"] == "raw_crashes_default"
    assert any("rename that table, or attach it as a partition" in message for message in caplog.messages)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_partition_that_was_dropped_is_made_again_a_minute_later(database):
    clock = Clock()
    with closing(ConnectionPool(defaults(PostgreSQLCrashStorage, **database.options))) as pool:
        partitions = Partitions(pool, 400, lambda: DAY, clock)
        partitions.prepare(DAY)
        database.execute(f"DROP TABLE reports_{WEEK}")
        partitions.prepare(DAY)
        assert f"reports_{WEEK}" not in database.partitions("reports")
        clock.seconds = 60
        partitions.prepare(DAY)

    assert f"reports_{WEEK}" in database.partitions("reports")


def test_a_server_that_is_away_is_reported_at_once(database):
    with (
        closing(database.store(**{f"{SERVER}database_port": 1}, today=lambda: DAY)) as store,
        pytest.raises(TransientStorageError, match=f"make the partition reports_{WEEK} .*refused"),
    ):
        save(store, new_crash_id(DAY))
