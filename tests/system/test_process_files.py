"""``socorro process`` with minidumps that are in no store."""

import json
import os
import shutil
import subprocess
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.stackwalk.smallest_minidump import sound_minidump
from tests.shared import SAMPLES, shared, stackwalker
from tests.system.daemon import SOCORRO, Installation, eventually
from tests.terminal import Terminal

SAMPLE = SAMPLES / "segfault"
DUMP = SAMPLE / "upload_file_minidump.dmp"
SIGNATURE = "lightbox::exif::Directory::find"
WITH_SYMBOLS = (f"--symbols={SAMPLES / 'symbols'}", f"--raw-crash={SAMPLE / 'raw_crash.json'}")
OF_ONE_RUN = {"completed_datetime", "completeddatetime", "crash_id", "processing", "started_datetime", "uuid"} | {
    "startedDateTime",
    "processor_notes",
}
"""Fields that differ with each run."""


@pytest.fixture
def process(tmp_path: Path) -> Any:
    """Run the command in an empty directory, without a configuration; it leaves nothing behind there."""
    stackwalker()
    directory = tmp_path / "empty"
    directory.mkdir()

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*SOCORRO, "process", *arguments],
            cwd=directory,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert list(directory.iterdir()) == []
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_minidump_is_walked_to_a_report(process):
    done = process(DUMP, *WITH_SYMBOLS, "--all-threads", "--modules")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1:3] == [f"minidump      {DUMP} (not saved)", f"signature     {SIGNATURE}"]
    assert "product       Lightbox 2.3.1, release, build 20261109101500" in lines
    assert "Crashing thread 3, Thumbnailer #2: 11 frames" in lines
    assert any(line.startswith("Thread 0") for line in lines)
    assert "Modules (symbols: no if no frame asked for them, or nobody has them)" in lines
    assert f"  socorro process {DUMP} {WITH_SYMBOLS[0]}" in lines
    assert "Other" not in lines


def test_without_symbols_and_annotations_there_is_a_report_too(process, tmp_path):
    done = process(DUMP)
    assert done.returncode == 0, done.stderr
    assert "signature     liblightbox_photos.so@0x" in done.stdout
    directory = tmp_path / "empty" / "socorro-data" / "symbols"
    assert f"\nSearched: {directory}. To add symbols, " in done.stdout
    assert f"\n  socorro symbols add PROGRAM {DUMP}\n" in done.stdout
    assert "\ncrashed       not known: the annotations have no CrashTime\n" in done.stdout
    assert "CrashTime is missing" not in done.stdout


