"""Connections to PostgreSQL: their options, and the pool of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from socorro_processor.configuration import DotDict, Namespace, OneOf
from socorro_processor.crashstorage.postgresql.errors import ConnectionFailed, translate_postgresql_error
from socorro_processor.errors import PermanentStorageError
from socorro_processor.machine.request_deadline import ANY_TIME, LEAST_SPEED, Deadline, Deadlines

T = TypeVar("T")

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_SILENCE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""The settings with which libpq gives up a server that vanished silently, after a minute."""

LOCK_TIMEOUT = "2s"
"""The time that a change of tables or indexes may keep others waiting for its locks; the work takes milliseconds."""

_DEADLINE_FACTOR = 2
"""The deadline of a text as a multiple of ``statement_timeout``, which the server applies to each of its statements."""


def connection_options() -> Namespace:
    """Return the options of a component that uses a ConnectionPool."""
    options = Namespace()
    add = partial(options.add_option, reference_value_from="resource.postgresql")
    add_secret = partial(options.add_option, reference_value_from="secrets.postgresql")
    add("database_hostname", "localhost", "the PostgreSQL server: a name, or a directory with its socket")
    add("database_port", 5432, "the port of the server")
    add("database_name", "socorro", "the database; its encoding must be UTF8")
    add_secret("database_username", "socorro", "the user to connect as")
    add_secret("database_password", "", "the password (empty: libpq looks for it, in ~/.pgpass)", secret=True)
    add("connect_timeout", 10, "seconds to wait for a connection")
    add(
        "statement_timeout",
        60,
        "seconds after which the server cancels a statement; the processor waits twice as long (0: for ever)",
    )
    modes = f"one of {', '.join(_SSL_MODES)}; use verify-full if the network is not trusted"
    add("sslmode", "prefer", modes, OneOf(_SSL_MODES))
    add("sslrootcert", "", "the file of the authorities that may have signed the server's certificate")
    add("sslcert", "", "the file of this client's own certificate")
    add("sslkey", "", "the file of the key of sslcert")
    return options


class _TimedCursor(Cursor):
    """A cursor that gives each statement a deadline: libpq waits for ever for a server that is frozen or very slow."""

    deadline: Deadline
    seconds: float

    def execute(self, query: Any, vars: Any = None) -> None:
        size = len(query) if isinstance(query, bytes | str) else 0
        seconds = self.seconds + size / LEAST_SPEED
        self.deadline.step(seconds, f"no answer within {seconds:.0f} s")
        super().execute(query, vars)


