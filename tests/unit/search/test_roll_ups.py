"""Each roll-up of the search index has what counting the crashes would give, whoever wrote them."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.fields import FieldTable
from socorro_processor.search.filters import read_filters
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from socorro_processor.search.sqlite.roll_ups import INSTALLATIONS, NARROW, narrowest, roll_ups_of

LAST_DAY = date(2026, 11, 24)
FIRST_DAY = LAST_DAY - timedelta(days=5)
TRIGGERED = {**{each.name: each.key for each in NARROW}, INSTALLATIONS: ("signature", "installation", "day")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search"


def opened(path: Path) -> SQLiteSearchIndex:
    return SQLiteSearchIndex(defaults(SQLiteSearchIndex, path=str(path)), has_earlier_crashes=lambda: False)


def file_of(path: Path) -> Path:
    return path / (path / "current").read_text()


def some_crash(chance: random.Random, crash_id: str = "") -> dict:
    """Return a crash that shares its values with others, has texts of its own, or lacks some."""
    day = LAST_DAY - timedelta(days=chance.randrange(6))
    made = {
        "uuid": crash_id or new_crash_id(day),
        "date_processed": f"{day}T0{chance.randrange(9)}:00:00+00:00",
        "signature": chance.choice(("render", "decode | read", None)),
        "product": chance.choice(("Lightbox", "Darkroom", "a product with a name longer than most", None)),
        "version": chance.choice(("1.0", "2.0")),
        "release_channel": chance.choice(("release", None)),
        "os_name": chance.choice(("Linux", "Windows NT")),
        "client_id": chance.choice((*(f"{number:032x}" for number in range(4)), None)),
        "processing": {"algorithm": 2026},
    }
    return {name: value for name, value in made.items() if value is not None}


def change(store: SQLiteSearchIndex, chance: random.Random, ids: list[str], times: int) -> None:
    """Save new crashes, save some of ``ids`` again with other values, and remove some."""
    for _ in range(times):
        what = chance.random()
        if ids and what < 0.25:
            store.remove(ids.pop(chance.randrange(len(ids))))
            continue
        crash = some_crash(chance, chance.choice(ids) if ids and what < 0.5 else "")
        store.save_processed(crash)
        if crash["uuid"] not in ids:
            ids.append(crash["uuid"])


def differences(path: Path) -> list[str]:
    """Return the rows in which a roll-up differs from what the crashes say."""
    day = "date / 86400000"
    dimensions = {
        name: f"CASE WHEN {name} = 0 THEN (SELECT {name} FROM own WHERE own.n = crash.n) ELSE coalesce({name}, '') END"
        for name in ("product", "version", "release_channel", "os_name")
    }
    sql_of = {"day": day, "signature": "signature", "installation": "installation", **dimensions}
    found = []
    with closing(sqlite3.connect(file_of(path))) as connection:
        tables = {"daily": ("day", *dimensions, "signature")} | TRIGGERED
        for name, key in tables.items():
            where = "WHERE installation IS NOT NULL" if name == INSTALLATIONS else ""
            expressions = ", ".join(sql_of[each] for each in key)
            places = ", ".join(map(str, range(1, 1 + len(key))))
            counted = set(connection.execute(f"SELECT {expressions}, count(*) FROM crash {where} GROUP BY {places}"))
            rows = list(connection.execute(f"SELECT {', '.join(key)}, crashes FROM {name}"))
            assert len(rows) == len(set(rows))
            found += [f"{name}: {row}" for row in counted.symmetric_difference(rows)]
    return found


def drop_roll_ups(path: Path) -> None:
    """Make the file one of a version before there were narrower roll-ups."""
    with closing(sqlite3.connect(file_of(path))) as connection:
        for name in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name[0]}")
        for name in TRIGGERED:
            connection.execute(f"DROP TABLE {name}")
        connection.commit()


def answers(path: Path) -> list[object]:
    """Return what pages ask, with and without filters that the narrower roll-ups have."""
    with SQLiteCrashIndex(path, FieldTable()) as index:
        found: list[object] = []
        for days in ((FIRST_DAY, LAST_DAY), (LAST_DAY, LAST_DAY)):
            for filters in map(read_filters, ([], ["signature=render"], ["product=Lightbox"], ["os_name!=Linux"])):
                found += [
                    index.top(*days, filters),
                    index.top(*days, filters, order="installations"),
                    index.choices(*days, filters),
                    index.standing("render", *days, filters),
                    index.histogram(*days, filters, by="version"),
                    index.histogram(*days, filters, by="signature"),
                    index.compare(*days, filters, read_filters(["version=2.0"])),
                ]
        return found


@pytest.mark.parametrize("seed", range(5))
def test_roll_ups_are_those_of_the_crashes_after_any_changes(path, seed):
    chance = random.Random(seed)
    with closing(opened(path)) as store:
        change(store, chance, [], 80)
    assert differences(path) == []


def test_roll_ups_are_empty_once_all_crashes_are_removed(path):
    chance, ids = random.Random(7), []
    with closing(opened(path)) as store:
        change(store, chance, ids, 40)
        for crash_id in ids:
            store.remove(crash_id)
    with closing(sqlite3.connect(file_of(path))) as connection:
        for name in ("daily", *TRIGGERED):
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


def test_an_index_from_before_them_gets_the_roll_ups_when_it_is_next_written(path):
    chance, ids = random.Random(11), []
    with closing(opened(path)) as store:
        change(store, chance, ids, 60)
    with_them = answers(path)
    drop_roll_ups(path)

    assert answers(path) == with_them, "an older file is read as it is"
    with closing(opened(path)) as store:
        crash = some_crash(chance)
        store.save_processed(crash)
        assert differences(path) == []
        store.remove(crash["uuid"])
        assert answers(path) == with_them
        change(store, chance, ids, 40)
    assert differences(path) == []


def test_a_query_reads_the_roll_up_with_the_fewest_rows():
    with closing(sqlite3.connect(":memory:")) as connection:
        only_daily = roll_ups_of(connection)
    assert narrowest(only_daily, {"signature"}, of_one_signature=True).name == "daily"
    available = (*NARROW, *only_daily)
    read = {
        frozenset({"signature"}): "daily_by_signature",
        frozenset({"signature", "os_name"}): "daily_by_signature",
        frozenset({"product"}): "daily_totals",
        frozenset({"signature", "product"}): "daily",
    }
    for fields, name in read.items():
        assert narrowest(available, fields, of_one_signature=False).name == name
    assert narrowest(available, {"signature", "version"}, of_one_signature=True).name == "signature_days"


def test_the_key_of_a_roll_up_finds_the_days_of_a_signature(path):
    with closing(opened(path)) as store:
        store.save_processed(some_crash(random.Random(3)))
    with closing(sqlite3.connect(file_of(path))) as connection:
        for name, condition in (
            ("signature_days", "signature = (SELECT id FROM signature LIMIT 1) AND day >= 1 AND day <= 9"),
            ("daily_by_signature", "day = 1 AND signature = (SELECT id FROM signature LIMIT 1)"),
            (INSTALLATIONS, "signature = (SELECT id FROM signature LIMIT 1)"),
        ):
            plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {name} WHERE {condition}").fetchall()
            assert plan[0][3].startswith(f"SEARCH {name} USING PRIMARY KEY"), plan
