"""Failures of a real server: whose fault each is, and which words of it may be shown."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.errors import ConfigurationError, CrashStorageError, PermanentStorageError, TransientStorageError
from tests.integration.postgresql_database import SERVER, new_database
from tests.tcp_proxy import TCPProxy


@pytest.fixture(scope="module")
def database():
    with new_database() as database:
        yield database


def pool_of(database, **values) -> ConnectionPool:
    return ConnectionPool(defaults(PostgreSQLCrashStorage, **{**database.options, **values}))


@pytest.fixture
def pool(database):
    with closing(pool_of(database)) as pool:
        yield pool


def fail_with(state: str):
    """Run work that fails with a real error of the server, all of whose text is secret."""
    text = f"RAISE EXCEPTION 'secret' USING ERRCODE = '{state}', DETAIL = 'secret', HINT = 'secret'"
    return lambda cursor: cursor.execute(f"DO $$ BEGIN {text}; END $$")


TRANSIENT = {
    "08006": "connection failure",
    "2200H": "a sequence without further numbers",
    "23502": "not null violation",
    "23503": "foreign key violation",
    "23505": "unique violation",
    "23514": "check violation, no partition for a row",
    "25006": "read only transaction",
    "25P03": "idle in transaction time-out",
    "28P01": "invalid password",
    "3D000": "no such database",
    "3F000": "no such schema",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "42501": "insufficient privilege",
    "42601": "syntax error",
    "42703": "no such column",
    "42804": "column of another type",
    "42P01": "no such table",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55006": "object in use",
    "55P03": "lock not available",
    "57014": "cancelled",
    "57P01": "shut down by an administrator",
    "57P03": "cannot connect now",
    "58030": "io error",
    "F0000": "configuration file",
    "P0001": "raised by a trigger",
    "XX001": "data corrupted",
}
PERMANENT = {
    "22001": "too long",
    "22003": "out of range",
    "22008": "date out of range",
    "22021": "character not in repertoire",
    "22P02": "invalid text",
    "22P05": "untranslatable character",
    "54000": "program limit",
    "54001": "too complex",
}


@pytest.mark.parametrize("state", TRANSIENT)
def test_an_error_of_the_server_is_transient(pool, state):
    with pytest.raises(TransientStorageError, match=state):
        pool.run("try it", fail_with(state))


@pytest.mark.parametrize("state", PERMANENT)
def test_an_error_about_the_content_is_permanent_and_is_not_quoted(pool, state):
    with pytest.raises(PermanentStorageError, match=f"cannot try it .*{state}") as caught:
        pool.run("try it", fail_with(state))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'secret'::integer",
        "SELECT '{\"secret'::jsonb",
        "SELECT '\"\\u0000secret\"'::jsonb ->> 0",
        "SELECT 'secret'::timestamptz",
        "SELECT secret secret secret",
        "INSERT INTO short VALUES (repeat('secret', 100))",
        "INSERT INTO short VALUES ('secret'), ('secret')",
        "INSERT INTO short VALUES (NULL)",
    ],
)
def test_no_message_quotes_a_crash(pool, database, statement):
    database.execute("CREATE TABLE IF NOT EXISTS short (text varchar(10) PRIMARY KEY)")
    with pytest.raises(CrashStorageError) as caught:
        pool.run("try it", lambda cursor: cursor.execute(statement))
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_message_names_the_table_and_what_to_do(pool, database):
    with pytest.raises(TransientStorageError) as caught:
        pool.run("save this", lambda cursor: cursor.execute("INSERT INTO reports VALUES (1)"))
    port = database.options[f"{SERVER}database_port"]
    assert str(caught.value) == (
        f'cannot save this in the database {database.name} at 127.0.0.1:{port}: relation "reports" does not exist '
        "(42P01): run `socorro setup`"
    )


def test_a_server_that_shuts_down_during_a_statement_is_tried_once_more(pool, database):
    ends = iter([True, False])

    def work(cursor) -> str:
        if next(ends):
            database.end_connections()
        cursor.execute("SELECT 'done'")
        return cursor.fetchone()[0]

    pool.run("be idle", lambda cursor: None)
    assert pool.run("try it", work) == "done"


def test_a_server_that_ends_each_connection_is_not_tried_for_ever(pool, database):
    tries = []

    def work(cursor) -> None:
        tries.append(cursor)
        database.end_connections()
        cursor.execute("SELECT 1")

    pool.run("be idle", lambda cursor: None)
    with pytest.raises(TransientStorageError, match="cannot try it"):
        pool.run("try it", work)
    assert len(tries) == 2


def test_a_silent_server_is_given_up(database):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {f"{SERVER}database_port": silent.getsockname()[1], f"{SERVER}connect_timeout": 2}
        with (
            closing(pool_of(database, **options)) as pool,
            pytest.raises(TransientStorageError, match="timeout expired"),
        ):
            pool.run("try it", lambda cursor: None)


@pytest.fixture
def proxy(database) -> Iterator[TCPProxy]:
    with closing(TCPProxy("127.0.0.1", int(database.options[f"{SERVER}database_port"]))) as proxy:
        yield proxy


def pool_behind(proxy: TCPProxy, database) -> ConnectionPool:
    times = {f"{SERVER}statement_timeout": 2, f"{SERVER}connect_timeout": 2}
    return pool_of(database, **{f"{SERVER}database_port": proxy.port}, **times)


@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_stops_or_drips_during_a_statement_is_given_up(database, proxy, drips):
    answered = threading.Event()

    def drip() -> None:
        # The first part of a row of 1 MB.
        proxy.say_to_clients(b"D\0\x10\0\0")
        while not answered.wait(0.05):
            with suppress(OSError):
                proxy.say_to_clients(b"\0")

    dripping = threading.Thread(target=drip)

    def work(cursor) -> None:
        proxy.stall()
        if drips:
            dripping.start()
        cursor.execute("SELECT 1")

    with closing(pool_behind(proxy, database)) as pool:
        with pytest.raises(
            TransientStorageError, match=f"cannot try it in the database {database.name} .*: no answer within 4"
        ):
            pool.run("try it", work)
        answered.set()
        if drips:
            dripping.join()
        proxy.flow()
        assert pool.run("try it", _one) == 1


def test_a_server_that_stopped_while_a_connection_was_idle_is_given_up(database, proxy):
    with closing(pool_behind(proxy, database)) as pool:
        assert pool.run("try it", _one) == 1
        proxy.stall()
        with pytest.raises(TransientStorageError, match="timeout expired"):
            pool.run("try it", _one)
        proxy.flow()
        assert pool.run("try it", _one) == 1


def test_a_statement_that_may_take_long_has_no_deadline(database, proxy):
    def work(cursor) -> int:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT 1 FROM pg_sleep(6)")
        return cursor.fetchone()[0]

    with closing(pool_behind(proxy, database)) as pool:
        assert pool.run("try it", work, keep=False, patient=True) == 1


def _one(cursor) -> int:
    cursor.execute("SELECT 1")
    return cursor.fetchone()[0]


def test_a_server_without_tls_is_refused_if_tls_is_required(database):
    with (
        closing(pool_of(database, **{f"{SERVER}sslmode": "require"})) as pool,
        pytest.raises(TransientStorageError, match="server does not support SSL"),
    ):
        pool.run("try it", lambda cursor: None)


def test_an_unknown_tls_mode_is_a_configuration_error(database):
    with pytest.raises(ConfigurationError, match=r"processor\.ini: 'verify_full' .* one of disable, .*, verify-full"):
        pool_of(database, **{f"{SERVER}sslmode": SourcedValue("verify_full", "processor.ini")})
