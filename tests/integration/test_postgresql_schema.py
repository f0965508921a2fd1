"""The schema: `socorro setup` makes it, repeatedly, and the check verifies it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.crashstorage.postgresql.partitions import TABLES
from socorro_processor.errors import TransientStorageError
from socorro_processor.reference.postgresql import PostgreSQLReferenceData
from tests.integration.postgresql_database import new_database, new_role

DAY = date(2016, 11, 23)
MIGRATIONS = ["0001_crashes", "0002_reference_data", "0003_jobs", "0004_reprocessing_jobs", "0005_fields"]


@pytest.fixture
def database():
    with new_database() as database:
        yield database


@pytest.fixture
def store(database):
    with closing(database.store(today=lambda: DAY)) as store:
        yield store


def applied(database) -> list[str]:
    return database.execute("SELECT name FROM socorro_migrations ORDER BY name")


def test_setup_makes_the_tables_and_the_partitions_of_this_and_the_next_weeks(store, database):
    store.setup()

    assert applied(database) == MIGRATIONS
    for table in TABLES:
        weeks = ("default", "20161121", "20161128", "20161205")
        assert database.partitions(table) == {f"{table}_{week}" for week in weeks}
    store.check()


def test_setup_may_be_run_again_and_loses_nothing(store, database):
    store.setup()
    crash_id = new_crash_id(DAY)
    store.save_processed({"uuid": crash_id})
    moments = database.execute("SELECT applied FROM socorro_migrations ORDER BY name")
    store.setup()

    assert database.execute("SELECT applied FROM socorro_migrations ORDER BY name") == moments
    assert store.get_processed(crash_id) == {"uuid": crash_id}


def test_eight_hosts_may_run_setup_at_once(database):
    together = threading.Barrier(8)

    def work(_) -> None:
        with closing(database.store(today=lambda: DAY)) as store:
            together.wait()
            store.setup()
            store.check()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert applied(database) == MIGRATIONS


def test_a_failed_migration_changes_nothing_and_can_be_repeated(store, database):
    database.execute("CREATE TABLE windows_versions (of_somebody_else text)")
    with pytest.raises(TransientStorageError, match=r'make the tables .*"windows_versions" already exists'):
        store.setup()
    assert database.execute("SELECT to_regclass('reports'), to_regclass('socorro_migrations')") == [(None, None)]

    database.execute("DROP TABLE windows_versions")
    store.setup()
    store.check()


def test_a_migration_does_not_keep_processors_waiting_for_somebody_who_reads_for_long(store, database):
    store.setup()
    database.execute(
        "DELETE FROM socorro_migrations WHERE name = '0005_fields'; ALTER TABLE reports DROP COLUMN fields"
    )
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")  # else a setup that waits would wait for ever
        cursor.execute("SELECT count(*) FROM reports")
        with pytest.raises(
            TransientStorageError, match=r"cannot make the tables .*another session has held its lock on the table"
        ):
            store.setup()
    assert applied(database) == MIGRATIONS[:-1]
    store.setup()
    store.check()


def test_the_check_says_what_was_not_applied(store, database):
    with pytest.raises(
        TransientStorageError, match=f"lacks the migrations {', '.join(MIGRATIONS)}: run `socorro setup`"
    ):
        store.check()
    store.setup()
    database.execute("DELETE FROM socorro_migrations WHERE name = '0002_reference_data'")
    with pytest.raises(TransientStorageError, match="lacks the migrations 0002_reference_data: run `socorro setup`"):
        store.check()


def test_a_schema_that_is_newer_than_the_processor_is_accepted(store, database):
    store.setup()
    database.execute("INSERT INTO socorro_migrations VALUES ('9999_of_the_next_version', now())")

    store.check()
    store.setup()


def test_the_check_says_what_the_user_may_not_do(store, database):
    store.setup()
    with new_role(database) as role, closing(database.store(today=lambda: DAY, **role)) as restricted:
        name = role["secrets.postgresql.database_username"]
        database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        database.execute(f"GRANT INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO {name}")
        with pytest.raises(
            TransientStorageError, match=r"grant INSERT on plugins, UPDATE on plugins, DELETE on plugins$"
        ):
            restricted.check()
        database.execute(f"GRANT INSERT, UPDATE, DELETE ON plugins TO {name}")
        restricted.check()
        restricted.setup()  # there is nothing left to make


def test_a_user_who_may_make_no_tables_is_told_so(store, database):
    with (
        new_role(database) as role,
        closing(database.store(**role)) as restricted,
        pytest.raises(TransientStorageError, match=r"permission denied for schema public .*grant"),
    ):
        restricted.setup()


def test_setup_is_a_command(database, tmp_path, capsys):
    options = [f"--{key}={value}" for key, value in database.options.items()]
    options += [f"--resource.reference.reference_class={class_name(PostgreSQLReferenceData)}"]
    destination = f"--destination.crashstorage_class={class_name(PostgreSQLCrashStorage)}"
    files = [f"--resource.filesystem.root={tmp_path}", f"--new_crash_source.path={tmp_path / 'queue'}"]

    assert main(["setup", destination, *files, *options], environ={}) == 0
    printed = capsys.readouterr().out
    assert "destination: PostgreSQLCrashStorage has what it needs" in printed
    assert "processor: ProcessorAlgorithm2026 has what it needs" in printed
    assert applied(database) == MIGRATIONS
    assert database.execute("SELECT name FROM windows_versions WHERE (major, minor) = (6, 1)") == ["Windows 7"]
