"""``reprocessing-jobs``: put the crash ids of the table ``reprocessing_jobs`` into the reprocessing queue.

With a row in that table, a program that can reach the database but not the broker, such as a web application, asks for
a crash to be processed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.postgresql.connections import ConnectionPool
from socorro_processor.errors import CrashQueueError, InvalidCrashID
from socorro_processor.jobs.job import Job, JobOutcome, Work
from socorro_processor.jobs.postgresql_ledger import first_database
from socorro_processor.monitoring.metrics import METRICS

BATCH = 100
"""The number of rows that are locked at once. If this process dies, at most this many are queued twice."""

_DOING = "read reprocessing_jobs"

# A crash id may be in the table twice, so a row is identified by its place, which it keeps while it is locked.
_TAKE = "SELECT ctid::text, coalesce(crash_id::text, '') FROM reprocessing_jobs LIMIT %s FOR UPDATE SKIP LOCKED"
_DELETE = "DELETE FROM reprocessing_jobs WHERE ctid = ANY(%s::tid[])"
_REFUSE = "INSERT INTO reprocessing_jobs_refused (crash_id, reason) VALUES (%s, %s)"
_ALL = "SELECT coalesce(crash_id::text, '') FROM reprocessing_jobs"


@dataclass
class Counts:
    queued: int = 0
    refused: int = 0
    dry_run: bool = False

    def __str__(self) -> str:
        queued, refused = ("would be queued", "would be refused") if self.dry_run else ("queued", "refused")
        return f"{self.queued} {queued}" + (f", {self.refused} {refused}" if self.refused else "")

    def as_json(self) -> Mapping[str, Any]:
        return {"queued": self.queued, "refused": self.refused}


def run(work: Work) -> JobOutcome:
    database = first_database(work.values)
    if database is None:
        return work.nothing_to_do("the configuration has no PostgreSQL, and so no table reprocessing_jobs")
    source = work.values.new_crash_source
    counts = Counts(dry_run=work.dry_run)
    with closing(ConnectionPool(database)) as pool:
        if work.dry_run:
            _look(pool, work, counts)
        else:
            with closing(source.new_crash_source_class(source)) as queue:
                while _queue_some(pool, queue, work, counts):
                    work.progress(str(counts))
    work.say(str(counts), counts.as_json())
    return JobOutcome(not counts.refused, str(counts))


def _look(pool: ConnectionPool, work: Work, counts: Counts) -> None:
    with pool.reading(_DOING, _ALL, (), BATCH) as rows:
        for (text,) in rows:
            if reason := _mistake(text.strip().lower()):
                _tell_refused(work, text, reason)
                counts.refused += 1
            else:
                counts.queued += 1


def _queue_some(pool: ConnectionPool, queue: CrashQueueBase, work: Work, counts: Counts) -> bool:
    """Queue the crashes of some rows, and delete the rows that the queue has confirmed.

    Rows that another process has locked are left to that process. Return False if there are no more rows.
    """
    with pool.session(_DOING) as cursor:
        failed: BaseException | None = None
        with cursor.connection:
            cursor.execute(_TAKE, (BATCH,))
            rows = cursor.fetchall()
            done_places: list[str] = []
            try:
                for place in _queue_rows(cursor, rows, queue, work, counts):
                    done_places.append(place)
            except (CrashQueueError, KeyboardInterrupt) as error:
                failed = error  # raising it here would roll back what is done
            cursor.execute(_DELETE, (done_places,))
        if failed:
            raise failed
    return bool(rows)


def _queue_rows(
    cursor: Cursor, rows: list[tuple[str, str]], queue: CrashQueueBase, work: Work, counts: Counts
) -> Iterator[str]:
    """Queue or refuse the crash of each row. Yield the places of the rows that can be deleted."""
    submitted = set()
    for place, text in rows:
        crash_id = text.strip().lower()
        if reason := _mistake(crash_id):
            cursor.execute(_REFUSE, (text, reason))
            _tell_refused(work, text, reason)
            METRICS.increment("reprocessing_jobs.refused")
            counts.refused += 1
        elif crash_id not in submitted:
            queue.submit(crash_id, "reprocessing")
            submitted.add(crash_id)
            METRICS.increment("reprocessing_jobs.queued")
            counts.queued += 1
        yield place


def _mistake(crash_id: str) -> str | None:
    try:
        check_crash_id(crash_id)
    except InvalidCrashID as error:
        return str(error)
    return None


def _tell_refused(work: Work, text: str, reason: str) -> None:
    work.say(f"refused: {reason}", {"crash_id": text, "refused": reason})


JOB = Job(
    name="reprocessing-jobs",
    summary="Put the crashes of the table reprocessing_jobs into the reprocessing queue.",
    description=(
        "A row is deleted once the queue has confirmed its crash. A word that is not a crash id is moved to the table "
        "reprocessing_jobs_refused."
    ),
    exit_codes={
        0: "all are queued",
        1: "some were not crash ids, or database or queue are away; the next run queues what is left in the table",
    },
    example="socorro cron reprocessing-jobs --dry-run",
    run=run,
    sections=("destination", "source", "new_crash_source"),
)
