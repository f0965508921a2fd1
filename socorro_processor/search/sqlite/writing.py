"""Write crashes into the index's file, and keep its roll-ups right. The caller has a transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Any

from socorro_processor.crashstorage.indexed_crash import MILLISECONDS_OF_DAY, IndexedCrash, Value
from socorro_processor.fields.searchable import DIMENSIONS
from socorro_processor.search.sqlite.journal import Change, Position, Removal
from socorro_processor.search.sqlite.schema import NO_SIGNATURE, OWN, SHORT, Column

MOST_WORDS = 20_000
"""Words of a field; further texts are own ones. So a field whose values all differ costs no more than it must."""

_MOST_KNOWN = 5_000
"""Words whose numbers are in memory, about 1 MB."""
_LONGEST_KNOWN = 200  # characters

_FIXED = ("n", "crash_id", "date", "signature", "installation")

_ADD = """
    INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET crashes = crashes + 1
"""
_ROW = "day = ? AND product = ? AND version = ? AND release_channel = ? AND os_name = ? AND signature = ?"
_SEE = """
    INSERT INTO seen VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        first_version = CASE WHEN excluded.first < first THEN excluded.first_version ELSE first_version END,
        first = min(first, excluded.first), last = max(last, excluded.last)
"""


class IndexWriter:
    """Writes into one open file. For one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, columns: Mapping[str, Column]) -> None:
        self._connection = connection
        self._columns = columns
        self._salt: bytes = connection.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0]
        self._texts = [name for name, column in columns.items() if column.has_words]
        fixed = len(_FIXED)
        # The dimensions are the first of the columns, in `crash` and in `own`.
        names = [*DIMENSIONS, *(name for name in columns if name not in DIMENSIONS)]
        self._places = {name: fixed + place for place, name in enumerate(names)}
        self._width = fixed + len(names)
        listed = ", ".join([*_FIXED, *(columns[name].name for name in names)])
        self._insert = f"INSERT OR REPLACE INTO crash ({listed}) VALUES ({', '.join('?' * self._width)})"
        self._select = f"SELECT {listed} FROM crash WHERE crash_id = ?"  # nosec B608
        own = [name for name in names if columns[name].has_words]
        self._own_places = {name: 1 + place for place, name in enumerate(own)}
        own_listed = ", ".join(["n", *(columns[name].name for name in own)])
        self._insert_own = f"INSERT OR REPLACE INTO own ({own_listed}) VALUES ({', '.join('?' * (1 + len(own)))})"
        self._select_own = f"SELECT {own_listed} FROM own WHERE n = ?"  # nosec B608
        self._known: dict[tuple[int, str], int] = {}
        self._counts: dict[int, int] = {}
        self._swept = -1

    def apply(self, change: Change) -> bool:
        """Save or remove a crash; return False if there was none to remove."""
        if isinstance(change, Removal):
            return self.remove(change.crash_id)
        self.save(change)
        return True

    def save(self, crash: IndexedCrash, *, only_new: bool = False) -> bool:
        """Save a crash in place of an earlier result of it; with ``only_new``, only if there is none.

        Return False if it was not saved.
        """
        self._forget_swept_words()
        crash_id = crash_id_bytes(crash.crash_id)
        earlier = self._connection.execute(self._select, (crash_id,)).fetchone()
        if earlier is not None and only_new:
            return False
        row: list[Any] = [None] * self._width
        own: list[Any] = [None] * (1 + len(self._own_places))
        has_own = False
        for name, value in crash.values.items():
            column = self._columns.get(name)
            if column is None:
                continue
            if column.has_words:
                text = str(value)
                stored: Value | None = None if column.is_own else self._word(column.number, text)
                if stored is None and len(text) <= SHORT:
                    stored = text
                elif stored is None:
                    own[self._own_places[name]] = text
                    stored = OWN
                    has_own = True
                row[self._places[name]] = stored
            else:
                row[self._places[name]] = value
        signature = NO_SIGNATURE if crash.signature is None else self._signature(crash.signature)
        row[: len(_FIXED)] = None, crash_id, crash.moment, signature, crash.installation
        if earlier is not None:
            row[0] = earlier[0]
            self._doubt_words(earlier, row)
            self._count_out(earlier)
        n = self._connection.execute(self._insert, row).lastrowid
        if has_own:
            own[0] = n
            self._connection.execute(self._insert_own, own)
        elif earlier is not None:
            self._connection.execute("DELETE FROM own WHERE n = ?", (n,))
        self._connection.execute(_ADD, self._roll_up_row(row, own))
        if crash.signature is not None:
            product, version = crash.values.get("product", ""), crash.values.get("version")
            self._connection.execute(_SEE, (signature, product, crash.moment, crash.moment, version))
        return True

    def remove(self, crash_id: str) -> bool:
        """Remove a crash. Return False if there was none. What is known of its signature stays."""
        row = self._connection.execute(self._select, (crash_id_bytes(crash_id),)).fetchone()
        if row is None:
            return False
        self._doubt_words(row, [None] * self._width)
        self._count_out(row)
        self._connection.execute("DELETE FROM crash WHERE n = ?", row[:1])
        self._connection.execute("DELETE FROM own WHERE n = ?", row[:1])
        return True

    def take_over(self, records: list[tuple[str, str, int, int, str | None]]) -> None:
        """Add records of signatures: signature, product, when it was first and last seen, its first version."""
        for text, *record in records:
            self._connection.execute(_SEE, (self._signature(text), *record))

    def position(self) -> Position:
        """Return how much of the journal is in the file."""
        return position_of(self._connection)

    def set_position(self, position: Position) -> None:
        value = f"{position.name} {position.offset}"
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('journal', ?)", (value,))

    def doubtful_fields(self) -> list[int]:
        """Return the fields that may have words that no crash has any more."""
        return [number for (number,) in self._connection.execute("SELECT DISTINCT field FROM doubt")]

    def sweep(self, field: int) -> int:
        """Remove the words of a field that no crash has any more; return their number. Reads the table of crashes."""
        columns = [column for column in self._columns.values() if column.number == field]
        removed = 0
        for column in columns:
            doubtful = "SELECT word FROM doubt WHERE field = ?"
            removed = self._connection.execute(
                f"DELETE FROM word WHERE id IN ({doubtful}) AND id NOT IN "  # nosec B608
                f"(SELECT {column.name} FROM crash WHERE {column.name} IN ({doubtful}))",
                (field, field),
            ).rowcount
        self._connection.execute("DELETE FROM doubt WHERE field = ?", (field,))
        if removed:
            self._connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'swept'")
        return removed

    def _forget_swept_words(self) -> None:
        """Forget all numbers of words if words were removed, here or by another process."""
        swept = self._connection.execute("SELECT value FROM meta WHERE name = 'swept'").fetchone()[0]
        if swept != self._swept:
            self._swept = swept
            self._known.clear()
            self._counts.clear()

    def _word(self, field: int, text: str) -> int | None:
        """Return the number of a word; None if the field has too many."""
        if (known := self._known.get((field, text))) is not None:
            return known
        hashed = self._hash(text)
        found = self._connection.execute(
            "SELECT id FROM word WHERE field = ? AND hash = ? AND text = ?", (field, hashed, text)
        ).fetchone()
        if found is None:
            if self._count(field) >= MOST_WORDS:
                return None
            self._counts[field] += 1
            number = self._connection.execute(
                "INSERT INTO word (field, hash, text) VALUES (?, ?, ?)", (field, hashed, text)
            ).lastrowid
            assert number is not None
        else:
            number = int(found[0])
        if len(text) <= _LONGEST_KNOWN:
            self._remember((field, text), number)
        return number

    def _signature(self, text: str) -> int:
        if (known := self._known.get((0, text))) is not None:
            return known
        hashed = self._hash(text)
        found = self._connection.execute(
            "SELECT id FROM signature WHERE hash = ? AND text = ?", (hashed, text)
        ).fetchone()
        number = (
            self._connection.execute("INSERT INTO signature (hash, text) VALUES (?, ?)", (hashed, text)).lastrowid
            if found is None
            else int(found[0])
        )
        assert number is not None
        self._remember((0, text), number)
        return number

    def _remember(self, key: tuple[int, str], number: int) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = number

    def forget(self) -> None:
        """Forget what a transaction that was rolled back may have added."""
        self._swept = -1

    def _count(self, field: int) -> int:
        if field not in self._counts:
            (self._counts[field],) = self._connection.execute(
                "SELECT count(*) FROM word WHERE field = ?", (field,)
            ).fetchone()
        return self._counts[field]

    def _hash(self, text: str) -> int:
        return hash_of(text, self._salt)

    def _doubt_words(self, earlier: tuple[Any, ...], row: list[Any]) -> None:
        """Note the words that a crash no longer has."""
        doubts = [
            (self._columns[name].number, word)
            for name in self._texts
            if isinstance(word := earlier[place := self._places[name]], int) and word not in (OWN, row[place])
        ]
        self._connection.executemany("INSERT OR IGNORE INTO doubt VALUES (?, ?)", doubts)

    def _count_out(self, row: tuple[Any, ...]) -> None:
        """Take a crash out of the roll-up."""
        own = self._connection.execute(self._select_own, row[:1]).fetchone() or (None,) * (1 + len(self._own_places))
        key = self._roll_up_row(row, own)
        self._connection.execute(f"UPDATE daily SET crashes = crashes - 1 WHERE {_ROW}", key)  # nosec B608
        self._connection.execute(f"DELETE FROM daily WHERE {_ROW} AND crashes < 1", key)  # nosec B608

    def _roll_up_row(self, row: list[Any] | tuple[Any, ...], own: list[Any] | tuple[Any, ...]) -> list[Value]:
        """Return the key of a crash in the roll-up."""
        dimensions = []
        for name in DIMENSIONS:
            value = row[self._places[name]]
            dimensions.append("" if value is None else own[self._own_places[name]] if value == OWN else value)
        return [row[2] // MILLISECONDS_OF_DAY, *dimensions, row[3]]


def position_of(connection: sqlite3.Connection) -> Position:
    """Return how much of the journal is in a file."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'journal'").fetchone()
    if row is None:
        return Position()
    name, _, offset = str(row[0]).partition(" ")
    return Position(name, int(offset))


def crash_id_bytes(crash_id: str) -> bytes:
    return bytes.fromhex(crash_id.replace("-", ""))


def crash_id_text(data: bytes) -> str:
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def hash_of(text: str, salt: bytes) -> int:
    """Return 32 bits of a text; with the salt, nobody can make many texts that have the same."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4, key=salt).digest(), "big", signed=True)
