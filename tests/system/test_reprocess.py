"""`socorro reprocess` as a process: with the production services, interrupted, and with the broker killed."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from socorro_processor.crash_id import crash_date, new_crash_id
from tests.integration.s3_bucket import put_object
from tests.services import own_servers, restart
from tests.shared import SAMPLES
from tests.system.daemon import Installation, eventually
from tests.system.embedded import DEADLINE, embedded_installation

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"


def written(directory: Path, count: int) -> tuple[Path, list[str]]:
    crash_ids = [new_crash_id() for _ in range(count)]
    file = directory / "crash_ids"
    file.write_text("\n".join(crash_ids))
    return file, crash_ids


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_crashes_that_elasticsearch_finds_are_reprocessed_and_changes_are_reported(site, site_daemon, tmp_path):
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps({"ProductName": "Lightbox", "Version": "7.0"}))
    crash_ids = changed, same, broken = [site.submit(DUMP, "--raw-crash", annotations) for _ in range(3)]
    for crash_id in crash_ids:
        site_daemon.wait_for_log(f"{crash_id} saved")
    signature = site.in_s3(same)["signature"]
    old = "UPDATE processed_crashes SET processed_crash = jsonb_set(processed_crash, '{signature}', %s) WHERE uuid = %s"
    site.database.execute(old, '"once"', changed)
    day = f"{crash_date(broken):%Y%m%d}"
    put_object(site.bucket, f"v2/raw_crash/{broken[:3]}/{day}/{broken}", b"[]")
    found = {"product": "Lightbox", "version": "7.0", "date_processed": datetime.now(UTC).isoformat()}
    site.indexes.client.index(
        index=site.indexes.index_of(same), id="no id", document={"processed_crash": found}, refresh=True
    )

    search = ("reprocess", "--product=Lightbox", "--version=7.0", "--date=2016-11-23..", "--json")
    dry = site.socorro(*search, "--dry-run")
    assert json.loads(dry.stdout) == {
        "queue": "reprocessing", "dry_run": True, "force": False, "valid": 3, "refused": 1,
        "queued": 3, "queued_before": 0, "summary": None,
    }  # fmt: skip
    done = site.socorro(*search, "--summary")
    assert done.returncode == 1
    assert "'no id' is not a crash id" in done.stderr
    report = json.loads(done.stdout)
    assert (report["queued"], report["refused"]) == (3, 1)
    crashes = {crash.pop("crash_id"): crash for crash in report["summary"]["crashes"]}
    assert crashes == {
        changed: {"outcome": "changed", "before": "once", "after": signature},
        same: {"outcome": "same", "before": signature, "after": signature},
        broken: {"outcome": "parked", "before": signature, "after": ""},
    }


def test_no_crash_is_lost_when_the_broker_is_killed_halfway(tmp_path):
    file, crash_ids = written(tmp_path, 300)
    journal = tmp_path / "journal"
    with own_servers(), embedded_installation("rabbitmq", tmp_path, "1") as installation:
        (tmp_path / "own.ini").write_text("")
        installation.set("admin.conf", str(tmp_path / "own.ini"))
        installation.queue_of_its_own.setup()
        # RabbitMQ 3.10 records a new queue after a second or so: killed before, it finds no leader for the queue.
        restart("rabbitmq")
        process = installation.begin(
            "reprocess", "--file", file, "--queue=priority", "--rate=100", f"--resume={journal}"
        )
        try:
            eventually(lambda: lines(journal) > 50)
            restart("rabbitmq", "kill")
            out, err = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
        assert (process.returncode, out) == (0, "300 queued as priority\n"), err
        assert "waiting for the queue" in err
        taken: set[str] = set()
        queue = installation.queue_of_its_own
        deliveries = queue.new_crashes()
        while taken < set(crash_ids):
            if delivery := next(deliveries):
                taken.add(delivery.crash_id)
                queue.ack(delivery)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_after_an_interruption_the_same_command_queues_the_rest(tmp_path, number):
    installation = Installation(tmp_path)
    file, _ = written(tmp_path, 200)
    command = ("reprocess", "--file", file, f"--cron.directory={tmp_path}/jobs")
    process = installation.begin(*command, "--rate=100")
    try:
        eventually(lambda: any(lines(path) > 20 for path in (tmp_path / "jobs").glob("*.journal")))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "of 200 are queued; the same command goes on from there" in err
        assert "Traceback" not in err

    done = installation.socorro(*command, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["queued"] + report["queued_before"]) == (0, 200)
    assert 20 <= report["queued_before"] < 200
    # One may have been queued, but not recorded yet.
    assert installation.queue()["waiting"] in (200, 201)
    assert not list((tmp_path / "jobs").iterdir())
