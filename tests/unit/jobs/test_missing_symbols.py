"""``socorro cron missing-symbols`` on one machine: crashes in files, and a CSV file in a directory."""

from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import ConfigurationError, TransientStorageError
from socorro_processor.jobs.missing_symbols import JOB
from tests.job_run import JobRun, noon

CRASH = "00000000-0000-4000-8000-000000161123"
ROWS = [["xul.pdb", "83CF1", "xul.dll", None], ["ntdll.pdb", "C5B5", "ntdll.dll", "5b8"]]


@pytest.fixture
def job(tmp_path: Path) -> JobRun:
    root = tmp_path / "crashes"
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(root)))) as store:
        store.save_processed({"uuid": CRASH, "processing": {"missing_symbols": ROWS}})
    options = {"resource.filesystem.root": root, "cron.missing_symbols.directory": tmp_path / "reports"}
    return JobRun(options, noon(2016, 11, 24))


def test_yesterdays_missing_symbols_are_written_to_a_file(job, tmp_path):
    assert job(JOB).succeeded
    (file,) = (tmp_path / "reports" / "missing_symbols").iterdir()
    assert file.name == "20161123.csv"
    assert file.read_text() == (
        "debug_file,debug_id,code_file,code_id\nntdll.pdb,C5B5,ntdll.dll,5b8\nxul.pdb,83CF1,xul.dll,\n"
    )


def test_the_file_has_names_with_any_spaces_but_none_without_a_debug_id_or_with_line_ends(job, tmp_path):
    odd = ["全角\u3000\xa0\u200ex.so", "AB1", None, None]
    rows = [
        odd,
        ["boot.art", "0" * 33, "boot.art", ""],
        ["a\u2028b.so", "AB1", None, None],
        ["a\nb", "AB1", None, None],
    ]
    root = tmp_path / "crashes"
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(root)))) as store:
        store.save_processed({"uuid": CRASH, "processing": {"missing_symbols": rows}})
    assert "2 with impossible names left out" in job(JOB).summary
    (file,) = (tmp_path / "reports" / "missing_symbols").iterdir()
    assert file.read_text() == "debug_file,debug_id,code_file,code_id\n全角\u3000\xa0\u200ex.so,AB1,,\n"


def test_a_day_without_missing_symbols_has_a_file_with_the_headings(job, tmp_path):
    job(JOB, "--date=2016-11-22")
    assert (tmp_path / "reports" / "missing_symbols" / "20161122.csv").read_text().count("\n") == 1


def test_a_day_that_is_not_over_is_refused(job):
    with pytest.raises(ConfigurationError, match="2016-11-24: that day is not over"):
        job(JOB, "--date=2016-11-24")


def test_an_unwritable_directory_is_an_error(job, tmp_path):
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(TransientStorageError, match=r"cannot write .*20161123\.csv"):
        job(JOB)


def test_if_no_store_records_missing_symbols_there_is_nothing_to_do(job):
    outcome = job(JOB, destination__crashstorage_class="socorro_processor.crashstorage.null.NullCrashStorage")
    assert (outcome.succeeded, outcome.summary[:13]) == (True, "nothing to do")
