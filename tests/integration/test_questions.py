"""docs/questions.rst: each query of the page is run as it stands there, on crashes that the stores have saved."""

from __future__ import annotations

import json
import re
import textwrap
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorageRedactedJsonDump
from socorro_processor.crashstorage.elasticsearch.indexes import WeeklyIndexes
from socorro_processor.crashstorage.postgresql.indexes import INDEXES
from socorro_processor.crashstorage.postgresql.partitions import week_of
from tests.integration.elasticsearch_indexes import own_indexes
from tests.integration.postgresql_database import new_database
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs" / "questions.rst").read_text()
_BLOCK = re.compile(r"^\.\. code-block:: \w+\n    :caption: (\S+)\n\n((?:    .*\n|\n)+)", re.MULTILINE)
QUERIES = {name: textwrap.dedent(text) for name, text in _BLOCK.findall(PAGE)}

TURN, READ, SHOW, MEMORY = (
    "lightbox::Thumbnail::turn_upright",
    "lightbox::exif::File::read_tag | lightbox::exif::File::open",
    "core::option::expect_failed | lightbox::Album::show",
    "OOM | large | lightbox::Album::show",
)
MOBILE = "Lightbox Mobile"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOW = datetime.now(UTC)

# No crash is within a day of the limit of a query by days, because these tests may run at midnight.
CRASHES = [
    (name, NOW - age, product, version, signature)
    for name, age, product, version, signature in (
        ("turn, an hour ago", HOUR, "Lightbox", "2.1", TURN),
        ("turn, two days ago", 2 * DAY, "Lightbox", "2.1", TURN),
        ("turn, three days ago", 3 * DAY, "Lightbox", "2.1", TURN),
        ("turn, of 2.0", 4 * DAY, "Lightbox", "2.0", TURN),
        ("turn, of 2.0, before", 20 * DAY, "Lightbox", "2.0", TURN),
        ("turn, of Mobile", 20 * DAY, MOBILE, "2.1", TURN),
        ("turn, long ago", 60 * DAY, "Lightbox", "1.0", TURN),
        ("read, an hour ago", HOUR, "Lightbox", "2.1", READ),
        ("read, two hours ago", 2 * HOUR, "Lightbox", "2.1", READ),
        ("show, three days ago", 3 * DAY, "Lightbox", "2.1", SHOW),
        ("show, before", 20 * DAY, "Lightbox", "2.0", SHOW),
        ("memory", 2 * DAY, MOBILE, "1.0", MEMORY),
    )
]
MOMENTS = {name: moment for name, moment, *_ in CRASHES}
IDS = {name: new_crash_id(moment.date()) for name, moment in MOMENTS.items()}
NAMES = {crash_id: name for name, crash_id in IDS.items()}


def save_all(store: Any) -> None:
    for name, moment, product, version, signature in CRASHES:
        names = [*signature.split(" | "), "lightbox::main(int, char**)", "liblightbox.so@0x12ab"]
        functions = ("pthread_cond_wait", "Wait_For_Photos") if name == "memory" else ("epoll_wait",)
        processed_crash = {
            "uuid": IDS[name],
            "product": product,
            "version": version,
            "signature": signature,
            "proto_signature": " | ".join(names),
            "date_processed": moment.isoformat(),
            "uptime": 7,
            "json_dump": {
                "threads": [
                    {"frames": [{"frame": number, "function": name} for number, name in enumerate(thread)]}
                    for thread in (names, functions)
                ]
            },
        }
        if product == MOBILE:
            processed_crash |= {"processing": {"algorithm": 2026}, "android_model": "Pixel 9"}
        raw_crash = {"Album": "Holidays in the mountains" if name.startswith("turn") else "Winter"}
        store.save_raw_and_processed(raw_crash, {}, processed_crash, IDS[name])


SQL_ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "top-crashers.sql": [(TURN, 3), (READ, 2), (SHOW, 1)],
    "last-hours.sql": [
        (READ, 2, MOMENTS["read, two hours ago"]),
        (TURN, 1, MOMENTS["turn, an hour ago"]),
    ],
    "signature-by-version.sql": [
        ("Lightbox", "2.1", 3, MOMENTS["turn, three days ago"], MOMENTS["turn, an hour ago"]),
        ("Lightbox", "2.0", 2, MOMENTS["turn, of 2.0, before"], MOMENTS["turn, of 2.0"]),
        (MOBILE, "2.1", 1, MOMENTS["turn, of Mobile"], MOMENTS["turn, of Mobile"]),
    ],
    "newest.sql": [
        (IDS[name], MOMENTS[name], "Lightbox", version, None, None, 7)
        for name, version in (
            ("turn, an hour ago", "2.1"),
            ("turn, two days ago", "2.1"),
            ("turn, three days ago", "2.1"),
            ("turn, of 2.0", "2.0"),
        )
    ],
    "new-this-week.sql": [(READ, 2, MOMENTS["read, two hours ago"]), (MEMORY, 1, MOMENTS["memory"])],
    "words-in-stacks.sql": [(IDS["read, an hour ago"], READ), (IDS["read, two hours ago"], READ)],
    "any-thread.sql": [(IDS["memory"], MEMORY)],
    "field.sql": [(MEMORY, 1)],
    "annotation.sql": [(TURN, 4)],
}

