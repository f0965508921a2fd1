"""The ledger of a store: an SQLite file with the size, age, product and signature of each crash.

It can be made again from the store at any time, and is, if it is lost or damaged. Only this process uses it. What is
about to be removed is noted first, so that a removal that was interrupted is finished.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from socorro_processor.errors import TransientStorageError
from socorro_processor.search.sqlite.writing import crash_id_bytes, crash_id_text

VERSION = 1
"""The version of the file (``user_version``). Another one is made again."""

STAYS, GOES, DUMPS_GO = 0, 1, 2
"""The fate of a crash: to stay, to be removed, to lose its dumps."""

_CACHE = 4000  # KiB

_TABLES = (
    """CREATE TABLE crash (
        crash_id BLOB PRIMARY KEY, arrived REAL NOT NULL, size INTEGER NOT NULL, dumps INTEGER NOT NULL,
        processed REAL NOT NULL, product TEXT NOT NULL, signature INTEGER, fate INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID""",
    "CREATE INDEX crash_arrived ON crash (arrived)",
    "CREATE INDEX crash_product ON crash (product, arrived)",
    "CREATE INDEX crash_signature ON crash (signature, arrived) WHERE dumps > 0 AND fate = 0",
    "CREATE INDEX crash_fate ON crash (fate) WHERE fate > 0",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value REAL) WITHOUT ROWID",
)


class Measured(NamedTuple):
    """A crash of the store."""

    crash_id: str
    arrived: float
    """When it arrived, as ``time.time``."""
    size: int
    """Bytes on the disk of all its files."""
    dumps: int
    """Bytes on the disk of its dumps and attachments."""
    processed: float
    """When its processed crash was last written; 0 if there is none."""
    product: str
    """Empty if it is not known."""
    signature: str | None
    """None if it is not known: then it keeps its dumps."""


class Candidate(NamedTuple):
    """A crash that may go."""

    crash_id: str
    arrived: float
    size: int


class Ledger:
    """An open ledger, for one thread. Every method raises TransientStorageError if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            path.parent.mkdir(mode=0o750, exist_ok=True)
            self._connection = self._open()

    def see(self, seen: Iterable[tuple[str, float]]) -> None:
        """Note crashes that are in the store, and when each was processed last (0: it was not)."""
        rows = [(crash_id_bytes(crash_id), processed) for crash_id, processed in seen]
        with self._writing():
            self._connection.executemany(
                "INSERT INTO here VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET processed = max(processed, excluded.processed)",
                rows,
            )

    def forget_seen(self) -> None:
        """Begin a new look at the store."""
        with self._writing():
            self._connection.execute("DELETE FROM here")

    def forget_others(self) -> int:
        """Forget the crashes that were not seen, because somebody removed them. Return their number."""
        with self._writing():
            return self._connection.execute(
                "DELETE FROM crash WHERE fate != ? AND crash_id NOT IN (SELECT crash_id FROM here)", (GOES,)
            ).rowcount

    def to_measure(self, number: int) -> list[str]:
        """Return crashes that were seen, and are new or were processed again since they were measured."""
        rows = self._rows(
            "SELECT here.crash_id FROM here LEFT JOIN crash USING (crash_id) "
            "WHERE crash.crash_id IS NULL OR crash.processed != here.processed LIMIT ?",
            number,
        )
        return [crash_id_text(crash_id) for (crash_id,) in rows]

    def measure(self, asked: Iterable[str], crashes: Iterable[Measured]) -> None:
        """Note crashes that were measured. Those that were ``asked`` for and are not among them have gone."""
        with self._writing():
            left = {crash_id_bytes(crash_id) for crash_id in asked}
            for crash in crashes:
                key = crash_id_bytes(crash.crash_id)
                left.discard(key)
                self._connection.execute(
                    "INSERT INTO crash VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET "
                    "arrived = excluded.arrived, size = excluded.size, dumps = excluded.dumps, "
                    "processed = excluded.processed, product = excluded.product, signature = excluded.signature",
                    (key, *crash[1:5], crash.product, _number(crash.signature)),
                )
                # It is not asked for again before the next look.
                self._connection.execute("UPDATE here SET processed = ? WHERE crash_id = ?", (crash.processed, key))
            for key in left:
                self._connection.execute("DELETE FROM here WHERE crash_id = ?", (key,))
                self._connection.execute("DELETE FROM crash WHERE crash_id = ? AND fate != ?", (key, GOES))

    def total(self, product: str | None = None) -> tuple[int, int]:
        """Return number and bytes of all crashes that stay, or of those of a product."""
        condition, parameters = ("", ()) if product is None else (" AND product = ?", (product,))
        ((number, size),) = self._rows(
            f"SELECT count(*), coalesce(sum(size), 0) FROM crash WHERE fate != {GOES}{condition}",  # nosec B608
            *parameters,
        )
        return number, size

    def products(self) -> list[tuple[str, int]]:
        """Return each known product, with the bytes of its crashes."""
        return self._rows(
            "SELECT product, sum(size) FROM crash WHERE product != '' AND fate != ? GROUP BY product", GOES
        )

    def oldest(
        self, number: int, after: Candidate | None, *, product: str | None = None, before: float = math.inf
    ) -> list[Candidate]:
        """Return the next crashes that arrived ``before`` a time, the oldest first, of all products or of one."""
        condition, parameters = ("", ()) if product is None else ("product = ? AND ", (product,))
        rows = self._rows(
            f"SELECT crash_id, arrived, size FROM crash WHERE {condition}fate != {GOES} AND arrived < ? "  # nosec B608
            "AND (arrived, crash_id) > (?, ?) ORDER BY arrived, crash_id LIMIT ?",
            *parameters,
            before,
            *_position(after),
            number,
        )
        return [Candidate(crash_id_text(crash_id), *rest) for crash_id, *rest in rows]

    def crowded(self, most: int) -> list[int]:
        """Return the signatures of which more than ``most`` crashes have dumps."""
        return [
            signature
            for (signature,) in self._rows(
                "SELECT signature FROM crash WHERE signature IS NOT NULL AND dumps > 0 AND fate = 0 "
                "GROUP BY signature HAVING count(*) > ?",
                most,
            )
        ]

    def surplus(self, signature: int, most: int, number: int, after: Candidate | None) -> list[Candidate]:
        """Return the next crashes of a signature with dumps that are not among its newest ``most``; oldest first."""
        rows = self._rows(
            "SELECT crash_id, arrived, dumps FROM crash WHERE signature = ? AND dumps > 0 AND fate = 0 "
            "ORDER BY arrived DESC, crash_id DESC LIMIT 1 OFFSET ?",
            signature,
            most,
        )
        if not rows:
            return []
        newest = rows[0]
        rows = self._rows(
            "SELECT crash_id, arrived, dumps FROM crash WHERE signature = ? AND dumps > 0 AND fate = 0 "
            "AND (arrived, crash_id) > (?, ?) AND (arrived, crash_id) <= (?, ?) ORDER BY arrived, crash_id LIMIT ?",
            signature,
            *_position(after),
            newest[1],
            newest[0],
            number,
        )
        return [Candidate(crash_id_text(crash_id), *rest) for crash_id, *rest in rows]

    def doom(self, crash_ids: Iterable[str], fate: int) -> None:
        """Note that crashes are about to be removed (GOES), to lose their dumps (DUMPS_GO), or to stay after all."""
        rows = [(fate, crash_id_bytes(crash_id)) for crash_id in crash_ids]
        with self._writing():
            self._connection.executemany("UPDATE crash SET fate = ? WHERE crash_id = ?", rows)

    def doomed(self, fate: int, number: int) -> list[str]:
        """Return crashes whose removal was begun, or that were to lose their dumps."""
        rows = self._rows("SELECT crash_id FROM crash WHERE fate = ? AND fate > 0 LIMIT ?", fate, number)
        return [crash_id_text(crash_id) for (crash_id,) in rows]

    def removed(self, crash_ids: Iterable[str]) -> None:
        """Forget crashes that are removed."""
        keys = [(crash_id_bytes(crash_id),) for crash_id in crash_ids]
        with self._writing():
            self._connection.executemany("DELETE FROM crash WHERE crash_id = ?", keys)
            self._connection.executemany("DELETE FROM here WHERE crash_id = ?", keys)

    def get_time(self, name: str) -> float | None:
        """Return a time that ``set_time`` noted, also in an earlier process."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", name)
        return float(rows[0][0]) if rows else None

    def set_time(self, name: str, moment: float | None) -> None:
        with self._writing():
            if moment is None:
                self._connection.execute("DELETE FROM meta WHERE name = ?", (name,))
            else:
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, moment))

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        """Open the file; make it again if it is damaged, or of another version."""
        try:
            return self._open_file()
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise
        remove_ledger(self._path)
        return self._open_file()

    def _open_file(self) -> sqlite3.Connection:
        with closing(sqlite3.connect(self._path)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            remove_ledger(self._path)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = {-_CACHE}")
            # The crashes that the last look saw: in a file that SQLite removes itself, not in memory.
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute(
                "CREATE TEMP TABLE here (crash_id BLOB PRIMARY KEY, processed REAL NOT NULL) WITHOUT ROWID"
            )
            if version != VERSION:
                for statement in _TABLES:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._errors():
            self._connection.execute("BEGIN")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if _is_damaged(error):
                with suppress(OSError):
                    remove_ledger(self._path)
            raise TransientStorageError(
                f"cannot use {self._path}, which is made anew if it is damaged: {error}"
            ) from error


def remove_ledger(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _position(candidate: Candidate | None) -> tuple[float, bytes]:
    return (-math.inf, b"") if candidate is None else (candidate.arrived, crash_id_bytes(candidate.crash_id))


def _is_damaged(error: BaseException) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _number(signature: str | None) -> int | None:
    """Return 63 bits that stand for a signature."""
    if signature is None:
        return None
    digest = hashlib.blake2b(signature.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
