"""Crashes through the real daemon: submit, queue, fetch, transform, save, acknowledge, stop."""

import json
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.shared import REPOSITORY, SAMPLES, shared, stackwalker
from tests.system.daemon import Daemon, eventually

SAMPLE = SAMPLES / "segfault"
NOTHING = {"waiting": 0, "delayed": 0, "in_flight": 0, "parked": 0, "rejected": 0}


@pytest.mark.parametrize("sample", ["segfault", "abort"])
def test_a_sample_crash_goes_all_the_way(installation, sample):
    directory = SAMPLES / sample
    crash_id = installation.submit(directory / "upload_file_minidump.dmp", "--raw-crash", directory / "raw_crash.json")
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    processed = installation.show(crash_id)
    assert processed["success"] is True
    assert processed["product"] == "Lightbox"
    assert processed["version"] == "2.3.1"
    assert "lightbox" in processed["signature"]
    report = installation.socorro("show", crash_id)
    assert report.returncode == 0
    for expected in ("Lightbox", "2.3.1", processed["signature"], processed["reason"], "lightbox"):
        assert expected in report.stdout
    assert installation.queue() == NOTHING
    assert list(installation.temporary.iterdir()) == []


def test_every_real_crash_is_processed_by_four_threads(installation):
    installation.walker(symbols_path=str(shared("symbols")))
    submitted = {}
    for directory in sorted(shared("crashes").iterdir()):
        raw_crash = directory / "raw_crash.json"
        arguments = ["--raw-crash", raw_crash] if raw_crash.exists() else []
        submitted[installation.submit(directory / "upload_file_minidump.dmp", *arguments)] = directory.name
    daemon = installation.start("--producer_consumer.number_of_threads=4")
    eventually(lambda: all(map(installation.is_processed, submitted)), lambda: daemon.log)
    assert daemon.stop() == 0
    for crash_id, name in submitted.items():
        processed = installation.show(crash_id)
        json_dump = processed["json_dump"]
        assert processed["success"] is True, name
        assert isinstance(processed["crashing_thread"], int), name
        assert json_dump["threads"][processed["crashing_thread"]]["frames"], name
        assert json_dump["modules"], name
        for key in ("reason", "address", "cpu_arch", "os_name"):
            assert processed[key], (name, key)
        assert not processed["signature"].startswith("EMPTY"), name
    assert installation.queue() == NOTHING


def test_a_daemon_that_is_killed_loses_nothing(installation):
    dump = SAMPLE / "upload_file_minidump.dmp"
    submitted = [installation.submit(dump) for _ in range(8)]
    for killed in range(3):
        daemon = installation.start()
        eventually(
            lambda least=killed + 1: sum(map(installation.is_processed, submitted)) >= least, lambda: "none saved"
        )
        daemon.process.kill()
        daemon.process.wait()
    daemon = installation.start()
    eventually(lambda: all(map(installation.is_processed, submitted)), lambda: daemon.log)
    eventually(lambda: installation.queue() == NOTHING, lambda: daemon.log)
    assert daemon.stop() == 0
    assert list(installation.temporary.iterdir()) == []