class ConnectionPool:
    """Has one connection for each thread that is at work, and keeps it for the next thread.

    So there are never more connections than threads, and no thread has to wait. Connections commit each text, which
    is one transaction and one round trip even if it has several statements. For a transaction of several texts use
    ``with connection:``.

    Every method may be called from any thread; the module ``errors`` translates errors.
    """

    def __init__(self, config: DotDict) -> None:
        self._name = f"{config.database_name} at {config.database_hostname}:{config.database_port}"
        self._parameters: dict[str, Any] = {
            "host": config.database_hostname,
            "port": config.database_port,
            "dbname": config.database_name,
            "user": config.database_username,
            "password": config.database_password or None,
            "connect_timeout": config.connect_timeout,
            "sslmode": config.sslmode,
            **{name: config[name] for name in ("sslrootcert", "sslcert", "sslkey") if config[name]},
            "application_name": "socorro-processor",
            "client_encoding": "UTF8",
            "options": f"-c statement_timeout={config.statement_timeout}s -c timezone=UTC",
            **_SILENCE,
        }
        self._statement_timeout: float = config.statement_timeout
        self._deadlines = Deadlines()
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    def run(self, doing: str, work: Callable[[Cursor], T], *, keep: bool = True, patient: bool = False) -> T:
        """Call ``work`` with a cursor, and return its result. ``doing`` says in an error what could not be done.

        Set ``keep`` to False if ``work`` sends much, because a connection keeps memory for the most that it ever
        sent. Set ``patient`` if a statement may take longer than ``statement_timeout``, which ``work`` then turns off.

        It must be possible to call ``work`` twice: if the server has closed an idle connection, it is called again
        with a new one.
        """
        idle = self._take_idle()
        if idle is not None:
            try:
                return self._call(idle, doing, work, keep=keep, patient=patient)
            except ConnectionFailed:
                # The server was restarted, or closes idle connections: the others are gone too.
                self._close_idle()
        return self._call(self._connect(doing), doing, work, keep=keep, patient=patient)

    def rows(self, doing: str, query: str, values: Any = None) -> list[Any]:
        """Return all rows of a query, which must be few."""

        def read(cursor: Cursor) -> list[Any]:
            cursor.execute(query, values)
            return cursor.fetchall()

        return self.run(doing, read)

    @contextmanager
    def reading(self, doing: str, query: str, values: Sequence[Any], rows_at_once: int) -> Iterator[Iterator[Any]]:
        """Yield the rows of a query, however many: the server keeps them, and sends some at a time.

        The query has its own connection, which is closed after the block.
        """
        with self.session(doing) as session:
            # psycopg2 refuses such cursors if each statement is a transaction of its own.
            session.connection.autocommit = False
            # If the rows are sorted, the first may take as long as all.
            session.execute("SET LOCAL statement_timeout = 0")
            cursor = session.connection.cursor("reading")
            cursor.itersize = rows_at_once
            cursor.execute(query, values)
            yield cursor

    @contextmanager
    def session(self, doing: str) -> Iterator[Cursor]:
        """Yield a cursor with its own connection, which is closed after the block and then loses its locks."""
        connection = self._connect(doing)
        with self._translate_errors(connection, doing, keep=False), connection.cursor() as cursor:
            yield cursor

    def close(self) -> None:
        """Close the idle connections now, and each of the others at the end of its work."""
        self._closed = True
        self._close_idle()

    def __str__(self) -> str:
        return self._name

    def _call(self, connection: Connection, doing: str, work: Callable[[Cursor], T], *, keep: bool, patient: bool) -> T:
        if patient or not self._statement_timeout:
            with self._translate_errors(connection, doing, keep=keep), connection.cursor() as cursor:
                return work(cursor)
        with (
            self._deadlines.within(ANY_TIME) as deadline,
            self._translate_errors(connection, doing, keep=keep, deadline=deadline),
            connection.cursor(cursor_factory=_TimedCursor) as timed,
        ):
            deadline.guard(connection)
            timed.deadline, timed.seconds = deadline, self._statement_timeout * _DEADLINE_FACTOR
            return work(timed)

    @contextmanager
    def _translate_errors(
        self, connection: Connection, doing: str, *, keep: bool = True, deadline: Deadline | None = None
    ) -> Iterator[None]:
        """Translate errors. Keep the connection afterwards, unless there was an error other than of a crash's content.

        Then it is closed: a new one may lead to another server, which has room or is the primary one.
        """
        is_usable = False
        try:
            yield
            is_usable = True
        except psycopg2.Error as error:
            doing = f"{doing} in the database {self}"
            translated = translate_postgresql_error(error, doing, lost=bool(connection.closed))
            if deadline is not None and deadline.reason:
                translated = ConnectionFailed(f"cannot {doing}: {deadline.reason}")
            is_usable = isinstance(translated, PermanentStorageError)
            raise translated from None
        finally:
            with self._lock:
                if keep and is_usable and not self._closed:
                    self._idle.append(connection)
                else:
                    _close(connection)

    def _connect(self, doing: str) -> Connection:
        try:
            connection: Connection = psycopg2.connect(**self._parameters)
            connection.autocommit = True
            return connection
        except psycopg2.Error as error:
            raise translate_postgresql_error(error, f"{doing} in the database {self}", lost=True) from None

    def _take_idle(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _close(connection)


def _close(connection: Connection) -> None:
    with suppress(psycopg2.Error):
        connection.close()
