"""`socorro remove` as a process: from every production store, and while the crash is being processed."""

import json

import pytest

from tests.integration.s3_bucket import object_keys
from tests.shared import SAMPLES
from tests.system.daemon import eventually

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"
PLUGIN = {"ProcessType": "plugin", "PluginFilename": "album.so", "PluginName": "Album", "PluginVersion": "7.1"}
PERSONAL = {"Email": "ada@example.com", "URL": "https://example.com/private"}
TABLES = ("reports", "processed_crashes", "plugins_reports", "missing_symbols", "raw_crashes")


def places(site, crash_id: str) -> list[str]:
    """Return all traces of a crash, read without the stores."""
    rows = [table for table in TABLES if site.database.rows(table, crash_id)]
    objects = [key for key in object_keys(site.bucket) if crash_id in key]
    return [*rows, *objects, *site.indexes.ids({"term": {"crash_id": crash_id}})]


def test_a_crash_is_erased_from_every_service_even_if_one_is_away_at_first(site, site_daemon, tmp_path):
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps({"ProductName": "Lightbox", **PLUGIN, **PERSONAL}))
    crash_id, other = (site.submit(DUMP, "--raw-crash", annotations) for _ in range(2))
    for each in (crash_id, other):
        site_daemon.wait_for_log(f"{each} saved")
    before, of_other = places(site, crash_id), places(site, other)
    assert len(before) == len(TABLES) + 4 + 1

    dry = json.loads(site.socorro("remove", crash_id, "--dry-run", "--json").stdout)
    assert {name: found["held"] for name, found in dry["stores"].items()} == {
        "source": (objects := ["raw crash", "processed crash", "dump upload_file_minidump", "names of the dumps"]),
        "destination.storage0": [held(site, table, crash_id) for table in TABLES],
        "destination.storage1": objects,
        "destination.storage2": [f"document in {site.indexes.index_of(crash_id)}"],
        "destination.storage3": [],
    }
    assert places(site, crash_id) == before

    away = "--resource.elasticsearch.elasticsearch_urls=http://127.0.0.1:9"
    done = site.socorro("remove", crash_id, "--no-wait", away)
    assert done.returncode == 1
    assert "destination.storage2  FAILED: " in done.stdout
    assert "1 crash may be in work, and be saved after all: remove again after 990 s" in done.stderr
    assert places(site, crash_id) == [crash_id]

    done = site.socorro("remove", crash_id, "--app.maximum_crash_time=0.5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "destination.storage2  removed: document in" in done.stdout
    assert "looking again in 1 s" in done.stderr
    assert places(site, crash_id) == []
    assert places(site, other) == of_other
    assert f'"message": "{crash_id} removed"' in done.stderr
    assert "example.com" not in done.stdout + done.stderr


def held(site, table: str, crash_id: str) -> str:
    rows = len(site.database.rows(table, crash_id))
    return f"{table} ({rows})" if rows > 1 else table


def test_a_crash_that_is_removed_while_it_is_processed_does_not_come_back(installation, slow_walker):
    crash_id = installation.submit(DUMP)
    daemon = installation.start()
    slow_walker.wait_until_it_runs()
    removal = installation.begin("remove", crash_id)
    try:
        eventually(lambda: not files_of(installation, crash_id))
        slow_walker.let_it_go_on()
        daemon.wait_for_log(f"{crash_id} saved")
        out, err = removal.communicate(timeout=60)
    finally:
        removal.kill()
    assert removal.returncode == 0, err
    assert f"{crash_id} came back\n    source       removed: processed crash" in out
    assert files_of(installation, crash_id) == []
    assert daemon.stop() == 0


def test_a_crash_that_is_removed_while_it_waits_is_rejected_and_nothing_is_saved(installation):
    crash_id = installation.submit(DUMP)
    done = installation.socorro("remove", crash_id)
    assert (done.returncode, "its id is pending" in done.stdout) == (0, True)
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} is rejected")
    assert daemon.stop() == 0
    assert files_of(installation, crash_id) == []
    assert "queue        its id is rejected" in installation.socorro("remove", crash_id).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "no crashes to remove: name them"),
        (["no-id"], 1, "'no-id' is not a crash id"),
        (["--file", "absent"], 2, "cannot read absent: No such file or directory"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(installation, arguments, code, told):
    done = installation.socorro("remove", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def files_of(installation, crash_id: str) -> list[str]:
    return [str(path) for path in installation.crashes.rglob(crash_id)]