def test_a_daemon_that_is_killed_while_it_tries_its_stackwalker_leaves_nothing(installation, tmp_path):
    pid, walker, temporary = tmp_path / "pid", tmp_path / "hanging-walker", tmp_path / "system-temporary"
    temporary.mkdir()
    walker.write_text(f"#!/bin/sh\necho $$ > {pid}.new; mv {pid}.new {pid}\nexec sleep 600\n")
    walker.chmod(0o755)
    installation.environment["TMPDIR"] = str(temporary)
    installation.walker(command_pathname=str(walker))
    killed = Daemon(installation, ())
    eventually(pid.exists, lambda: killed.log)
    killed.kill()
    installation.walker(command_pathname=str(stackwalker()))
    daemon = installation.start()
    eventually(lambda: not Path("/proc", pid.read_text().strip()).exists())
    assert daemon.stop() == 0
    assert list(installation.temporary.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_a_crash_in_work_is_finished_before_a_clean_stop(installation, slow_walker):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    daemon = installation.start()
    slow_walker.wait_until_it_runs()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for_log("finishing the crashes in work")
    slow_walker.let_it_go_on()
    assert daemon.process.wait(60) == 0
    assert installation.is_processed(crash_id)
    assert installation.queue() == NOTHING


def test_a_second_signal_ends_at_once_and_loses_nothing(installation, slow_walker):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    daemon = installation.start()
    slow_walker.wait_until_it_runs()
    daemon.process.send_signal(signal.SIGINT)
    daemon.wait_for_log("finishing the crashes in work")
    assert daemon.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert slow_walker.is_gone()
    assert not installation.is_processed(crash_id)
    slow_walker.let_it_go_on()
    installation.start().wait_for_log(f"{crash_id} saved")


def test_a_crash_that_does_not_end_in_time_is_given_back(installation, slow_walker):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    daemon = installation.start("--producer_consumer.shutdown_timeout=0.2")
    slow_walker.wait_until_it_runs()
    assert daemon.stop() == 0
    assert slow_walker.is_gone()
    assert installation.queue() == NOTHING | {"waiting": 1}
    assert not installation.is_processed(crash_id)
    assert list(installation.temporary.iterdir()) == []


def test_signature_lists_are_read_again_on_sighup(installation):
    daemon = installation.start()
    daemon.wait_for_log("the processor runs")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log("were read again")
    assert daemon.stop() == 0


def test_a_sighup_while_it_starts_does_not_end_it_and_is_answered_once_it_runs(installation, tmp_path):
    configuration = Path(installation.environment["SOCORRO__ADMIN__CONF"]).read_bytes()
    fifo = tmp_path / "processor.ini"
    os.mkfifo(fifo)
    installation.environment["SOCORRO__ADMIN__CONF"] = str(fifo)
    daemon = Daemon(installation, ())
    try:
        # The pipe is opened once the daemon is about to read it.
        with suppress(BrokenPipeError), fifo.open("wb") as file:
            daemon.process.send_signal(signal.SIGHUP)
            file.write(configuration)
        daemon.wait_for_log("were read again")
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def test_unusable_lists_on_sighup_are_an_error_and_not_counted_as_a_success(installation, tmp_path):
    lists = shutil.copytree(REPOSITORY / "siglists", tmp_path / "siglists")
    daemon = installation.start(f"--resource.signature.siglists_directory={lists}")
    with (lists / "prefix_signature_re.txt").open("a") as file:
        file.write("(((\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log("not all signature lists and reference data could be read again")
    assert "'(((' is not a regular expression" in daemon.log
    assert "were read again" not in daemon.log
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0


def test_a_crash_can_be_processed_without_queue_and_daemon(installation):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    done = installation.socorro("process", crash_id)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{crash_id} lightbox")
    assert installation.show(crash_id)["success"] is True


def test_a_crash_processed_again_keeps_the_earlier_notes(installation):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    assert installation.socorro("process", crash_id, crash_id).returncode == 0
    assert "earlier processing: " in installation.show(crash_id)["processor_notes"]


def test_the_raw_files_of_a_crash_can_be_fetched(installation, tmp_path):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")
    done = installation.socorro("fetch", crash_id, tmp_path / "here")
    assert done.returncode == 0, done.stderr
    dump, raw_crash = sorted((tmp_path / "here").iterdir(), key=lambda path: path.suffix)
    if dump.suffix == ".json":
        dump, raw_crash = raw_crash, dump
    assert dump.read_bytes() == (SAMPLE / "upload_file_minidump.dmp").read_bytes()
    assert json.loads(raw_crash.read_bytes())["ProductName"] == "Lightbox"


@pytest.mark.parametrize("directory", ["hostile"])
def test_damaged_dumps_are_saved_with_what_can_be_read_of_them(installation, directory):
    submitted = [installation.submit(dump) for dump in sorted(shared(directory).iterdir())]
    daemon = installation.start()
    eventually(lambda: all(map(installation.is_processed, submitted)), lambda: daemon.log)
    assert daemon.stop() == 0
    assert sorted(installation.show(crash_id)["mdsw_return_code"] == 0 for crash_id in submitted) == [
        False,
        False,
        True,
    ]
    assert installation.queue() == NOTHING


def test_two_daemons_share_the_work(installation):
    submitted = [installation.submit(SAMPLE / "upload_file_minidump.dmp") for _ in range(6)]
    daemons = [installation.start("--producer_consumer.number_of_threads=1") for _ in range(2)]
    eventually(lambda: all(map(installation.is_processed, submitted)))
    for daemon in daemons:
        assert daemon.stop() == 0
    saved = "".join(daemon.log for daemon in daemons)
    assert all(saved.count(f"{crash_id} saved") == 1 for crash_id in submitted)


def test_the_depths_of_the_queues_are_sent_to_statsd(installation, statsd_server):
    installation.environment["SOCORRO__METRICS__STATSD_HOST"] = statsd_server.host
    installation.environment["SOCORRO__METRICS__STATSD_PORT"] = str(statsd_server.port)
    daemon = installation.start()
    expected = {"processor.queue.waiting.normal:0|g", "processor.queue.parked:0|g", "processor.queue.suspect:0|g"}
    eventually(lambda: expected <= set(statsd_server.lines()))
    assert daemon.stop() == 0