INDEX_OF_QUERY = {
    "top-crashers.sql": "product_version_crash_date",
    "last-hours.sql": "date_processed",
    "signature-by-version.sql": "signature_crash_date",
    "newest.sql": "signature_crash_date",
    "field.sql": "fields",
}


def test_each_query_of_the_page_is_run_by_a_test():
    assert set(QUERIES) == {*SQL_ANSWERS, *ELASTICSEARCH_ANSWERS, *IN_TWO_REQUESTS}
    assert len(_BLOCK.findall(PAGE)) == PAGE.count("code-block::")


@pytest.fixture(scope="module")
def crashes_in_sql():
    with new_database() as database:
        with closing(database.store()) as store:
            store.setup()
            save_all(store)
        yield database


@pytest.mark.parametrize("name", SQL_ANSWERS)
def test_a_query_of_the_page_is_answered_by_postgresql(crashes_in_sql, name):
    with closing(crashes_in_sql.connect(options="-c timezone=UTC")) as connection, connection.cursor() as cursor:
        cursor.execute(QUERIES[name])
        assert cursor.fetchall() == SQL_ANSWERS[name]


WEEKS = 6
"""Weeks with rows; the last one is the current week."""


@pytest.fixture(scope="module")
def many_reports():
    """A database with some thousand rows in each week, and in the default partition."""
    with new_database() as database:
        with closing(database.store()) as store:
            store.setup()
            for weeks in range(1, WEEKS):
                store.partitions.make(week_of(NOW.date()) - timedelta(weeks=weeks))
        for first in (*(week_of(NOW.date()) - timedelta(weeks=weeks) for weeks in range(WEEKS)), "2001-01-01"):
            database.execute(
                """
                INSERT INTO reports (uuid, crash_date, date_processed, product, version, signature, fields)
                SELECT gen_random_uuid()::text, day, day + number %% 1440 * interval '1 minute',
                    'product ' || number %% 7, '2.' || number %% 11, 'signature ' || number %% 501,
                    jsonb_build_object('android_model', 'Pixel ' || number %% 501)
                FROM generate_series(1, 3000) AS number, LATERAL (SELECT %s::date + number %% 7 AS day) AS day
                """,
                first,
            )
        database.execute("ANALYZE reports")
        yield database


@pytest.fixture
def plan(many_reports):
    def plan(query: str, *avoided: str) -> list[dict[str, Any]]:
        """Return all nodes of the plan. Sequential scans, and ``avoided``, are only used if there is no other way."""
        options = " ".join(["-c timezone=UTC", *(f"-c enable_{each}=off" for each in ("seqscan", *avoided))])
        with closing(many_reports.connect(options=options)) as connection, connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query}")
            ((explained,),) = cursor.fetchall()
            return list(nodes(explained[0]["Plan"]))

    return plan


@pytest.fixture(scope="module")
def filled(many_reports):
    """The partitions that have rows, by the names that plans use."""
    names = many_reports.execute("SELECT DISTINCT tableoid::regclass::text FROM reports")
    assert len(names) == WEEKS + 1
    return set(names)


@pytest.mark.parametrize(("name", "index"), INDEX_OF_QUERY.items())
def test_a_query_uses_its_index_in_each_partition_that_it_reads(plan, filled, name, index):
    found = plan(QUERIES[name])
    indexes = {node["Index Name"] for node in found if "Index Name" in node}
    read = {node["Relation Name"] for node in found if "Relation Name" in node} & filled

    assert "reports_default" in read
    assert {f"{partition}_{index}_idx" for partition in read} <= indexes
    assert not any(node["Node Type"] == "Seq Scan" for node in found)


def test_a_query_does_not_read_other_weeks(plan):
    relations = {node["Relation Name"] for node in plan(QUERIES["top-crashers.sql"]) if "Relation Name" in node}

    assert f"reports_{week_of(NOW.date()) - timedelta(weeks=WEEKS - 1):%Y%m%d}" not in relations


def test_what_is_new_is_looked_up_by_signature_in_each_earlier_partition(plan, filled):
    # PostgreSQL avoids these joins itself on larger tables, because they read all earlier crashes.
    found = plan(QUERIES["new-this-week.sql"], "hashjoin", "mergejoin")
    conditions = {node["Index Name"]: node.get("Index Cond", "") for node in found if "Index Name" in node}
    earlier = filled - {f"reports_{week_of(NOW.date()) - timedelta(weeks=weeks):%Y%m%d}" for weeks in (0, 1)}

    assert len(earlier) == WEEKS - 1
    for partition in earlier - {"reports_default"}:
        assert "signature = " in conditions[f"{partition}_signature_crash_date_idx"]
    assert not any(node["Node Type"] == "Seq Scan" for node in found)


def test_every_index_serves_a_query_of_the_page():
    assert {"_".join(index.columns) for index in INDEXES} == set(INDEX_OF_QUERY.values())


