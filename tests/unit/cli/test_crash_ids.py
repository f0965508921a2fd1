"""Crash ids in the forms in which people copy them."""

import io
from argparse import ArgumentParser
from types import SimpleNamespace

import pytest

from socorro_processor.cli.crash_ids import add_crash_id_arguments, crash_id_of, read_crash_ids
from socorro_processor.errors import InvalidCrashID

CRASH_ID = "6eeb8ac5-9a8e-4b6c-8f31-1f2d40161123"
REPORT = f"https://crash-stats.example.com/report/index/{CRASH_ID}"

FORMS = [
    CRASH_ID,
    f"bp-{CRASH_ID}",
    f"  BP-{CRASH_ID.upper()}\n",
    REPORT,
    f"http://localhost:8000/{CRASH_ID}",
    REPORT.upper(),
    f"{REPORT}/",
    f"{REPORT}?p=1",
    f"{REPORT}#tab-details",
    f"{REPORT}/?date=2016-11-23&x=/a/b#frames",
    f"https://crash-stats.example.com/report/index/bp-{CRASH_ID}",
    f"https://ops@[::1]:8443/a//{CRASH_ID}",
]

INVALID_CRASH_IDS = [
    "",
    "bp-",
    CRASH_ID[:-1],
    f"{CRASH_ID}0",
    f"bp-bp-{CRASH_ID}",
    f"bp {CRASH_ID}",
    f"bp-{CRASH_ID[:-2]}32",
    f"{CRASH_ID}/",
    f"{CRASH_ID}?x=1",
    f"/report/index/{CRASH_ID}",
    f"crash-stats.example.com/report/index/{CRASH_ID}",
    f"ftp://crash-stats.example.com/{CRASH_ID}",
    f"https://{CRASH_ID}",
    f"https://{CRASH_ID}/",
    f"https:///{CRASH_ID}",
    f"https://crash-stats.example.com/report?id={CRASH_ID}",
    f"https://crash-stats.example.com/#{CRASH_ID}",
    f"{REPORT}/frames",
    f"{REPORT}0",
    f"{REPORT}%20",
    f"https://crash-stats.example.com/ {CRASH_ID}",
    f"https://crash-stats.example.com/\n{CRASH_ID}",
    f"{REPORT} {REPORT}",
    f"{REPORT}/../../etc/passwd",
    f"file:///report/index/{CRASH_ID}",
    CRASH_ID.replace("6", "\u0666", 1),
]


@pytest.mark.parametrize("word", FORMS)
def test_each_form_of_a_crash_id_is_the_crash_id(word):
    assert crash_id_of(word) == CRASH_ID


@pytest.mark.parametrize("word", INVALID_CRASH_IDS)
def test_anything_else_is_refused(word):
    with pytest.raises(InvalidCrashID):
        crash_id_of(word)


def test_a_long_word_takes_no_time():
    with pytest.raises(InvalidCrashID):
        crash_id_of("https://h/" + "a/" * 2_000_000 + CRASH_ID[:-1])


def test_arguments_files_and_standard_input_may_use_any_form_and_each_crash_counts_once(tmp_path, monkeypatch, capsys):
    other = CRASH_ID.replace("6eeb", "7eeb")
    (tmp_path / "ids").write_text(f"bp-{CRASH_ID} {REPORT}\nbp-{other}\nbp-nothing\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(f"{REPORT}?a=b\n".encode())))
    parser = ArgumentParser()
    add_crash_id_arguments(parser)
    crash_ids = read_crash_ids(parser.parse_args(["-", REPORT, f"--file={tmp_path}/ids"]))
    assert list(crash_ids.valid) == [CRASH_ID, other]
    assert crash_ids.refused == 1
    assert capsys.readouterr().err.startswith("socorro: bp-nothing: 'bp-nothing' is not a crash id")
