"""The dashboard of crashes: each query on real tables, as Grafana sends it, with the role that the docs make."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from socorro_processor.crash_id import new_crash_id
from tests.integration.postgresql_database import USER, Database, new_database, new_role
from tests.shared import REPOSITORY

DASHBOARD = json.loads((REPOSITORY / "config" / "grafana" / "socorro-crashes.json").read_text())
PAGE = (REPOSITORY / "docs" / "monitoring.rst").read_text()

FROM, TO = date(2016, 11, 14), date(2016, 11, 23)
"""Days around a Monday, on which a partition begins."""
ODD = 'O\'Reilly \\ "x" $__timeFrom()'
ALL = ("Firefox", "Thunderbird", "(none)", ODD)

CRASHES: list[tuple[date, int, dict[str, Any]]] = [
    (date(2016, 11, 10), 2, {"product": "Firefox", "version": "49", "signature": "old"}),
    (date(2016, 11, 10), 1, {"product": "Thunderbird", "version": "45", "signature": "of another product before"}),
    (date(2016, 10, 10), 1, {"product": "Firefox", "version": "49", "signature": "forgotten"}),
    (date(2016, 11, 14), 3, {"product": "Firefox", "version": "50", "signature": "old", "os_name": "Linux"}),
    (date(2016, 11, 22), 4, {"product": "Firefox", "version": "50", "signature": "new", "os_name": "Linux"}),
    (date(2016, 11, 23), 1, {"product": "Firefox", "version": "51", "signature": "new", "os_name": "Mac OS X"}),
    (date(2016, 11, 23), 1, {"product": "Firefox", "version": "51", "signature": "of another product before"}),
    (date(2016, 11, 23), 1, {"product": "Thunderbird", "version": "45", "signature": "forgotten", "success": False}),
    (date(2016, 11, 23), 2, {"signature": None, "process_type": "plugin", "reason": "SIGSEGV"}),
    (date(2016, 11, 23), 1, {"product": ODD, "version": "1", "signature": "odd"}),
    (date(2016, 11, 24), 7, {"product": "Firefox", "version": "51", "signature": "too late"}),
]
"""Day, number of crashes, and fields."""


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with new_database() as database:
        with closing(database.store(today=lambda: TO)) as store:
            store.setup()
            for day, count, fields in CRASHES:
                for number in range(count):
                    crash_id = new_crash_id(day)
                    processed = {
                        "uuid": crash_id,
                        "date_processed": f"{day}T12:00:0{number}+00:00",
                        "success": True,
                        "email": "someone@example.org",
                        **fields,
                    }
                    store.save_raw_and_processed({}, {}, processed, crash_id)
        yield database


@pytest.fixture(scope="module")
def reader(database: Database) -> Iterator[Database]:
    """The database as the role for Grafana sees it."""
    (grant,) = re.findall(r"^    (GRANT SELECT \(.*?;)$", PAGE, re.MULTILINE | re.DOTALL)
    with new_role(database) as role:
        database.execute(grant.replace("TO grafana", f"TO {role[f'{USER}database_username']}"))
        yield Database(database.name, database.options | role)


def sent(sql: str, products: tuple[str, ...]) -> str:
    """Return the query as Grafana sends it."""
    quoted = ", ".join("'" + product.replace("'", "''") + "'" for product in products)
    values = {
        "$__timeFrom()": f"'{FROM}T00:00:00Z'",
        "$__timeTo()": f"'{TO}T23:59:59.999Z'",
        "${product:sqlstring}": quoted,
    }
    # In one pass, because a product may have the name of a macro.
    pattern = "|".join(map(re.escape, values))
    assert "$" not in re.sub(pattern, "", sql)
    return re.sub(pattern, lambda match: values[match[0]], sql)


def answers(reader: Database, title: str, products: tuple[str, ...] = ALL) -> list[tuple[Any, ...]]:
    (panel,) = [panel for panel in DASHBOARD["panels"] if panel["title"] == title]
    (target,) = panel["targets"]
    return [row if isinstance(row, tuple) else (row,) for row in reader.execute(sent(target["rawSql"], products))]


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def midnight(month: int, day: int) -> datetime:
    return datetime(2016, month, day, tzinfo=UTC)


EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "Crashes": [(13,)],
    "Signatures": [(5,)],
    "Without a stack": [(1 / 13,)],
    "Newest crash processed": [((noon(TO) + timedelta(seconds=1)).timestamp() * 1000,)],
    "Crashes a day, by product": [
        (midnight(11, 14), "Firefox", 3),
        (midnight(11, 22), "Firefox", 4),
        (midnight(11, 23), "(none)", 2),
        (midnight(11, 23), "Firefox", 2),
        (midnight(11, 23), ODD, 1),
        (midnight(11, 23), "Thunderbird", 1),
    ],
    "Crashes a day, by version": [
        (midnight(11, 14), "Firefox 50", 3),
        (midnight(11, 22), "Firefox 50", 4),
        (midnight(11, 23), "(none)", 2),
        (midnight(11, 23), "Firefox 51", 2),
        (midnight(11, 23), f"{ODD} 1", 1),
        (midnight(11, 23), "Thunderbird 45", 1),
    ],
    "Top signatures": [
        ("new", 5, 38.5, 2, 2, "2016-11-22", "2016-11-23"),
        ("old", 3, 23.1, 1, 1, "2016-11-14", "2016-11-14"),
        (None, 2, 15.4, 0, 0, "2016-11-23", "2016-11-23"),
        ("forgotten", 1, 7.7, 1, 0, "2016-11-23", "2016-11-23"),
        ("odd", 1, 7.7, 1, 0, "2016-11-23", "2016-11-23"),
        ("of another product before", 1, 7.7, 1, 0, "2016-11-23", "2016-11-23"),
    ],
    "By system": [("Linux", 7), ("", 5), ("Mac OS X", 1)],
    "By process type": [("main", 11), ("plugin", 2)],
    "By reason": [("", 11), ("SIGSEGV", 2)],
}


@pytest.mark.parametrize("title", EXPECTED)
def test_each_panel_shows_the_crashes_of_its_days(reader, title):
    assert answers(reader, title) == EXPECTED[title]


def test_new_signatures_are_those_that_the_chosen_products_did_not_have_in_the_28_days_before(reader):
    found = {row[0]: row[1:5] for row in answers(reader, "New signatures")}
    assert found == {
        "new": (5, 2, "50", "2016-11-22"),
        "forgotten": (1, 1, "45", "2016-11-23"),
        "odd": (1, 1, "1", "2016-11-23"),
    }
    of_firefox = {row[0] for row in answers(reader, "New signatures", ("Firefox",))}
    assert of_firefox == {"new", "of another product before"}


def test_a_new_signature_comes_with_the_id_of_a_crash(reader, database):
    (crash_id,) = [row[5] for row in answers(reader, "New signatures") if row[0] == "odd"]
    assert database.row("reports", crash_id)["signature"] == "odd"


def test_only_the_chosen_products_are_shown(reader):
    assert answers(reader, "Crashes", ("Thunderbird", ODD)) == [(2,)]


def test_many_versions_are_shown_as_ten_and_the_others():
    with new_database() as many:
        with closing(many.store(today=lambda: TO)) as store:
            store.setup()
            for number in range(1, 13):
                for _ in range(number):
                    crash_id = new_crash_id(TO)
                    report = {"uuid": crash_id, "date_processed": f"{TO}T12:00:00Z", "product": "Firefox"}
                    store.save_raw_and_processed({}, {}, report | {"version": f"{number:02}"}, crash_id)
        found = {name: count for _, name, count in answers(many, "Crashes a day, by version")}
    assert found == {f"Firefox {number:02}": number for number in range(3, 13)} | {"others": 3}


def test_no_panel_has_more_rows_than_people_read_whatever_strangers_send():
    for panel in DASHBOARD["panels"]:
        (target,) = panel["targets"]
        if panel["type"] in ("table", "piechart"):
            assert re.search(r" LIMIT 10{1,2}$", target["rawSql"]), panel["title"]


def test_the_products_to_choose_from_are_those_with_most_crashes_first(reader):
    (product,) = [each for each in DASHBOARD["templating"]["list"] if each["name"] == "product"]
    assert reader.execute(sent(product["query"], ()))[0] == "Firefox"
    assert set(reader.execute(sent(product["query"], ()))) == set(ALL)


def test_every_panel_of_the_dashboard_is_tested():
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert sorted(titles) == sorted([*EXPECTED, "New signatures"])


def test_the_role_of_the_dashboard_reads_nothing_of_a_person_and_writes_nothing(reader):
    for statement in (
        "SELECT email FROM reports",
        "SELECT url FROM reports",
        "SELECT user_comments FROM reports",
        "SELECT raw_crash FROM raw_crashes",
        "SELECT processed_crash FROM processed_crashes",
        "DELETE FROM reports",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            reader.execute(statement)


def test_a_query_reads_only_the_partitions_of_its_days(reader, database):
    (panel,) = [panel for panel in DASHBOARD["panels"] if panel["title"] == "Top signatures"]
    plan = "\n".join(reader.execute(f"EXPLAIN {sent(panel['targets'][0]['rawSql'], ALL)}"))
    assert set(re.findall(r"on (reports_\w+)", plan)) == {"reports_20161114", "reports_20161121"}
    assert len(database.partitions("reports")) > 3
