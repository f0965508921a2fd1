"""The processor with `config/processor-production.ini`: real crashes in, and each result read from every service."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.shared import SAMPLES, shared, stackwalker
from tests.statsd_server import StatsdServer
from tests.system.daemon import eventually
from tests.system.production import Production
from tests.system.production import production as set_up

NOTHING = {"waiting": 0, "delayed": 0, "in_flight": 0, "parked": 0, "rejected": 0}

PLUGIN = {"ProcessType": "plugin", "PluginFilename": "album.so", "PluginName": "Album", "PluginVersion": "7.1"}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Every real crash, and one of a plugin, submitted and processed; one of them is reprocessed."""
    stackwalker()
    directory = tmp_path_factory.mktemp("production")
    with StatsdServer() as statsd:
        options = {"resource.statsd.statsd_host": statsd.host, "resource.statsd.statsd_port": str(statsd.port)}
        with set_up(directory, **options) as installation:
            installation.walker(symbols_path=str(shared("symbols")))
            yield _processed(installation, statsd)


def _processed(installation: Production, statsd: StatsdServer) -> SimpleNamespace:
    doctor = installation.socorro("doctor")
    submitted = {}
    for crash in sorted(shared("crashes").iterdir()):
        raw_crash = crash / "raw_crash.json"
        arguments = ["--raw-crash", raw_crash] if raw_crash.exists() else []
        submitted[installation.submit(crash / "upload_file_minidump.dmp", *arguments)] = crash.name
    annotations = installation.directory / "plugin.json"
    annotations.write_text(json.dumps({"ProductName": "Lightbox", "Version": "2.3.1", **PLUGIN}))
    plugin = installation.submit(SAMPLES / "segfault" / "upload_file_minidump.dmp", "--raw-crash", annotations)
    daemon = installation.start("--health.port=0")
    for crash_id in (*submitted, plugin):
        daemon.wait_for_log(f"{crash_id} saved")
    first = installation.show(plugin)
    reprocess = installation.socorro("reprocess", plugin)
    assert reprocess.returncode == 0, reprocess.stderr
    eventually(lambda: daemon.log.count(f"{plugin} saved") == 2, lambda: daemon.log)
    # On a busy machine, a processor may not answer in time.
    left: list[dict[str, int | None]] = []
    eventually(lambda: left.append(installation.queue()) or left[-1]["in_flight"] is not None, lambda: daemon.log)
    assert daemon.stop() == 0
    return SimpleNamespace(
        installation=installation,
        statsd=statsd,
        doctor=doctor,
        submitted=submitted,
        plugin=plugin,
        first=first,
        left=left[-1],
        log=daemon.log,
    )


def rows(production: SimpleNamespace, query: str, *values: object) -> list:
    return production.installation.database.execute(query, *values)


def search(production: SimpleNamespace, **body: object) -> dict:
    indexes = production.installation.indexes
    indexes.refresh()
    return indexes.client.search(index=f"{indexes.template}-*", **body).body


def test_after_setup_the_doctor_finds_nothing_wrong(production):
    assert production.doctor.returncode == 0, production.doctor.stdout + production.doctor.stderr
    assert production.doctor.stdout.count("\nok ") >= 7


def test_every_crash_is_processed_with_all_that_its_dump_says(production):
    for crash_id, name in production.submitted.items():
        processed = production.installation.in_s3(crash_id)
        assert processed["success"] is True, name
        assert isinstance(processed["crashing_thread"], int), name
        assert processed["json_dump"]["modules"], name
        assert not processed["signature"].startswith("EMPTY"), name
        for key in ("reason", "address", "cpu_arch", "os_name"):
            assert processed[key], (name, key)


def test_the_queues_are_empty_afterwards(production):
    assert production.left == NOTHING


