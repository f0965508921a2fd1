"""The tables of the index's file, and the columns of its fields.

Nearly every text of a crash is that of many crashes. Such a text is a *word*: it is stored once, and a crash has its
number. So the table ``crash`` is narrow, and is read as a whole in a fraction of a second, whatever a search asks for.
A text that no other crash is likely to have is the crash's own: a short one stands in ``crash`` itself, another one in
the table ``own``, and then ``crash`` has 0.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from socorro_processor.fields.searchable import DATE, DIMENSIONS, Kind, SearchableField
from socorro_processor.search.sqlite.roll_ups import add_roll_ups

VERSION = 1
"""The version of the file (``user_version``). An index of another version is built anew."""

MOST_COLUMNS = 1000
"""Columns of a table; SQLite allows 2000. Fields beyond are not searched."""

WORD_KINDS: frozenset[Kind] = frozenset(("text", "items", "leaves"))
"""The kinds of fields whose values are texts."""

OWN = 0
"""Stands in ``crash`` for a text that is in ``own``."""

SHORT = 24
"""Characters of an own text that stands in ``crash``, such as an address."""

NO_SIGNATURE = 0

_ALWAYS_OWN = frozenset(
    (
        "address",
        "app_notes",
        "graphics_critical_error",
        "java_stack_trace",
        "minidump_sha256_hash",
        "processor_notes",
    )
)
"""Public fields whose values nearly always differ. Protected ones are always own: they go with their crash."""

_DIMENSIONS = ", ".join(DIMENSIONS)

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE field (number INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE (name, kind))",
    # The hash is 32 bits of a keyed one: an index of texts would hold each of them twice.
    "CREATE TABLE word (id INTEGER PRIMARY KEY, field INTEGER NOT NULL, hash INTEGER NOT NULL, text TEXT NOT NULL)",
    "CREATE INDEX word_hash ON word (field, hash)",
    "CREATE TABLE signature (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL)",
    "CREATE INDEX signature_hash ON signature (hash)",
    # Stays when crashes go. Times are milliseconds since 1970; an empty product is none.
    """CREATE TABLE seen (
        signature INTEGER NOT NULL, product TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        first_version TEXT, PRIMARY KEY (signature, product)
    ) WITHOUT ROWID""",
    f"""CREATE TABLE crash (
        n INTEGER PRIMARY KEY, crash_id BLOB NOT NULL, date INTEGER NOT NULL, signature INTEGER NOT NULL,
        installation INTEGER, {_DIMENSIONS}
    )""",
    f"CREATE TABLE own (n INTEGER PRIMARY KEY, {_DIMENSIONS})",
    "CREATE UNIQUE INDEX crash_crash_id ON crash (crash_id)",
    "CREATE INDEX crash_date ON crash (date)",
    f"CREATE INDEX crash_signature ON crash (signature, date, {_DIMENSIONS}, installation)",
    # The roll-up: crashes of a day (number of days since 1970). A dimension is the number of a word, an own text, or
    # the empty text if the crash has none.
    f"""CREATE TABLE daily (
        day INTEGER NOT NULL, {", ".join(f"{name} NOT NULL" for name in DIMENSIONS)}, signature INTEGER NOT NULL,
        crashes INTEGER NOT NULL, PRIMARY KEY (day, {_DIMENSIONS}, signature)
    ) WITHOUT ROWID""",
    # Words that no crash may have any more.
    "CREATE TABLE doubt (field INTEGER NOT NULL, word INTEGER NOT NULL, PRIMARY KEY (field, word)) WITHOUT ROWID",
)


@dataclass(frozen=True)
class Column:
    """A field of the file."""

    number: int
    name: str
    """The column in ``crash``; if ``has_words``, in ``own``, too."""
    kind: Kind
    is_own: bool
    """True if a text is never a word."""

    @property
    def has_words(self) -> bool:
        return self.kind in WORD_KINDS


def create(connection: sqlite3.Connection) -> None:
    """Create the tables, within the caller's transaction."""
    for statement in _TABLES:
        connection.execute(statement)
    add_roll_ups(connection)
    connection.execute("INSERT INTO meta VALUES ('salt', ?)", (secrets.token_bytes(16),))
    connection.execute("INSERT INTO meta VALUES ('swept', 0)")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def version_of(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def columns_of(connection: sqlite3.Connection, fields: Mapping[str, SearchableField]) -> dict[str, Column]:
    """Return the columns of these fields, by name; fields that the file has no column for are missing."""
    numbers = {(name, kind): number for number, name, kind in connection.execute("SELECT * FROM field")}
    return {
        name: _column(numbers[name, each.kind], each) for name, each in fields.items() if (name, each.kind) in numbers
    }


def lacks_columns(connection: sqlite3.Connection, fields: Mapping[str, SearchableField]) -> bool:
    """Return True if ``add_columns`` would add any."""
    present = columns_of(connection, fields)
    return any(each.name not in present for each in _stored(fields.values()))


def add_columns(connection: sqlite3.Connection, fields: Mapping[str, SearchableField]) -> None:
    """Add the columns that these fields lack, within the caller's transaction."""
    present = columns_of(connection, fields)
    (count,) = connection.execute("SELECT count(*) FROM field").fetchone()
    for each in _stored(fields.values()):
        if each.name in present or count >= MOST_COLUMNS:
            continue
        number = connection.execute("INSERT INTO field (name, kind) VALUES (?, ?)", (each.name, each.kind)).lastrowid
        assert number is not None
        column = _column(number, each)
        if each.name not in DIMENSIONS:
            connection.execute(f"ALTER TABLE crash ADD COLUMN {column.name}")
            if column.has_words:
                connection.execute(f"ALTER TABLE own ADD COLUMN {column.name}")
        count += 1


def _stored(fields: Iterable[SearchableField]) -> list[SearchableField]:
    """Return the fields that have a column of their own; the dimensions come first."""
    stored = [each for each in fields if each.kind not in ("crash id", "signature") and each.name != DATE]
    return sorted(stored, key=lambda each: each.name not in DIMENSIONS)


def _column(number: int, field: SearchableField) -> Column:
    name = field.name if field.name in DIMENSIONS else f"c{number}"
    is_own = (field.is_protected or field.name in _ALWAYS_OWN) and field.name not in DIMENSIONS
    return Column(number, name, field.kind, is_own)
