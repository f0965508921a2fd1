"""`socorro cron verify-processed` with the production services: crashes that they lost are found and saved again."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.jobs.verify_processed import FEW
from tests.shared import SAMPLES, stackwalker
from tests.statsd_server import StatsdServer
from tests.system.production import Production, production

DAY = datetime.now(UTC).date() - timedelta(days=3)
"""A day that is over, even if midnight passes during the test."""
STORES = ["storage0", "storage1", "storage2"]


@pytest.fixture
def installation(tmp_path: Path, statsd_server: StatsdServer) -> Iterator[Production]:
    stackwalker()
    statsd = {"metrics.statsd_host": statsd_server.host, "metrics.statsd_port": str(statsd_server.port)}
    with production(tmp_path, **statsd) as installation:
        installation.walker(symbols_path=str(SAMPLES / "symbols"))
        yield installation


def collected(installation: Production, count: int, *, queued: bool, day: date = DAY) -> list[str]:
    """Save crashes of a day in S3; the collector queued them, or failed to."""
    crash_ids = [new_crash_id(day) for _ in range(count)]
    dump = SAMPLES / "segfault" / "upload_file_minidump.dmp"
    store = BotoS3CrashStorage(defaults(BotoS3CrashStorage, **installation.bucket))
    queue = queue_of(installation)
    for crash_id in crash_ids:
        store.save_raw_crash({"ProductName": "Lightbox"}, {MAIN_DUMP: dump}, crash_id)
        if queued:
            queue.submit(crash_id)
    store.close()
    queue.close()
    return crash_ids


def queue_of(installation: Production) -> RabbitMQCrashQueue:
    options = {key: value for key, value in installation.options.items() if ".rabbitmq." in key}
    return RabbitMQCrashQueue(defaults(RabbitMQCrashQueue, **options))


def verify(installation: Production, *arguments: str, day: date = DAY) -> tuple[int, dict[str, list[str]], dict]:
    """Return exit code, missing crashes by store, and the counts."""
    done = installation.socorro("cron", "verify-processed", f"--date={day}", "--json", *arguments)
    assert done.stderr == ""
    *crashes, counts = map(json.loads, done.stdout.splitlines())
    return done.returncode, {crash["crash_id"]: crash["missing_in"] for crash in crashes}, counts


def test_crashes_that_were_never_queued_or_that_a_store_lost_are_found_and_saved_everywhere(
    installation, statsd_server
):
    processed = collected(installation, 4, queued=True)
    daemon = installation.start("--health.port=0")
    for crash_id in processed:
        daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert verify(installation) == (0, {}, counts(raw=4))

    (never_queued,) = collected(installation, 1, queued=False)
    in_postgresql, in_s3, in_elasticsearch, _ = processed
    installation.database.execute("DELETE FROM processed_crashes WHERE uuid = %s", in_postgresql)
    store = BotoS3CrashStorage(defaults(BotoS3CrashStorage, **installation.bucket))
    assert store.delete(f"v1/processed_crash/{in_s3}")
    store.close()
    indexes = installation.indexes
    indexes.client.delete(index=indexes.index_of(in_elasticsearch), id=in_elasticsearch)
    lost = {
        in_postgresql: ["storage0"],
        in_s3: ["storage1"],
        in_elasticsearch: ["storage2"],
        never_queued: STORES,
    }
    by_store = dict.fromkeys(STORES, 2)
    assert verify(installation) == (1, lost, counts(raw=5, missing=4, left=4, stores=by_store))
    found = counts(raw=5, missing=4, queued=4, stores=by_store)
    assert verify(installation, "--reprocess") == (0, lost, found)
    # A second host, or a second run: the crashes wait, which RabbitMQ cannot tell.
    again = counts(raw=5, missing=4, queued_before=4, stores=by_store)
    assert verify(installation, "--reprocess") == (0, lost, again)
    assert installation.queue()["waiting"] == 4
    assert statsd_server.counter("processor.verify.queued") == 4
    assert statsd_server.counter("processor.verify.missing.storage1") == 6

    daemon = installation.start("--health.port=0")
    for crash_id in lost:
        daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert verify(installation, "--reprocess") == (0, {}, counts(raw=5))
    status = installation.socorro("cron", "status")
    assert "5 raw crashes, 0 missing" in status.stdout
    assert installation.database.execute("SELECT name, succeeded FROM jobs") == [("verify-processed", True)]


def test_while_many_crashes_wait_nothing_is_queued_a_second_time(installation):
    collected(installation, 1, queued=False)
    queue = queue_of(installation)
    for _ in range(FEW + 1):
        queue.submit(new_crash_id())
    queue.close()
    done = installation.socorro("cron", "verify-processed", f"--date={DAY}", "--reprocess")
    assert done.returncode == 1
    assert f"nothing is queued: {FEW + 1} crashes wait" in done.stdout
    assert installation.queue()["waiting"] == FEW + 1


def test_a_crash_of_today_may_just_be_waiting_and_is_not_queued_again(installation):
    today = datetime.now(UTC).date()
    missing = [
        *collected(installation, 1, queued=True, day=today),
        *collected(installation, 1, queued=False, day=today),
    ]
    found = verify(installation, "--reprocess", day=today)
    if datetime.now(UTC).date() == today:
        expected = counts(raw=2, missing=2, unfinished=2, stores=dict.fromkeys(STORES, 2))
        assert found == (0, dict.fromkeys(missing, STORES), expected)
        assert installation.queue()["waiting"] == 1


def counts(**found: object) -> dict[str, object]:
    names = ("raw", "missing", "parked", "deferred", "pending", "unfinished", "queued", "queued_before", "left")
    nothing = dict.fromkeys(names, 0)
    return nothing | {"stores": {}} | found