def test_postgresql_has_a_report_and_the_processed_crash_of_each(production):
    for crash_id in (*production.submitted, production.plugin):
        processed = production.installation.in_s3(crash_id)
        ((signature, product, success, reason),) = rows(
            production, "SELECT signature, product, success, reason FROM reports WHERE uuid = %s", crash_id
        )
        assert (signature, success) == (processed["signature"], True)
        assert (product, reason) == (processed["product"][:30], processed["reason"][:255])
        (stored,) = rows(production, "SELECT processed_crash FROM processed_crashes WHERE uuid = %s", crash_id)
        assert stored == processed


def test_postgresql_has_the_plugin_of_the_plugins_crash(production):
    found = rows(
        production,
        "SELECT filename, name, version FROM plugins JOIN plugins_reports ON plugins.id = plugin_id WHERE uuid = %s",
        production.plugin,
    )
    assert found == [("album.so", "Album", "7.1")]


def test_postgresql_has_the_symbols_that_were_missed(production):
    for crash_id in production.submitted:
        missed = {(row[0], row[1]) for row in production.installation.in_s3(crash_id)["processing"]["missing_symbols"]}
        stored = rows(production, "SELECT debug_file, debug_id FROM missing_symbols WHERE uuid = %s", crash_id)
        assert set(stored) == missed
    assert rows(production, "SELECT 1 FROM missing_symbols LIMIT 1")


def test_elasticsearch_finds_a_crash_by_its_signature(production):
    for crash_id in production.submitted:
        signature = production.installation.in_s3(crash_id)["signature"]
        found = search(production, query={"term": {"processed_crash.signature.full": signature}})
        assert crash_id in [hit["_id"] for hit in found["hits"]["hits"]]


def test_elasticsearch_counts_crashes_by_product(production):
    counted = search(production, size=0, aggs={"products": {"terms": {"field": "processed_crash.product"}}})
    expected: dict[str, int] = {}
    for crash_id in (*production.submitted, production.plugin):
        product = production.installation.in_s3(crash_id)["product"]
        expected[product] = expected.get(product, 0) + 1
    buckets = {bucket["key"]: bucket["doc_count"] for bucket in counted["aggregations"]["products"]["buckets"]}
    assert buckets == expected


def test_elasticsearch_has_neither_the_stack_nor_personal_data(production):
    for hit in search(production, query={"match_all": {}}, size=50)["hits"]["hits"]:
        assert hit["_source"]["processed_crash"].get("json_dump", {}) == {}
        for key in ("email", "url", "user_id", "exploitability"):
            assert key not in hit["_source"]["processed_crash"]
        for key in ("Email", "URL", "Comments"):
            assert key not in hit["_source"]["raw_crash"]


def test_a_reprocessed_crash_replaces_the_earlier_one_in_every_store(production):
    crash_id = production.plugin
    again = production.installation.in_s3(crash_id)
    assert "earlier processing: " in again["processor_notes"]
    assert again["started_datetime"] > production.first["started_datetime"]
    assert rows(production, "SELECT count(*) FROM reports WHERE uuid = %s", crash_id) == [1]
    assert rows(production, "SELECT count(*) FROM plugins_reports WHERE uuid = %s", crash_id) == [1]
    (hit,) = search(production, query={"ids": {"values": [crash_id]}})["hits"]["hits"]
    assert hit["_source"]["processed_crash"]["started_datetime"] == again["started_datetime"]


def test_statsd_counted_every_save(production):
    saves = len(production.submitted) + 2
    assert production.statsd.counter("processor.save_raw_and_processed") == saves


def test_no_secret_is_in_the_log_or_in_the_printed_configuration(production):
    printed = production.installation.socorro("processor", "--admin.print_conf=ini")
    assert printed.returncode == 0
    secrets = [
        value
        for option, value in production.installation.options.items()
        if "secret" in option and "password" in option
    ]
    secrets.append(production.installation.options["secrets.boto.secret_access_key"])
    for secret in secrets:
        assert secret not in printed.stdout
        assert secret not in production.log
        assert secret not in production.doctor.stdout


def test_the_report_of_a_crash_comes_from_the_production_stores(production):
    shown = production.installation.socorro("show", production.plugin)
    assert shown.returncode == 0, shown.stderr
    assert "lightbox" in shown.stdout
