"""The examples of the docs, run as they stand there."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from socorro_processor.pipeline.mozilla_2015 import RULE_SETS
from socorro_processor.pipeline.rule_sets import rule_sets_converter
from tests.shared import REPOSITORY, SAMPLES
from tests.system.walked_page import blocks, pattern_of


def page(name: str) -> str:
    return (REPOSITORY / "docs" / f"{name}.rst").read_text()


def write_examples(name: str, directory: Path) -> None:
    """Write each captioned code block of a page to the file that its caption names."""
    files = [block for block in blocks(page(name)) if block.kind == "file"]
    assert files, f"no captioned code block in {name}"
    for block in files:
        block.write(directory)


SHOWN = """\
...
6e670f69-1bdb-4029-b64a-66ce00261201 saved seconds=0.301 ...
frame          entry
1 a(b) ... line ...
    host:4711
"""


@pytest.mark.parametrize(
    ("printed", "is_shown"),
    [
        (SHOWN, True),
        (
            "5583ba70-075f-4404-88ae-27e4e0261201 saved seconds=12.400 x\nframe   entry\n1 a(b) c, line 9\n  vm:99\n",
            True,
        ),
        ("more\n" + SHOWN + "more\n", True),
        (SHOWN.replace("saved", "parked"), False),
        (SHOWN.replace("a(b)", "a(c)"), False),
        (SHOWN.replace("host:4711", "host:none"), False),
        (SHOWN.replace("frame  ", "a frame  "), False),
        (SHOWN.replace("entry\n", "entry\nmore\n"), False),
        ("", False),
    ],
)
def test_output_matches_a_page_except_for_ids_durations_and_gaps(printed, is_shown):
    assert bool(pattern_of(SHOWN).search(printed)) == is_shown


def test_a_rule_and_a_store_of_an_operators_own_work_as_the_docs_show(installation, tmp_path):
    write_examples("own-rules-and-stores", tmp_path)
    del installation.environment["SOCORRO__RESOURCE__FILESYSTEM__ROOT"]
    del installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"]
    installation.environment["SOCORRO__ADMIN__CONF"] = "own.ini"
    (tmp_path / "annotations.json").write_text(json.dumps({"Album": "Holidays in the mountains, 2016"}))
    done = installation.socorro("setup")
    assert done.returncode == 0, done.stderr

    crash_id = installation.submit(SAMPLES / "segfault" / "upload_file_minidump.dmp", "--raw-crash=annotations.json")
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0

    processed = installation.show(crash_id)
    assert processed["album"] == "Holidays in the moun"
    assert "the album's name was cut" in processed["processor_notes"]
    assert (tmp_path / "socorro-data" / "dashboard" / crash_id).read_text() == processed["signature"]
    assert "save.storage1=" in daemon.log


def test_help_lists_the_options_of_an_operators_own_classes(installation, tmp_path):
    write_examples("own-rules-and-stores", tmp_path)
    done = installation.socorro("processor", "--admin.conf=own.ini", "--help-config")
    assert done.returncode == 0, done.stderr
    assert "--processor.lightbox.AlbumRule.maximum_length=20" in done.stdout
    assert "--destination.storage1.directory=socorro-data/dashboard" in done.stdout


def test_the_page_about_s3_shows_a_usable_configuration(installation, tmp_path):
    write_examples("s3", tmp_path)
    done = installation.socorro("processor", "--admin.conf=s3.ini", "--admin.print_conf=ini")
    assert done.returncode == 0, done.stderr
    assert "bucket_name = telemetry" in done.stdout


@pytest.mark.timeout(1800)  # more than a hundred crashes
def test_the_tour_can_be_followed_and_prints_what_it_shows(clone):
    clone.walk(page("tour"))

    raw_crashes = clone.crashes("raw_crash")
    assert len(raw_crashes) == 102
    assert clone.crashes("processed_crash") == raw_crashes
    (killed,) = (printed for commands, printed in clone.printed_by.items() if commands.startswith("kill -9 $!\n"))
    assert int(re.search(r"^normal +\d+ +\d+ +(\d+)$", killed, re.MULTILINE)[1]) > 0


def test_the_readme_shows_what_make_run_prints_and_where_its_crash_is(clone):
    readme = (REPOSITORY / "README.rst").read_text()
    begin = readme.partition("\nTry it\n")[2].partition("\nThe tests, with all")[0]
    assert [block.kind for block in blocks(begin)] == ["commands", "output"]
    clone.walk(begin)

    told = re.search(
        r"^The crash is in (\S+)\. To see it again, in (\S+):\n    (.*)\n"
        r"In a browser, at http://127\.0\.0\.1:8000/report/(\S+), while this runs:\n    make serve\n"
        r"To walk it again, with its symbols in the local store:\n((?:    .*\n)+)\Z",
        clone.printed,
        re.MULTILINE,
    )
    assert (Path(told[1]), Path(told[2])) == (clone.directory / "socorro-data" / "crashes", clone.directory)
    again = clone.shell.run(told[3])
    assert f"\n{again}\nThe crash is in" in clone.printed
    assert {told[4]} == clone.crashes("processed_crash")
    walked = "".join(map(clone.shell.run, told[5].splitlines()))
    assert ": added, lightbox/" in walked
    assert re.search(r"^[0-9a-f-]{36} lightbox::exif::Directory::find$", walked, re.MULTILINE)
    assert "keeps its earlier result" not in walked


@pytest.mark.parametrize("name", ["own-rules-and-stores", "own-reference-data"])
def test_a_page_on_own_classes_can_be_followed_and_prints_what_it_shows(clone, name):
    clone.shell.run(". .venv/bin/activate")
    # The suites write hundreds of small files, each synced to the disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        clone.shell.run(f"export TMPDIR={directory} PYTEST_ADDOPTS='-o tmp_path_retention_policy=none'")
        clone.walk(page(name))


OWN_QUEUE = """
from types import SimpleNamespace

