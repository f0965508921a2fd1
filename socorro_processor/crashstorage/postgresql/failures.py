"""Translate the exceptions of psycopg2: their SQLSTATE (PostgreSQL, appendix A) decides who is at fault.

PostgreSQL's messages may quote the data that was to be stored, such as the URL of a crash, and its details do. A
message is passed on only if it is known to hold nothing but names of tables and settings.
"""

from __future__ import annotations

import psycopg2

from socorro_processor.errors import CrashStorageError, PermanentStorageError, TransientStorageError


class ConnectionFailed(TransientStorageError):
    """There is no connection to the server, or no usable one; a new one may be usable."""


_LOST = ("08", "25006", "25P03", "57P01", "57P02", "57P03", "57P05")
"""States of a server that takes no connections, has ended this one, or is not the primary one (any more)."""

_OF_THIS_CRASH = ("22", "54")
"""States that are about this content: data exceptions and program limits. All others are about the server, or a
schema that is not ours."""

_NUMBERS_USED_UP = "2200H"
"""A data exception, too, but about a sequence: every crash that needs its next number meets it."""

_NAMES_ONLY = ("08", "23", "25", "28", "3D", "3F", "40", "42501", "42P01", "42P07", "42703", "53", "55", "57", "58")
"""States whose message, unlike the details, quotes nothing that was to be stored."""

_ADVICE = (
    ("25006", "name the primary server as database_hostname; this one takes no changes"),
    ("28", "check database_username and database_password"),
    ("3D", "create the database, then run `socorro setup`"),
    ("42501", "grant this to database_username"),
    ("42P01", "run `socorro setup`"),
    ("42703", "run `socorro setup`"),
    ("42P07", "rename that table, or attach it as a partition"),
    ("53100", "make room on the server's disk"),
    ("53300", "raise the server's max_connections, or run fewer threads"),
    ("55P03", "another session has the table locked for long: see pg_locks"),
    ("57014", "it took longer than statement_timeout, or somebody cancelled it"),
)


def to_storage_error(error: psycopg2.Error, doing: str, *, lost: bool = False) -> CrashStorageError:
    """Return the error to raise in place of ``error``. ``doing``: for the message; ``lost``: the connection is gone.

    Raise it ``from None``: the details of a psycopg2 error must not get into a log.
    """
    state = error.pgcode or ""
    of_libpq = not state and isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
    message = f"{doing}: {' '.join(str(error).split()) if of_libpq else _in_words(error, state)}"
    if lost or of_libpq or state.startswith(_LOST):
        return ConnectionFailed(message)
    # Without an SQLSTATE, psycopg2 itself could not encode the content.
    if not state or (state.startswith(_OF_THIS_CRASH) and state != _NUMBERS_USED_UP):
        return PermanentStorageError(message)
    return TransientStorageError(message)


def _in_words(error: psycopg2.Error, state: str) -> str:
    if state.startswith(_NAMES_ONLY):
        text = f"{error.diag.message_primary} ({state})"
    else:
        names = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
        name = f"{type(error).__name__} ({state})" if state else type(error).__name__
        text = " ".join([name, *(f"at {name}" for name in names if name)])
    return ": ".join([text, *(advice for prefix, advice in _ADVICE if state.startswith(prefix))])
