"""The newest crashes of PostgreSQL and Elasticsearch, on real servers."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.elasticsearch.newest import find_newest
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from tests.integration.elasticsearch_indexes import own_indexes
from tests.integration.postgresql_database import new_database

DAY = date(2016, 11, 23)
DAYS_AGO = (0, 1, 3, 8, 40, 399)
MANY = 20


@pytest.fixture(scope="module")
def database():
    with new_database() as database:
        with closing(database.store(today=lambda: DAY)) as store:
            store.setup()
        yield database


@pytest.fixture
def postgresql(database):
    with closing(database.store(today=lambda: DAY)) as store:
        yield store
    for table in ("reports", "processed_crashes", "raw_crashes"):
        database.execute(f"DELETE FROM {table}")


@pytest.fixture
def elasticsearch():
    with own_indexes() as indexes:
        yield indexes


@pytest.fixture(params=["postgresql", "elasticsearch"])
def site(request: pytest.FixtureRequest) -> Any:
    """A store, and a function that makes saved crashes visible to searches."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql"), lambda: None
    indexes = request.getfixturevalue("elasticsearch")
    return indexes.store(), indexes.refresh


def save(store: Any, days_ago: int, hour: int = 12, **fields: object) -> CrashSummary:
    """Save a crash, and return the entry that a list should have for it."""
    day = DAY - timedelta(days=days_ago)
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC).isoformat()
    shown = {"product": "Lightbox", "version": "2.3", "signature": "f"} | fields
    crash_id = new_crash_id(day)
    crash = {"uuid": crash_id, "submitted_timestamp": moment, "date_processed": moment, "email": "ann@example.com"}
    store.save_raw_and_processed({}, {}, crash | shown, crash_id)
    return CrashSummary(crash_id, moment, **shown)


def test_the_newest_come_first_however_old_they_are(site):
    store, refresh = site
    crashes = [save(store, days_ago, hour) for days_ago in DAYS_AGO for hour in (23, 7)]
    refresh()
    assert [*store.newest(100)] == crashes
    assert [*store.newest(3)] == crashes[:3]


def test_crashes_of_a_signature_or_a_product_are_found(site):
    store, refresh = site
    g = [save(store, days_ago, signature="g") for days_ago in DAYS_AGO]
    other = save(store, 2, product="Other", signature="G")
    save(store, 0)
    refresh()
    assert [*store.newest(100, "g")] == g
    assert [*store.newest(2, "g")] == g[:2]
    assert [*store.newest(100, product="Other")] == [other]
    assert [*store.newest(100, "g", "Other")] == []


def test_a_value_that_is_null_or_not_text_is_unknown(site):
    store, refresh = site
    crash = save(store, 1, product=None, version=["x"], signature="s")
    refresh()
    assert [*store.newest(1)] == [CrashSummary(crash.crash_id, crash.submitted, signature="s")]


def test_a_store_without_crashes_lists_none(site):
    store, _ = site
    assert [*store.newest(5)] == []


def test_elasticsearch_lists_them_in_pages(elasticsearch):
    store = elasticsearch.store()
    # Many have the same time, and none is left out between two pages.
    crashes = [save(store, number // 7) for number in range(MANY)]
    elasticsearch.refresh()
    found = find_newest(store.indexes.connection, store.indexes.patterns(), 15, page=4)
    first = [crash.crash_id for crash in islice(found, 15)]
    assert len(set(first)) == 15
    assert {crash.crash_id for crash in crashes[:14]} <= set(first)


@pytest.mark.parametrize("store_class", [PostgreSQLCrashStorage, ESCrashStorage])
def test_the_command_lists_what_the_destination_has(store_class, database, postgresql, elasticsearch, capsys):
    options = {"destination.crashstorage_class": class_name(store_class)} | database.options | elasticsearch.options
    options |= {"source.crashstorage_class": class_name(NullCrashStorage)}
    options["resource.elasticsearch.elasticsearch_index"] = elasticsearch.pattern
    store = postgresql if store_class is PostgreSQLCrashStorage else elasticsearch.store()
    arguments = ["list", *(f"--{key}={value}" for key, value in options.items())]
    assert main(arguments, environ={}) == 0
    assert capsys.readouterr() == ("", f"socorro: there is no crash in {store}\n")
    crash = save(store, 1)
    if store_class is ESCrashStorage:
        elasticsearch.refresh()
    assert main(arguments, environ={}) == 0
    out, err = capsys.readouterr()
    assert (err, out.splitlines()[1]) == ("", f"{crash.crash_id}  2016-11-22T12:00:00Z  Lightbox 2.3  f")