from socorro_processor.configuration import Namespace
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from tests.unit.crashqueue.machine import MortalOwnerFile, StillHeartbeat


class LightboxQueue(SQLiteCrashQueue):
    required_config = Namespace()
    required_config.add_option("prefix", default="", doc="name of the file")

    def __init__(self, config):
        config.path = f"{config.prefix}.sqlite"
        owner = MortalOwnerFile(Path(f"{config.path}.owners"))
        self.connection = SimpleNamespace(abort=owner.die)
        super().__init__(config, owner=owner, heartbeat=StillHeartbeat())
"""


def test_the_page_on_own_queues_gives_the_suites_what_they_need(tmp_path):
    write_examples("own-queues", tmp_path)
    (tmp_path / "lightbox_queue.py").write_text("from pathlib import Path\n" + OWN_QUEUE)
    chosen = "acked or retry_counts or not_a_crash_id_is_rejected or all_queues_have_work"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_lightbox_queue.py", "-k", chosen],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"},
        capture_output=True,
        text=True,
    )
    assert re.search(r"^5 passed", done.stdout, re.MULTILINE), done.stdout


def test_an_added_rule_set_runs_after_all_rules_that_run_without_it(installation, statsd_server, tmp_path):
    write_examples("own-rules-and-stores", tmp_path)
    (tmp_path / "annotations.json").write_text(json.dumps({"ProductName": "Lightbox", "Album": "Home"}))
    (tmp_path / "socorro-data").mkdir()
    done = installation.socorro("setup", "--admin.conf=own.ini")
    assert done.returncode == 0, done.stderr

    def rules_that_run(ini):
        """Return the rules that run, in their order, by processing a crash."""
        before = len(statsd_server.lines())
        installation.environment["SOCORRO__ADMIN__CONF"] = str(ini)
        crash_id = installation.submit(
            SAMPLES / "segfault" / "upload_file_minidump.dmp", "--raw-crash=annotations.json"
        )
        daemon = installation.start("--metrics.statsd_host=127.0.0.1", f"--metrics.statsd_port={statsd_server.port}")
        daemon.wait_for_log(f"{crash_id} saved")
        assert daemon.stop() == 0
        timed = (re.match(r"processor\.rule\.(\w+):", line) for line in statsd_server.lines()[before:])
        return [found[1] for found in timed if found]

    default = rules_that_run(REPOSITORY / "config" / "processor.ini")
    assert {"ProductRewrite", "FieldsRule", "SystemRule", "SigTrunc2026"} <= {*default}
    assert rules_that_run("own.ini") == [*default, "AlbumRule"]


def test_a_list_of_rule_sets_in_the_docs_is_all_that_runs():
    (text,) = re.findall(r"rule_sets = \'{3}(\[\n.*?)\'{3}", page("own-rules-and-stores"), re.DOTALL)
    listed = rule_sets_converter(RULE_SETS)(text.replace("lightbox_rules.AlbumRule", "")).rule_sets
    assert [rule_set.name for rule_set in listed] == [
        "raw_transform",
        "raw_to_processed_transform",
        "lightbox",
        "processed_transform",
    ]


def test_the_pages_that_the_readme_names_are_there():
    named = re.findall(r"docs/[\w/-]+\.rst", (REPOSITORY / "README.rst").read_text())
    assert len(named) > 10
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
