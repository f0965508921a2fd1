"""``socorro cron elasticsearch-cleanup`` over a real Elasticsearch."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from socorro_processor.configuration import class_name
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.errors import TransientStorageError
from socorro_processor.jobs.elasticsearch_cleanup import JOB
from socorro_processor.jobs.retention import ClockNotTrusted, NotRemoved
from tests.integration.elasticsearch_indexes import URLS, own_indexes
from tests.job_run import JobRun

NOW = datetime.now(UTC)
TODAY = NOW.date()
RETENTION = {"cron__elasticsearch_cleanup__retention_days": 30}


@pytest.fixture(scope="module")
def cluster():
    with own_indexes() as indexes:
        yield indexes


@pytest.fixture
def indexes(cluster):
    """An index for today, and for 29, 30, 31, 40 and 41 days ago; beside them some that are not the store's."""
    cluster.pattern = f"{cluster.template}-%Y%m%d"
    wanted = {of_day(cluster, age) for age in (0, 29, 30, 31, 40, 41)}
    wanted |= {cluster.other, f"{cluster.template}-20010101-notes", f"{cluster.template}-20169999"}
    for name in wanted - set(cluster.mappings()):
        cluster.client.indices.create(index=name)
    return cluster


@pytest.fixture
def job(indexes):
    options = {
        **indexes.options,
        "resource.elasticsearch.elasticsearch_index": indexes.pattern,
        "destination.crashstorage_class": class_name(ESCrashStorage),
    }
    return JobRun(options, NOW)


def of_day(indexes, age: int) -> str:
    return (TODAY - timedelta(days=age)).strftime(f"{indexes.template}-%Y%m%d")


def test_the_indexes_that_are_older_than_the_retention_go_and_no_others(indexes, job):
    before = set(indexes.mappings())
    assert job(JOB, **RETENTION).summary == "3 indexes deleted, 3 kept"
    assert before - set(indexes.mappings()) == {of_day(indexes, age) for age in (31, 40, 41)}


def test_without_a_retention_all_stay(indexes, job):
    before = set(indexes.mappings())
    assert "retention_days is 0, so indexes stay for ever" in job(JOB).summary
    assert set(indexes.mappings()) == before


def test_a_dry_run_names_each_and_deletes_none(indexes, job):
    before = set(indexes.mappings())
    assert job(JOB, dry_run=True, **RETENTION).summary == "3 indexes to be deleted, 3 kept"
    assert job.lines[:-1] == [f"{of_day(indexes, age)}  would be deleted" for age in (41, 40, 31)]
    assert set(indexes.mappings()) == before


def test_more_than_the_maximum_are_not_deleted(indexes, job):
    before = set(indexes.mappings())
    with pytest.raises(NotRemoved, match=r"3 indexes .*--maximum=3"):
        job(JOB, "--maximum=2", **RETENTION)
    assert set(indexes.mappings()) == before


def test_a_clock_that_differs_from_the_clusters_deletes_nothing(indexes, job):
    before = set(indexes.mappings())
    job.now = NOW + timedelta(days=2)
    with pytest.raises(ClockNotTrusted, match="the server's"):
        job(JOB, **RETENTION)
    assert set(indexes.mappings()) == before


def test_a_weekly_index_goes_when_its_last_day_is_too_old(indexes):
    with closing(indexes.store(**{"resource.elasticsearch.elasticsearch_index": f"{indexes.template}-w%Y%W"})) as store:
        indexes.client.indices.create(index=f"{indexes.template}-w201647")
        indexes.client.indices.create(index=f"{indexes.template}-w201600")
        found = {index: day.isoformat() for day, index in store.indexes.by_last_day()}
    # 2016 began on a Friday.
    assert found == {f"{indexes.template}-w201647": "2016-11-27", f"{indexes.template}-w201600": "2016-01-03"}


def test_an_index_that_takes_the_crashes_of_every_year_never_grows_old(indexes):
    with closing(indexes.store(**{"resource.elasticsearch.elasticsearch_index": f"{indexes.template}-all"})) as store:
        indexes.client.indices.create(index=f"{indexes.template}-all")
        ((day, _),) = store.indexes.by_last_day()
    assert day.year == 2099


def test_a_cluster_that_is_away_is_an_error(indexes, job):
    with pytest.raises(TransientStorageError, match="cannot list the indexes: no answer"):
        job(JOB, **RETENTION, **{URLS.replace(".", "__"): "http://127.0.0.1:1"})


def test_without_elasticsearch_there_is_nothing_to_do():
    assert JobRun({}, NOW)(JOB).summary == "nothing to do: the destination has no ESCrashStorage"
