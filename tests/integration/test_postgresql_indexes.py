"""The indexes of `reports`: on every partition, old and new, and made while crashes are saved."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, timedelta

import psycopg2
import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.postgresql.indexes import INDEXES
from socorro_processor.errors import TransientStorageError
from tests.integration.postgresql_database import SERVER, new_database, new_role

DAY = date(2016, 11, 23)
TABLES = ["reports", "reports_20161121", "reports_20161128", "reports_20161205", "reports_default"]
"""The tables after setup on that day."""
SIGNATURE = "reports_20161121_signature_crash_date_idx"


@pytest.fixture
def database():
    """A database of a version without indexes, with a crash in a week and one in the default partition."""
    with new_database() as database:
        with closing(database.store(today=lambda: DAY)) as store:
            store.setup()
            for day in (DAY, date(2050, 1, 1)):
                store.save_processed({"uuid": new_crash_id(day), "signature": "main"})
        database.execute(f"DROP INDEX {', '.join(index.name(index.table) for index in INDEXES)}")
        assert not any(indexed(database).values())
        yield database


@pytest.fixture
def store(database):
    with closing(database.store(today=lambda: DAY)) as store:
        yield store


def indexed(database) -> dict[str, set[str]]:
    """Return the columns of the usable indexes, without the primary key, of the table and each of its partitions.

    An index of a partition counts only as part of one of the table.
    """
    rows = database.execute(
        """
        SELECT tables.oid::regclass::text,
            (SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = indexrelid)
        FROM pg_class AS tables LEFT JOIN pg_index ON indrelid = tables.oid AND indisvalid AND NOT indisprimary
            AND (tables.relkind = 'p' OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid))
        WHERE relkind IN ('r', 'p') AND relname ~ '^reports(_|$)'
        """
    )
    found: dict[str, set[str]] = {}
    for table, columns in rows:
        found.setdefault(table, set()).update([columns] if columns else [])
    return found


ALL = {"signature crash_date", "product version crash_date", "date_processed", "fields"}


def all_on(*tables: str) -> dict[str, set[str]]:
    return dict.fromkeys(tables, ALL)


def test_setup_of_an_empty_database_makes_indexes_on_every_partition():
    with new_database() as database, closing(database.store(today=lambda: DAY)) as store:
        store.setup()

        assert indexed(database) == all_on(*TABLES)


def test_setup_makes_indexes_on_the_tables_of_an_older_version(store, database):
    store.setup()

    assert indexed(database) == all_on(*TABLES)


def test_a_second_setup_makes_no_further_indexes(store, database):
    store.setup()
    before = database.execute("SELECT indexrelid FROM pg_index ORDER BY 1")
    store.setup()

    assert database.execute("SELECT indexrelid FROM pg_index ORDER BY 1") == before


def test_the_partition_of_a_new_week_has_the_indexes(store, database):
    store.setup()
    store.save_processed({"uuid": new_crash_id(DAY - timedelta(weeks=9))})

    assert indexed(database) == all_on(*TABLES, "reports_20160919")


def test_a_partition_that_somebody_attaches_by_hand_has_the_indexes(store, database):
    store.setup()
    database.execute(
        "ALTER TABLE reports DETACH PARTITION reports_20161128;"
        f"DROP INDEX {', '.join(index.name('reports_20161128') for index in INDEXES)}"
    )
    database.execute(
        "ALTER TABLE reports ATTACH PARTITION reports_20161128 FOR VALUES FROM ('2016-11-28') TO ('2016-12-05')"
    )

    assert indexed(database) == all_on(*TABLES)


def test_a_partition_that_is_made_while_setup_is_interrupted_has_the_indexes(store, database):
    database.execute("CREATE INDEX reports_signature_crash_date_idx ON ONLY reports (signature, crash_date)")
    store.save_processed({"uuid": new_crash_id(DAY - timedelta(weeks=9))})
    assert indexed(database)["reports_20160919"] == {"signature crash_date"}
    assert indexed(database)["reports"] == set()
    store.setup()

    assert indexed(database) == all_on(*TABLES, "reports_20160919")


def test_an_index_whose_creation_was_interrupted_is_made_again(store, database):
    store.save_processed({"uuid": new_crash_id(DAY), "signature": "main"})
    with pytest.raises(psycopg2.errors.UniqueViolation):
        database.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {SIGNATURE} ON reports_20161121 (signature, crash_date)")
    assert database.execute(f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{SIGNATURE}'::regclass") == [False]
    store.setup()

    assert indexed(database) == all_on(*TABLES)
    assert database.execute(f"SELECT indisunique FROM pg_index WHERE indexrelid = '{SIGNATURE}'::regclass") == [False]


def test_an_index_that_was_made_and_not_attached_is_used(store, database):
    database.execute(f"CREATE INDEX {SIGNATURE} ON reports_20161121 (signature, crash_date)")
    before = database.execute(f"SELECT '{SIGNATURE}'::regclass::oid")
    store.setup()

    assert indexed(database) == all_on(*TABLES)
    assert database.execute(f"SELECT '{SIGNATURE}'::regclass::oid") == before


@contextmanager
def in_transaction(database, statement: str):
    """A session that has executed the statement and not committed it, within the ``with``."""
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield


def wait_for(condition) -> None:
    while not condition():
        time.sleep(0.05)


def test_processors_save_and_people_read_while_an_index_waits_for_somebody_who_writes(store, database):
    with ThreadPoolExecutor(1) as pool, closing(database.store(**{f"{SERVER}statement_timeout": 20})) as processor:
        with in_transaction(database, "UPDATE reports_20161121 SET signature = 'other'"):
            setup = pool.submit(store.setup)
            wait_for(lambda: setup.done() or "CREATE INDEX" in waiting(database))
            crash_id = new_crash_id(DAY)
            processor.save_processed({"uuid": crash_id, "signature": "main"})
            assert database.execute("SELECT count(*) FROM reports WHERE signature = 'main'") == [3]
            assert not setup.done()
        setup.result()

    assert indexed(database) == all_on(*TABLES)


def waiting(database) -> str:
    """Return the processor's statement that waits for a lock."""
    found = database.execute(
        "SELECT query FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        " AND application_name = 'socorro-processor'",
        database.name,
    )
    return found[0] if found else ""


