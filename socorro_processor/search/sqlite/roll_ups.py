"""The roll-ups of the index's file: the crashes of a day by some fields, so that a query need not read each crash.

``daily`` has all of DIMENSIONS, and the signature. Each narrower one has a part of that, or has it in another order: a
query reads the one with the fewest rows that it needs. ``installation_days`` has the known installations of a
signature. Triggers write all but ``daily`` in the transaction that changes a crash, whichever version of this program
makes it: an index from before them gets them when it is next opened for writing, while older programs use it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from socorro_processor.crashstorage.indexed_crash import MILLISECONDS_OF_DAY
from socorro_processor.fields.searchable import DIMENSIONS

INSTALLATIONS = "installation_days"
"""The table of the days on which an installation had crashes of a signature."""


@dataclass(frozen=True)
class RollUp:
    """A table of numbers of crashes."""

    name: str
    key: tuple[str, ...]
    """Its columns besides ``crashes``; its rows are in their order."""

    @property
    def is_by_day(self) -> bool:
        return self.key[0] == "day"


DAILY = RollUp("daily", ("day", *DIMENSIONS, "signature"))
NARROW = (
    RollUp("daily_by_signature", ("day", "signature", "os_name")),
    RollUp("daily_totals", ("day", *DIMENSIONS)),
    RollUp("signature_days", ("signature", "day", *DIMENSIONS)),
)
_TRIGGERED = (*(each.name for each in NARROW), INSTALLATIONS)


def roll_ups_of(connection: sqlite3.Connection) -> tuple[RollUp, ...]:
    """Return the roll-ups that a file has, the narrowest first."""
    names = _tables(connection)
    return (*(each for each in NARROW if each.name in names), DAILY)


def has_installations(connection: sqlite3.Connection) -> bool:
    return INSTALLATIONS in _tables(connection)


def narrowest(roll_ups: Sequence[RollUp], fields: Collection[str], *, of_one_signature: bool) -> RollUp:
    """Return the roll-up that has these fields and the fewest rows for a query."""
    usable = [each for each in roll_ups if set(each.key).issuperset(fields)]
    return next((each for each in usable if each.is_by_day != of_one_signature), usable[-1])


def lacks_roll_ups(connection: sqlite3.Connection) -> bool:
    """Return True if ``add_roll_ups`` would add any."""
    return not _tables(connection).issuperset(_TRIGGERED)


def add_roll_ups(connection: sqlite3.Connection) -> None:
    """Add the tables that the file lacks, with what they know of its crashes, within the caller's transaction."""
    present = _tables(connection)
    for each in NARROW:
        if each.name not in present:
            _execute(connection, _narrow(each))
    if INSTALLATIONS not in present:
        _execute(connection, _installations())


def _narrow(roll_up: RollUp) -> Iterator[str]:
    name, key = roll_up.name, ", ".join(roll_up.key)
    new = ", ".join(f"NEW.{each}" for each in roll_up.key)
    of_row = " AND ".join(f"{each} = NEW.{each}" for each in roll_up.key)
    # Of another type than the columns that they are compared with, they would not be looked up in the key.
    types = dict.fromkeys(("day", "signature"), "INTEGER")
    columns = ", ".join(f"{each} {types.get(each, '')} NOT NULL" for each in roll_up.key)
    yield f"CREATE TABLE {name} ({columns}, crashes INTEGER NOT NULL, PRIMARY KEY ({key})) WITHOUT ROWID"
    yield f"INSERT INTO {name} SELECT {key}, sum(crashes) FROM daily GROUP BY {key} ORDER BY {key}"  # nosec B608
    yield f"""CREATE TRIGGER {name}_added AFTER INSERT ON daily BEGIN
        INSERT INTO {name} VALUES ({new}, NEW.crashes) ON CONFLICT DO UPDATE SET crashes = crashes + excluded.crashes;
    END"""  # nosec B608
    change = f"UPDATE {name} SET crashes = crashes + NEW.crashes - OLD.crashes WHERE {of_row};"  # nosec B608
    yield f"""CREATE TRIGGER {name}_more AFTER UPDATE ON daily WHEN NEW.crashes > OLD.crashes BEGIN
        {change}
    END"""
    # A row of `daily` is taken down to 0 before it is deleted.
    yield f"""CREATE TRIGGER {name}_less AFTER UPDATE ON daily WHEN NEW.crashes < OLD.crashes BEGIN
        {change} DELETE FROM {name} WHERE {of_row} AND crashes < 1;
    END"""  # nosec B608


def _installations() -> Iterator[str]:
    key = "signature, installation, day"
    yield f"""CREATE TABLE {INSTALLATIONS} (
        signature INTEGER NOT NULL, installation INTEGER NOT NULL, day INTEGER NOT NULL, crashes INTEGER NOT NULL,
        PRIMARY KEY ({key})
    ) WITHOUT ROWID"""
    yield f"""INSERT INTO {INSTALLATIONS}
        SELECT signature, installation, date / {MILLISECONDS_OF_DAY} AS day, count(*) FROM crash
        WHERE installation IS NOT NULL GROUP BY {key} ORDER BY {key}"""  # nosec B608
    # A crash that is saved again is replaced, and SQLite calls no trigger for the row that goes.
    yield f"""CREATE TRIGGER {INSTALLATIONS}_replaced BEFORE INSERT ON crash
        WHEN EXISTS (SELECT 1 FROM crash WHERE crash_id = NEW.crash_id) BEGIN
            {_remove("(SELECT {} FROM crash WHERE crash_id = NEW.crash_id)")}
    END"""  # nosec B608
    # An upsert would obey the conflict clause of the statement that the trigger belongs to.
    values = f"NEW.signature, NEW.installation, NEW.date / {MILLISECONDS_OF_DAY}"
    yield f"""CREATE TRIGGER {INSTALLATIONS}_added AFTER INSERT ON crash WHEN NEW.installation IS NOT NULL BEGIN
        INSERT INTO {INSTALLATIONS} SELECT {values}, 0
            WHERE NOT EXISTS (SELECT 1 FROM {INSTALLATIONS} WHERE ({key}) = ({values}));
        UPDATE {INSTALLATIONS} SET crashes = crashes + 1 WHERE ({key}) = ({values});
    END"""  # nosec B608
    yield f"""CREATE TRIGGER {INSTALLATIONS}_removed AFTER DELETE ON crash WHEN OLD.installation IS NOT NULL BEGIN
        {_remove("OLD.{}")}
    END"""


def _remove(value: str) -> str:
    """Return the SQL that takes a crash out; ``value``, with the name of a column for ``{}``, is one of its values."""
    day = f"{value.format('date')} / {MILLISECONDS_OF_DAY}"
    of_row = (
        f"signature = {value.format('signature')} AND installation = {value.format('installation')} AND day = {day}"
    )
    return (
        f"UPDATE {INSTALLATIONS} SET crashes = crashes - 1 WHERE {of_row}; "  # nosec B608
        f"DELETE FROM {INSTALLATIONS} WHERE {of_row} AND crashes < 1;"
    )


def _tables(connection: sqlite3.Connection) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))


def _execute(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    for each in statements:
        connection.execute(each)