@pytest.mark.parametrize(("level", "is_told"), [("INFO", False), ("DEBUG", True)])
def test_at_a_terminal_only_the_debug_log_names_the_stackwalker(tmp_path, level, is_told):
    stackwalker()
    terminal = Terminal(
        *("process", str(DUMP), *WITH_SYMBOLS, f"--logging.level={level}"),
        environment={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        directory=tmp_path,
    )
    try:
        assert terminal.end() == 0
        assert SIGNATURE in terminal.printed
        assert ("the stackwalker is" in terminal.printed) == is_told
    finally:
        terminal.close()


def test_the_processed_crash_is_that_of_the_daemon(process, tmp_path):
    installation = Installation(tmp_path, SAMPLES / "symbols")
    annotations = f"--raw-crash={SAMPLE / 'raw_crash.json'}"
    crash_id = installation.submit(DUMP, annotations)
    daemon = installation.start()
    try:
        eventually(lambda: installation.is_processed(crash_id))
        assert daemon.stop() == 0
    finally:
        installation.close()
    done = process(DUMP, *WITH_SYMBOLS, "--json")
    assert done.returncode == 0, done.stderr
    crash, saved = json.loads(done.stdout), installation.show(crash_id)
    for each in (crash, saved):
        # The stackwalker prints them in no particular order.
        each["json_dump"]["proc_limits"]["limits"].sort(key=itemgetter("name"))
        # Its duration, and the use of indexes.
        own = each["json_dump"].pop("socorro_stackwalk")
        assert own["seconds"]["total"] > 0
        assert own["symbols"]
    assert crash["signature"] == SIGNATURE
    assert crash.keys() == saved.keys()
    assert {name for name in crash if crash[name] != saved[name]} <= OF_ONE_RUN
    for name in ("missing_symbols", "processor_version", "siglists_version", "attempt"):
        assert crash["processing"][name] == saved["processing"][name]
    assert crash["processing"]["durations"].keys() == saved["processing"]["durations"].keys()


def test_symbols_and_their_directory_stay_as_they_are(process, tmp_path):
    symbols = tmp_path / "symbols"
    shutil.copytree(SAMPLES / "symbols", symbols)
    before = sorted(tmp_path.iterdir())
    done = process(DUMP, f"--symbols={symbols}")
    assert f"signature     {SIGNATURE}" in done.stdout
    assert [path for path in tmp_path.iterdir() if path not in before] == [
        tmp_path / f"socorro-processor-{os.getuid()}"
    ]
    assert list((tmp_path / f"socorro-processor-{os.getuid()}").iterdir()) == []


def test_each_file_and_each_dmp_of_a_directory_has_its_report(process, tmp_path):
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    shutil.copy(DUMP, dumps / "-a.dmp")
    (dumps / "b.dmp").write_bytes(sound_minidump())
    (dumps / "c.dmp").write_bytes(b"text")
    done = process(dumps, DUMP)
    assert done.returncode == 1
    reports = [line.partition("      ")[2] for line in done.stdout.splitlines() if line.startswith("minidump ")]
    assert reports == [f"{path} (not saved)" for path in (dumps / "-a.dmp", dumps / "b.dmp", DUMP)]
    assert f"socorro: {dumps}/c.dmp is not a minidump: it begins with b'text', not with b'MDMP'" in done.stderr
    objects = [json.loads(line) for line in process(dumps, "--json").stdout.splitlines()]
    assert [crash["success"] for crash in objects] == [True, True]


def test_further_dumps_of_the_crash_are_walked_with_it(process):
    done = process(DUMP, f"upload_file_minidump_browser={SAMPLES / 'abort' / 'upload_file_minidump.dmp'}", "--json")
    (crash,) = map(json.loads, done.stdout.splitlines())
    assert crash["additional_minidumps"] == ["upload_file_minidump_browser"]
    assert crash["upload_file_minidump_browser"]["json_dump"]["status"] == "OK"


def test_configured_rules_run_and_the_fields_that_they_write_are_shown(process, tmp_path):
    (tmp_path / "own_rules.py").write_text(
        "from socorro_processor.pipeline.rule import Rule\n\n\n"
        "class Album(Rule):\n"
        "    def action(self, crash):\n"
        '        crash.processed["album"] = {"title": crash.raw.get("Album"), "photos": 17}\n'
        "        return True\n"
    )
    (tmp_path / "own.ini").write_text(
        f"[plugins]\npath = {tmp_path}\n[processor]\n"
        """rule_sets = '''["raw_to_processed_transform", ["own", "", "", "apply_all_rules", "own_rules.Album"]]'''\n"""
    )
    (tmp_path / "raw.json").write_text(json.dumps({"Album": "Summer \x1b[31m\n"}))
    done = process(DUMP, f"--admin.conf={tmp_path}/own.ini", f"--raw-crash={tmp_path}/raw.json")
    assert done.returncode == 0, done.stderr
    assert "\nOther\n  album: " in done.stdout
    assert '"photos": 17' in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("name", ["invalid-parameter.dmp", "invalid-range.dmp", "invalid-record-count.dmp"])
def test_the_report_of_a_damaged_minidump_says_so(process, name):
    done = process(shared("hostile") / name)
    assert done.returncode == 0, done.stderr
    assert "result        " in done.stdout
    assert "socorro fetch" not in done.stdout


def test_a_stackwalker_that_is_missing_is_reported(process):
    option = "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname=absent"
    done = process(DUMP, option)
    assert (done.returncode, done.stdout) == (1, "")
    assert "absent" in done.stderr