def nodes(node: dict[str, Any]):
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes(inner)


def counts(aggregation: dict[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in aggregation["buckets"]}


def signatures(answer: dict[str, Any]) -> list[tuple[str, int]]:
    """Return signatures and counts in the order of the answer."""
    return list(counts(answer["aggregations"]["signatures"]).items())


def crashes(answer: dict[str, Any]) -> set[str]:
    return {NAMES[hit["_id"]] for hit in answer["hits"]["hits"]}


def moment(aggregation: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(aggregation["value_as_string"])


def milliseconds(moment: datetime) -> datetime:
    """Return the time to the millisecond, as Elasticsearch stores it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def by_version(answer: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {
        (product["key"], version["key"], version["doc_count"], moment(version["first"]), moment(version["last"]))
        for product in answer["aggregations"]["products"]["buckets"]
        for version in product["versions"]["buckets"]
    }


def with_first(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    buckets = answer["aggregations"]["signatures"]["buckets"]
    return [(bucket["key"], bucket["doc_count"], moment(bucket["first"])) for bucket in buckets]


def newest(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(NAMES[hit["_id"]], hit["_source"]["processed_crash"]) for hit in answer["hits"]["hits"]]


ELASTICSEARCH_ANSWERS: dict[str, tuple[Any, Any]] = {
    "top-crashers.json": (signatures, [(TURN, 3), (READ, 2), (SHOW, 1)]),
    "last-hours.json": (
        with_first,
        [(name, count, milliseconds(first)) for name, count, first in SQL_ANSWERS["last-hours.sql"]],
    ),
    "signature-by-version.json": (
        by_version,
        {
            (*row, milliseconds(first), milliseconds(last))
            for *row, first, last in SQL_ANSWERS["signature-by-version.sql"]
        },
    ),
    "newest.json": (
        newest,
        [
            (NAMES[crash_id], {"product": product, "version": version, "uptime": uptime})
            for crash_id, _, product, version, _, _, uptime in SQL_ANSWERS["newest.sql"]
        ],
    ),
    "words-in-stacks.json": (crashes, {"read, an hour ago", "read, two hours ago"}),
    "beginning-of-a-word.json": (crashes, {"read, an hour ago", "read, two hours ago"}),
    "field.json": (signatures, [(MEMORY, 1)]),
    "annotation.json": (signatures, [(TURN, 4)]),
}
IN_TWO_REQUESTS = ("this-week.json", "seen-before.json")


@pytest.fixture(scope="module")
def ask():
    with own_indexes() as indexes:
        save_all(indexes.store(ESCrashStorageRedactedJsonDump))
        indexes.refresh()

        def ask(body: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = indexes.client.perform_request(
                "POST",
                f"/{indexes.template}-*/_search",
                headers={"content-type": "application/json", "accept": "application/json"},
                body=body,
            ).body
            return answer

        yield ask


@pytest.mark.parametrize("name", ELASTICSEARCH_ANSWERS)
def test_a_query_of_the_page_is_answered_by_elasticsearch(ask, name):
    read, expected = ELASTICSEARCH_ANSWERS[name]
    assert read(ask(json.loads(QUERIES[name]))) == expected


def test_what_is_new_this_week_is_the_difference_of_two_answers(ask):
    this_week, seen_before = (json.loads(QUERIES[name]) for name in IN_TWO_REQUESTS)
    answer = dict(signatures(ask(this_week)))
    asked = seen_before["query"]["bool"]["filter"][0]["terms"]["processed_crash.signature.full"]

    assert answer == {TURN: 4, READ: 2, SHOW: 1, MEMORY: 1}
    assert set(asked) == set(answer)
    assert set(answer) - set(dict(signatures(ask(seen_before)))) == {READ, MEMORY}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({"match_phrase": {"proto_signature": "EXIF file READ_TAG"}}, True),
        ({"match": {"proto_signature": "read_tag"}}, True),
        ({"match": {"proto_signature": "main"}}, True),
        ({"match": {"proto_signature": "tag"}}, False),
        ({"match": {"proto_signature": "liblightbox.so"}}, True),
        ({"match": {"proto_signature": "liblightbox"}}, False),
        ({"prefix": {"proto_signature": "liblightbox"}}, True),
        ({"match_phrase": {"proto_signature": "File exif"}}, False),
        ({"prefix": {"proto_signature": "Read_"}}, False),
        ({"match": {"proto_signature": "epoll_wait"}}, False),
        ({"match": {"json_dump.threads.frames.function": "epoll_wait"}}, False),
    ],
)
def test_words_are_found_as_the_page_says(ask, search, found):
    ((kind, search),) = search.items()
    query = {kind: {f"processed_crash.{field}": text for field, text in search.items()}}
    assert ("read, an hour ago" in crashes(ask({"size": 100, "query": query}))) is found


def test_the_page_names_the_indexes_in_which_crashes_are():
    indexes = WeeklyIndexes(defaults(WeeklyIndexes), connection=None)
    assert f"/{','.join(indexes.patterns())}/_search" in PAGE
