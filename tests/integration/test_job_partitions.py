"""``socorro cron partitions`` over a real PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta

import pytest

from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.crashstorage.postgresql.partitions import TABLES
from socorro_processor.errors import TransientStorageError
from socorro_processor.jobs.partitions import JOB
from socorro_processor.jobs.retention import ClockNotTrusted, NotRemoved
from tests.integration.postgresql_database import new_database
from tests.job_run import JobRun, noon

NOW = noon(2016, 11, 23)
RETENTION = {"cron__partitions__retention_days": 30}


@pytest.fixture
def database():
    """Tables, and partitions of 2016-10-10 to 2016-11-27."""
    with new_database() as database:
        with closing(database.store(today=lambda: date(2016, 11, 7))) as store:
            store.setup()
            for weeks in range(4):
                store.partitions.make(date(2016, 10, 10) + timedelta(weeks=weeks))
        yield database


@pytest.fixture
def job(database, monkeypatch):
    # The server has the clock of today.
    monkeypatch.setattr("socorro_processor.crashstorage.postgresql.partitions.Partitions.server_time", lambda self: NOW)
    return JobRun({**database.options, "destination.crashstorage_class": class_name(PostgreSQLCrashStorage)}, NOW)


def weeks(database, table: str = "reports") -> list[str]:
    return sorted(name.removeprefix(f"{table}_") for name in database.partitions(table) if name[-1].isdigit())


def test_the_partitions_of_the_next_weeks_are_made_and_none_dropped_without_a_retention(database, job):
    assert job(JOB).summary == f"{2 * len(TABLES)} partitions made, 0 dropped"
    for table in TABLES:
        assert weeks(database, table)[0] == "20161010"
        assert weeks(database, table)[-2:] == ["20161128", "20161205"]
    assert job(JOB).summary == "0 partitions made, 0 dropped"


def test_how_far_ahead_is_an_option(database, job):
    job(JOB, cron__partitions__weeks_ahead=4)
    assert weeks(database)[-1] == "20161219"


def test_a_week_goes_once_its_last_day_is_older_than_the_retention_with_its_crashes(database, job):
    old, young = new_crash_id(date(2016, 10, 23)), new_crash_id(date(2016, 10, 24))
    with closing(database.store(today=lambda: date(2016, 11, 1))) as store:
        for crash_id in (old, young):
            store.save_raw_and_processed({}, {}, {"uuid": crash_id}, crash_id)

    assert job(JOB, **RETENTION).summary.endswith(f", {2 * len(TABLES)} dropped")
    for table in TABLES:
        assert weeks(database, table)[0] == "20161024"
    assert database.rows("reports", old) == []
    assert len(database.rows("reports", young)) == 1


def test_a_dry_run_names_each_and_changes_nothing(database, job):
    before = weeks(database)
    job(JOB, dry_run=True, **RETENTION)
    names = {line["partition"] for line in job.objects if "dropped" in line and "partition" in line}
    assert names == {f"{table}_{week}" for table in TABLES for week in ("20161010", "20161017")}
    assert "reports_20161128  would be made" in job.lines
    assert weeks(database) == before


def test_default_partitions_foreign_partitions_and_other_tables_stay(database, job):
    database.execute(
        "CREATE TABLE reports_20150105 PARTITION OF reports FOR VALUES FROM ('2015-01-01') TO ('2015-02-01');"
        "CREATE TABLE reports_archive PARTITION OF reports FOR VALUES FROM ('2014-01-06') TO ('2014-01-13');"
        "CREATE TABLE reports_20140106 (uuid text)"
    )
    job(JOB, **RETENTION)
    assert {"reports_default", "reports_20150105", "reports_archive"} <= database.partitions("reports")
    assert database.execute("SELECT count(*) FROM reports_20140106") == [0]


def test_more_weeks_than_the_maximum_are_not_dropped_but_the_next_ones_are_made(database, job):
    with pytest.raises(NotRemoved, match=r"2 weeks \(2016-10-16 to 2016-10-23\) .*--maximum=2"):
        job(JOB, "--maximum=1", **RETENTION)
    assert weeks(database)[0] == "20161010"
    assert weeks(database)[-1] == "20161205"
    assert job(JOB, "--maximum=2", **RETENTION).summary.endswith(f"{2 * len(TABLES)} dropped")


def test_a_clock_that_is_a_year_ahead_neither_drops_nor_makes(database, job):
    before = weeks(database)
    job.now = noon(2017, 11, 23)
    for _ in range(2):
        with pytest.raises(ClockNotTrusted, match="the server's 2016-11-23"):
            job(JOB, **RETENTION)
    assert weeks(database) == before


def test_a_clock_that_is_ahead_together_with_the_servers_drops_nothing(database, job, monkeypatch):
    job.now = noon(2017, 1, 23)
    monkeypatch.setattr(
        "socorro_processor.crashstorage.postgresql.partitions.Partitions.server_time", lambda self: job.now
    )
    before = weeks(database)
    with pytest.raises(ClockNotTrusted, match="the newest of the weeks ends on 2016-11-27"):
        job(JOB, **RETENTION)
    assert weeks(database) == before


def test_the_servers_clock_is_asked(database):
    with closing(database.store()) as store:
        assert abs(store.partitions.server_time() - database.execute("SELECT now()")[0]) < timedelta(minutes=1)


def test_a_table_that_somebody_reads_for_a_long_time_is_an_error_and_the_next_run_goes_on(database, job):
    with closing(database.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN; SELECT count(*) FROM reports_20161017")
        with pytest.raises(
            TransientStorageError,
            match=r"cannot drop the partition reports_20161017.*held its lock on the table for a long time",
        ):
            job(JOB, **RETENTION)
    job(JOB, **RETENTION)
    assert weeks(database)[0] == "20161024"


def test_two_stores_in_one_database_are_one(database, job):
    store = class_name(PostgreSQLCrashStorage)
    job(JOB, dry_run=True, source__crashstorage_class=store, **RETENTION)
    assert job.lines.count("reports_20161010  would be dropped") == 1


def test_without_postgresql_there_is_nothing_to_do():
    assert JobRun({}, NOW)(JOB).summary.startswith("nothing to do: neither source nor destination")
