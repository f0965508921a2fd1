"""Translate the exceptions of psycopg2: their SQLSTATE (PostgreSQL, appendix A) decides who is at fault.

PostgreSQL's messages may quote the data to be stored, such as the URL of a crash; their details do. A message is
passed on only if it is known to contain nothing but names of tables and settings.
"""

from __future__ import annotations

import psycopg2

from socorro_processor.errors import CrashStorageError, PermanentStorageError, TransientStorageError


class ConnectionFailed(TransientStorageError):
    """The connection to the server is missing or cannot be used; a new one may work."""


_LOST = ("08", "25006", "25P03", "57P01", "57P02", "57P03", "57P05")
"""States of a server that takes no connections, has ended this one, or is not, or no longer, the primary server."""

_OF_THIS_CRASH = ("22", "54")
"""States that are about this content: data exceptions and program limits. All others are about the server, or a
schema that is not ours."""

_NUMBERS_USED_UP = "2200H"
"""Also a data exception, but a sequence's: every crash that needs the next number meets it."""

_NAMES_ONLY = ("08", "23", "25", "28", "3D", "3F", "40", "42501", "42P01", "42P07", "42703", "53", "55", "57", "58")
"""States whose message, unlike its details, quotes none of the data to be stored."""

_ADVICE = (
    ("25006", "set database_hostname to the primary server; this one takes no changes"),
    ("28", "check database_username and database_password"),
    ("3D", "create the database, then run `socorro setup`"),
    ("42501", "grant the privilege to database_username"),
    ("42P01", "run `socorro setup`"),
    ("42703", "run `socorro setup`"),
    ("42P07", "rename that table, or attach it as a partition"),
    ("53100", "make room on the server's disk"),
    ("53300", "raise the server's max_connections, or run fewer threads"),
    ("55P03", "another session has held its lock on the table for a long time: see pg_locks"),
    ("57014", "it took longer than statement_timeout, or somebody cancelled it"),
)


def translate_postgresql_error(error: psycopg2.Error, doing: str, *, lost: bool = False) -> CrashStorageError:
    """Return the error to raise in place of ``error``.

    ``doing`` says in the message what failed; ``lost`` is True if the connection is gone. Raise the error ``from
    None``: the details of a psycopg2 error must not reach a log.
    """
    state = error.pgcode or ""
    is_from_libpq = not state and isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
    reason = " ".join(str(error).split()) if is_from_libpq else _describe(error, state)
    message = f"cannot {doing}: {reason}"
    if lost or is_from_libpq or state.startswith(_LOST):
        return ConnectionFailed(message)
    # Without an SQLSTATE, psycopg2 itself could not encode the content.
    if not state or (state.startswith(_OF_THIS_CRASH) and state != _NUMBERS_USED_UP):
        return PermanentStorageError(message)
    return TransientStorageError(message)


def _describe(error: psycopg2.Error, state: str) -> str:
    if state.startswith(_NAMES_ONLY):
        text = f"{error.diag.message_primary} ({state})"
    else:
        names = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
        error_name = f"{type(error).__name__} ({state})" if state else type(error).__name__
        text = " ".join([error_name, *(f"at {name}" for name in names if name)])
    return ": ".join([text, *(advice for prefix, advice in _ADVICE if state.startswith(prefix))])
