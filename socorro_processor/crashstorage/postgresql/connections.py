"""Connections to PostgreSQL: their options, and the pool of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from socorro_processor.configuration import DotDict, Namespace, OneOf
from socorro_processor.crashstorage.postgresql.failures import ConnectionFailed, to_storage_error
from socorro_processor.errors import PermanentStorageError
from socorro_processor.machine.request_deadline import ANY_TIME, LEAST_SPEED, Deadline, Deadlines

T = TypeVar("T")

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_SILENCE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""The settings by which a server that vanished silently is given up after a minute."""

LOCK_TIMEOUT = "2s"
"""The time that a change of tables or indexes may keep others waiting for its locks; the work takes milliseconds."""

_HANG = 2
"""Multiple of ``statement_timeout``, which a server may give each statement of a text; after that, it hangs."""


def connection_options() -> Namespace:
    """Return the options of a component that uses a ConnectionPool."""
    options = Namespace()

    def add(section: str, name: str, default: Any, doc: str, **more: Any) -> None:
        options.add_option(name, default=default, doc=doc, reference_value_from=f"{section}.postgresql", **more)

    add("resource", "database_hostname", "localhost", "the PostgreSQL server: a name, or a directory with its socket")
    add("resource", "database_port", 5432, "its port")
    add("resource", "database_name", "socorro", "the database; its encoding must be UTF8")
    add("secrets", "database_username", "socorro", "who connects")
    add("secrets", "database_password", "", "the password (empty: as libpq finds it, in ~/.pgpass)", secret=True)
    add("resource", "connect_timeout", 10, "seconds to wait for a connection")
    add(
        "resource",
        "statement_timeout",
        60,
        "seconds after which the server gives up a statement, and after twice as many the processor (0: never)",
    )
    add(
        "resource",
        "sslmode",
        "prefer",
        f"one of {', '.join(_SSL_MODES)}; verify-full where the network is not trusted",
        from_string_converter=OneOf(_SSL_MODES),
    )
    add("resource", "sslrootcert", "", "the file of the certificates that the server's must be signed with")
    add("resource", "sslcert", "", "the file of this client's own certificate")
    add("resource", "sslkey", "", "the file of that certificate's key")
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

    So there are never more connections than threads, and no thread has to wait. Connections commit on their own:
    a text of several statements is one transaction and one round trip. For a transaction of several texts use
    ``with connection:``.

    Every method may be called from any thread; errors are translated by ``failures``.
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
        """Call ``work`` with a cursor, and return its result. ``doing`` is for the message of an error.

        ``keep``: False for work that sends much, because a connection keeps memory for the most that it ever sent.
        ``patient``: a statement may take longer than ``statement_timeout``, which ``work`` sets aside.

        It must be possible to do ``work`` twice: if the server has closed an idle connection, it is done again with a
        new one.
        """
        idle = self._take_idle()
        if idle is not None:
            try:
                return self._done(idle, doing, work, keep=keep, patient=patient)
            except ConnectionFailed:
                # The server was restarted, or closes idle connections: the others are gone too.
                self._close_idle()
        return self._done(self._connect(doing), doing, work, keep=keep, patient=patient)

    @contextmanager
    def reading(self, doing: str, query: str, values: Sequence[Any], rows_at_once: int) -> Iterator[Iterator[Any]]:
        """Yield the rows of a query, however many: the server keeps them, and sends some at a time.

        The query has a connection of its own, which ends with the block.
        """
        connection = self._connect(doing)
        with self._using(connection, doing, keep=False):
            # psycopg2 refuses such cursors if each statement is a transaction of its own.
            connection.autocommit = False
            with connection.cursor() as setting:
                # If the rows are sorted, the first may take as long as all.
                setting.execute("SET LOCAL statement_timeout = 0")
            cursor = connection.cursor("reading")
            cursor.itersize = rows_at_once
            cursor.execute(query, values)
            yield cursor

    @contextmanager
    def session(self, doing: str) -> Iterator[Cursor]:
        """Yield a cursor of a connection of its own, which ends with the block, and its locks with it."""
        connection = self._connect(doing)
        with self._using(connection, doing, keep=False), connection.cursor() as cursor:
            yield cursor

    def close(self) -> None:
        """Close the idle connections now, and each other one at the end of its work."""
        self._closed = True
        self._close_idle()

    def __str__(self) -> str:
        return self._name

    def _done(self, connection: Connection, doing: str, work: Callable[[Cursor], T], *, keep: bool, patient: bool) -> T:
        if patient or not self._statement_timeout:
            with self._using(connection, doing, keep=keep), connection.cursor() as cursor:
                return work(cursor)
        with (
            self._deadlines.within(ANY_TIME) as deadline,
            self._using(connection, doing, keep=keep, deadline=deadline),
            connection.cursor(cursor_factory=_TimedCursor) as timed,
        ):
            deadline.guard(connection)
            timed.deadline, timed.seconds = deadline, self._statement_timeout * _HANG
            return work(timed)

    @contextmanager
    def _using(
        self, connection: Connection, doing: str, *, keep: bool = True, deadline: Deadline | None = None
    ) -> Iterator[None]:
        """Translate errors; keep the connection afterwards if nothing failed, except because of a crash's content.

        Otherwise it is closed: a new one may lead to another server, which has room or is the primary one.
        """
        sound = False
        try:
            yield
            sound = True
        except psycopg2.Error as error:
            doing = f"{doing} in the database {self}"
            failed = to_storage_error(error, doing, lost=bool(connection.closed))
            if deadline is not None and deadline.reason:
                failed = ConnectionFailed(f"{doing}: {deadline.reason}")
            sound = isinstance(failed, PermanentStorageError)
            raise failed from None
        finally:
            with self._lock:
                if keep and sound and not self._closed:
                    self._idle.append(connection)
                else:
                    _close(connection)

    def _connect(self, doing: str) -> Connection:
        try:
            connection: Connection = psycopg2.connect(**self._parameters)
            connection.autocommit = True
            return connection
        except psycopg2.Error as error:
            raise to_storage_error(error, f"{doing} in the database {self}", lost=True) from None

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
