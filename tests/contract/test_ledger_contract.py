"""The contract of every ledger of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.jobs.ledger import JobLedger, JobRecord
from tests.contract.ledger_backends import BACKENDS, LedgerBackend

STARTED = datetime(2016, 11, 24, 4, 0, 0, 123456, UTC)
RECORD = JobRecord("verify-processed", "host.example.com", STARTED, memory={"queued": {"a": "b"}})


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerBackend]:
    with BACKENDS[request.param](tmp_path) as backend:
        yield backend


@pytest.fixture
def ledger(backend: LedgerBackend) -> Iterator[JobLedger]:
    with closing(backend.open()) as ledger:
        yield ledger


def test_before_any_job_has_run_there_are_no_records(ledger):
    assert ledger.records() == []


def test_a_record_comes_back_on_every_host(backend, ledger):
    with ledger.locked(RECORD.name):
        ledger.record(RECORD)
    with closing(backend.open()) as other:
        assert other.records() == [RECORD]


@pytest.mark.parametrize("succeeded", [True, False, None])
def test_a_later_record_replaces_the_one_before(ledger, succeeded):
    ended = replace(
        RECORD, ended=STARTED + timedelta(hours=1), succeeded=succeeded, summary="3 \u2014 missing", memory={}
    )
    with ledger.locked(RECORD.name):
        ledger.record(RECORD)
        ledger.record(ended)
    assert ledger.records() == [ended]


def test_each_job_has_its_record(ledger):
    other = replace(RECORD, name="partitions")
    with ledger.locked(RECORD.name), ledger.locked("partitions") as is_mine:
        assert is_mine
        ledger.record(RECORD)
        ledger.record(other)
    assert ledger.records() == [other, RECORD]


def test_a_job_runs_on_one_host_at_a_time(backend, ledger):
    with closing(backend.open()) as other:
        with ledger.locked("a") as is_mine, other.locked("a") as is_the_others:
            assert (is_mine, is_the_others) == (True, False)
        with other.locked("a") as is_the_others:
            assert is_the_others


def test_a_job_whose_process_died_can_be_taken_by_another(backend, ledger):
    with backend.another_process_with("a") as process:
        with ledger.locked("a") as is_mine:
            assert not is_mine
        process.kill()
        process.wait()
        assert can_be_had(ledger, "a")


def can_be_had(ledger: JobLedger, name: str) -> bool:
    """A server may notice only moments later that a client is gone."""
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while datetime.now(UTC) < deadline:
        with ledger.locked(name) as is_mine:
            if is_mine:
                return True
    return False
