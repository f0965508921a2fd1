"""``socorro siglists preview``: what other lists would change."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.signature.siglists import FILES, IRRELEVANT, PREFIX

DAY = date(2016, 11, 23)


@pytest.fixture
def lists(tmp_path):
    """Today's, and beside them the ones that are tried: `raise` is a prefix too, and says nothing more."""
    today, tried = tmp_path / "today", tmp_path / "tried"
    today.mkdir()
    for name in FILES:
        (today / name).write_text("")
    (today / PREFIX).write_text("abort\n")
    shutil.copytree(today, tried)
    (tried / PREFIX).write_text("abort\nraise\n")
    return SimpleNamespace(today=today, tried=tried)


@pytest.fixture
def store(tmp_path):
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))) as store:
        store.setup()
        yield store


@pytest.fixture
def crash(store):
    def crash(signature: str, *functions: str, day: date = DAY) -> str:
        crash_id = new_crash_id(day)
        frames = [{"function": function} for function in functions]
        json_dump = {"threads": [{"frames": frames}], "crash_info": {"crashing_thread": 0}}
        store.save_raw_crash({}, {}, crash_id)
        store.save_processed({"uuid": crash_id, "signature": signature, "json_dump": json_dump})
        return crash_id

    return crash


@pytest.fixture
def preview(tmp_path, lists, capsys):
    def preview(*arguments: str) -> tuple[int, str, str]:
        options = {
            "resource.signature.siglists_directory": lists.today,
            "source.root": tmp_path / "crashes",
            "destination.root": tmp_path / "crashes",
        }
        command = ["siglists", "preview", str(lists.tried), *arguments]
        return main(
            [*command, *(f"--{key}={value}" for key, value in options.items())], environ={}
        ), *capsys.readouterr()

    return preview


def test_the_signatures_that_would_change_are_shown_the_most_frequent_first(crash, preview):
    ids = [crash("raise", "raise", "load"), crash("raise", "raise", "load"), crash("raise", "raise", "save")]
    crash("abort | main", "abort", "main")

    code, out, err = preview(*ids, crash("main", "main"))
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["crashes", "before", "after"],
        ["2", "raise", "raise", "|", "load"],
        ["1", "raise", "raise", "|", "save"],
        ["3", "of", "4", "crashes", "would", "change", "their", "signature"],
    ]


def test_the_ids_alone_can_be_piped_on(crash, preview):
    changes = [crash("raise", "raise", "load"), crash("raise", "raise", "load")]
    code, out, err = preview("--ids", *changes, crash("main", "main"))
    assert (code, out.splitlines()) == (0, changes)
    assert err == "socorro: 2 of 3 crashes would change their signature\n"


def test_where_nothing_changes_there_are_no_ids(crash, preview):
    assert preview("--ids", crash("main", "main"))[1] == ""


def test_programs_get_an_object(crash, preview):
    changes, stays = crash("raise", "raise", "load"), crash("main", "main")
    assert json.loads(preview("--json", changes, stays)[1]) == {
        "looked_at": 2,
        "changed": 1,
        "outdated": 0,
        "unreadable": 0,
        "changes": [{"before": "raise", "after": "raise | load", "count": 1, "crash_ids": [changes]}],
    }


def test_what_rules_or_lists_of_another_day_signed_is_no_change_of_these_lists(crash, preview):
    code, out, _ = preview(crash("of then", "main"))
    assert code == 0
    assert out == (
        "0 of 1 crashes would change their signature; "
        "1 change with any reprocessing, for today's lists sign them otherwise already\n"
    )


def test_ids_come_from_standard_input_too(crash, preview, monkeypatch):
    ids = [crash("raise", "raise", "load"), crash("main", "main")]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(ids)))
    assert preview("-")[1].endswith("1 of 2 crashes would change their signature\n")


def test_a_file_may_be_a_processed_crash(crash, preview, tmp_path):
    crash_id = crash("raise", "raise", "load")
    assert "1 of 1" in preview(str(tmp_path / "crashes" / "v1" / "processed_crash" / crash_id))[1]


def test_without_crashes_a_sample_of_some_days_is_taken(crash, preview, store):
    for day in (DAY, date(2016, 11, 22), date(2016, 11, 20)):
        for _ in range(3):
            crash("raise", "raise", "load", day=day)
    store.save_raw_crash({}, {}, new_crash_id(DAY))  # not processed

    def looked_at(*arguments: str) -> int:
        return json.loads(preview("--json", "--date=2016-11-23", *arguments)[1])["looked_at"]

    assert looked_at() == 3
    assert looked_at("--days=2") == 6
    assert looked_at("--days=2", "--sample=4") == 4
    assert looked_at("--days=4", "--sample=5") == 5
    changes = json.loads(preview("--json", "--date=2016-11-23", "--days=2", "--sample=2")[1])["changes"]
    assert {crash_id[-6:] for crash_id in changes[0]["crash_ids"]} == {"161123", "161122"}


def test_days_go_up_to_today(crash, preview):
    today = datetime.now(UTC).date()
    for days in range(3):
        crash("raise", "raise", "load", day=today - timedelta(days=days))

    def looked_at(*arguments: str) -> int:
        return json.loads(preview("--json", *arguments)[1])["looked_at"]

    # The day may end meanwhile.
    if datetime.now(UTC).date() == today:
        assert looked_at("--days=1") == 1
        assert looked_at() == 2
        assert looked_at("--days=3") == 3
        assert looked_at(f"--date={today}") == 1


def test_days_without_crashes_are_an_error_that_says_so(preview, store):
    code, out, err = preview("--date=2016-11-23", "--days=2")
    assert (code, out) == (1, "")
    assert "no processed crash of 2016-11-22 to 2016-11-23" in err


def test_a_crash_that_cannot_be_read_is_named_and_the_others_are_looked_at(crash, preview):
    missing = new_crash_id(DAY)
    code, out, err = preview(missing, "no-such-file", crash("raise", "raise", "load"))
    assert code == 1
    assert missing in err
    assert "no-such-file: " in err
    assert "1 of 1 crashes would change" in out


def test_lists_with_mistakes_are_refused_with_each_of_them(preview, lists, crash):
    (lists.tried / PREFIX).write_text("(\n")
    (lists.tried / IRRELEVANT).write_text("[\n")
    code, out, err = preview(crash("main", "main"))
    assert (code, out) == (2, "")
    assert PREFIX in err
    assert IRRELEVANT in err


def test_what_frames_say_is_safe_to_print(crash, preview, lists):
    (lists.tried / IRRELEVANT).write_text("evil\n")
    assert "\x1b" not in preview(crash("evil\x1b[31m", "evil\x1b[31m", "main"))[1]


def test_siglists_alone_says_what_there_is(capsys):
    assert main(["siglists"], environ={}) == 2
    assert capsys.readouterr().err == "socorro: siglists needs a command: check, preview\n"


class Silent(FileSystemCrashStorage):
    raw_crash_ids = CrashStorageBase.raw_crash_ids


def test_of_a_source_that_does_not_list_its_crashes_no_sample_is_taken(preview):
    code, out, err = preview(f"--source.crashstorage_class={class_name(Silent)}")
    assert (code, out) == (1, "")
    assert "no sample can be taken" in err