def test_while_somebody_keeps_writing_to_the_whole_table_setup_gives_up_and_a_later_one_goes_on(store, database):
    with (
        in_transaction(database, "UPDATE reports SET signature = 'other'"),
        pytest.raises(
            TransientStorageError, match=r"cannot make the indexes .*another session has held its lock on the table"
        ),
    ):
        store.setup()
    store.setup()

    assert indexed(database) == all_on(*TABLES)


def test_eight_hosts_make_indexes_at_once_while_crashes_are_saved(database):
    together, stop = threading.Barrier(8), threading.Event()

    def setup(_) -> None:
        with closing(database.store(today=lambda: DAY)) as store:
            together.wait()
            store.setup()
            assert indexed(database) == all_on(*TABLES)

    def save() -> int:
        saved = 0
        with closing(database.store(today=lambda: DAY)) as store:
            while not stop.is_set():
                store.save_processed({"uuid": new_crash_id(DAY), "signature": "main"})
                saved += 1
        return saved

    with ThreadPoolExecutor(9) as pool:
        saving = pool.submit(save)
        try:
            list(pool.map(setup, range(8)))
        finally:
            stop.set()
        assert saving.result()

    assert database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", database.name) == [0]


def test_once_all_indexes_exist_setup_needs_no_right_to_make_any(store, database):
    store.setup()
    with new_role(database) as role, closing(database.store(today=lambda: DAY, **role)) as restricted:
        database.execute(
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role['secrets.postgresql.database_username']}"
        )
        restricted.setup()


def test_missing_indexes_keep_no_crash_from_being_saved_and_pass_the_check(store, database):
    store.check()
    crash_id = new_crash_id(DAY)
    store.save_processed({"uuid": crash_id, "signature": "main"})

    assert database.row("reports", crash_id)["signature"] == "main"
