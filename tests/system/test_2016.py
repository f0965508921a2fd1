"""The daemon, configured as in 2016: by an ini file, and by names with dots from a shared store."""

from __future__ import annotations

import re

import pytest

from tests.shared import REPOSITORY, SAMPLES, shared, stackwalker
from tests.system.daemon import Installation, eventually
from tests.system.production import production

DIRECTORY = REPOSITORY / "tests" / "unit" / "configuration" / "ini_of_2016"
INI = DIRECTORY / "processor.ini"
SAMPLE = SAMPLES / "segfault"
WALKER = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015."


@pytest.fixture
def of_2016(installation: Installation, statsd_server) -> Installation:
    """An installation whose addresses and directories come from names with dots."""
    installation.environment = {
        "PATH": installation.environment["PATH"],
        "resource.fs.fs_root": str(installation.crashes),
        "new_crash_source.path": str(installation.directory / "queue.sqlite"),
        "app.temporary_directory": str(installation.temporary),
        "resource.statsd.statsd_host": statsd_server.host,
        "resource.statsd.statsd_port": str(statsd_server.port),
        f"{WALKER}symbol_cache_path": str(SAMPLES / "symbols"),
        "companion_process.symbol_cache_path": str(installation.directory / "symbol-cache"),
        "collector.throttler.throttler_class": "socorro.collector.throttler.LegacyThrottler",
    }
    return installation


def submitted(installation: Installation) -> str:
    return installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")


def test_an_ini_file_of_2016_starts_the_processor(of_2016, statsd_server):
    of_2016.environment |= {"admin.conf": str(INI), "destination.storage0.root": str(of_2016.crashes)}
    crash_id = submitted(of_2016)
    daemon = of_2016.start()
    daemon.wait_for_log(f"{crash_id} saved")
    eventually((of_2016.directory / "symbol-cache.state" / "status.json").exists, lambda: daemon.log)
    assert daemon.stop() == 0
    assert of_2016.show(crash_id)["signature"].startswith("lightbox::")
    assert "section [processor], database_hostname: an option of the 2016 processor" in daemon.log
    assert statsd_server.counter("processor.save_raw_and_processed") == 1
    assert len(statsd_server.timings("processor.fs.FileSystemCrashStorage.save_raw_and_processed")) == 1
    assert len(statsd_server.timings("processor.BreakpadStackwalkerRule2015.act")) == 1


def test_names_with_dots_in_the_environment_are_enough_to_start(of_2016, statsd_server):
    of_2016.environment |= {
        "source.crashstorage_class": "socorro.external.fs.crashstorage.FSPermanentStorage",
        "destination.crashstorage_class": "socorro.external.crashstorage_base.PolyCrashStorage",
        "destination.storage_classes": "socorro.external.fs.crashstorage.FSPermanentStorage, "
        "socorro.external.statsd.statsd_base.StatsdCounter",
        "destination.storage1.statsd_prefix": "stage.processor",
        "producer_consumer.number_of_threads": "2",
        "companion_process.symbol_cache_size": "40G",
    }
    crash_id = submitted(of_2016)
    daemon = of_2016.start()
    daemon.wait_for_log(f"{crash_id} saved")
    eventually((of_2016.directory / "symbol-cache.state" / "status.json").exists, lambda: daemon.log)
    assert daemon.stop() == 0
    assert of_2016.show(crash_id)["signature"].startswith("lightbox::")
    assert statsd_server.counter("stage.processor.save_raw_and_processed") == 1


def test_every_metric_goes_to_statsd_if_that_is_configured(of_2016, statsd_server):
    of_2016.environment |= {
        "metrics.statsd_host": statsd_server.host,
        "metrics.statsd_port": str(statsd_server.port),
        "metrics.statsd_prefix": "all",
    }
    crash_id = submitted(of_2016)
    daemon = of_2016.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert statsd_server.counter("all.crash.saved.normal") == 1
    for name in ("fetch", "stackwalk", "rules", "rule.IdentifierRule", "saves"):
        assert len(statsd_server.timings(f"all.{name}")) == 1, name


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1"])
def test_a_statsd_that_is_away_keeps_no_crash_from_being_saved(of_2016, host):
    of_2016.environment |= {
        "admin.conf": str(INI),
        "destination.storage0.root": str(of_2016.crashes),
        "resource.statsd.statsd_host": host,
        "resource.statsd.statsd_port": "1",
        "metrics.statsd_host": host,
        "metrics.statsd_port": "1",
    }
    crash_id = submitted(of_2016)
    daemon = of_2016.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0


def rule_sets_of_the_document() -> str:
    """Return the tuples of the architecture document, with comments."""
    document = (shared("spec") / "document.rst").read_text()
    blocks = re.findall(r"^::\n\n((?: {4}.*\n|\n)+)", document, re.MULTILINE)
    return "".join(block for block in blocks if "apply_" in block)


def test_the_production_of_2016_is_this_production(tmp_path, statsd_server):
    stackwalker()
    statsd = {
        "resource.statsd.statsd_host": statsd_server.host,
        "resource.statsd.statsd_port": str(statsd_server.port),
    }
    with production(tmp_path, **statsd) as installation:
        installation.environment |= {
            "SOCORRO__ADMIN__CONF": str(DIRECTORY / "production.ini"),
            "processor.rule_sets": rule_sets_of_the_document(),
            f"{WALKER}symbol_cache_path": str(SAMPLES / "symbols"),
        }
        crash_id = submitted(installation)
        daemon = installation.start()
        daemon.wait_for_log(f"{crash_id} saved")
        assert daemon.stop() == 0
        processed = installation.in_s3(crash_id)
        assert processed["signature"].startswith("lightbox::")
        assert installation.database.row("reports", crash_id)["signature"] == processed["signature"]
        assert installation.indexes.document(crash_id)["processed_crash"]["signature"] == processed["signature"]
        assert statsd_server.counter("processor.save_raw_and_processed") == 1
        assert "bug" not in daemon.log
