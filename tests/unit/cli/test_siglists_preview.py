"""``socorro siglists preview``: the signatures that other lists would change."""

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
OF_2015 = "socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015"


@pytest.fixture
def lists(tmp_path):
    """Today's lists, and beside them those that are tried, in which `raise` is a prefix, too."""
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


def test_if_nothing_changes_there_are_no_ids(crash, preview):
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


def test_a_signature_of_other_rules_or_lists_is_not_counted_as_a_change(crash, preview):
    code, out, _ = preview(crash("of then", "main"))
    assert code == 0
    assert out == (
        "0 of 1 crashes would change their signature; "
        "1 change with any reprocessing, because their signatures are not by today's lists\n"
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

    # The day may end during the test.
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


def test_text_from_frames_is_safe_to_print(crash, preview, lists):
    (lists.tried / IRRELEVANT).write_text("evil\n")
    assert "\x1b" not in preview(crash("evil\x1b[31m", "evil\x1b[31m", "main"))[1]


def test_another_algorithm_is_tried_without_other_lists(crash, tmp_path, capsys):
    crash_id, same = crash("load(int)", "load(int)"), crash("main", "main")
    root = f"--resource.filesystem.root={tmp_path / 'crashes'}"
    for named in ((f"--processor.processor_class={OF_2015}",), ("--resource.fs.fs_root=of-2016",)):
        code = main(["siglists", "preview", "--algorithm=2026", crash_id, same, "--json", root, *named], environ={})
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        assert json.loads(out)["changes"] == [
            {"before": "load(int)", "after": "load", "count": 1, "crash_ids": [crash_id]}
        ]


def test_options_that_the_algorithm_does_not_have_are_named_and_left_out(crash, tmp_path, capsys):
    crash_id = crash("load(int)", "load(int)")
    rule = "processor.processed_transform.SignatureGenerationRule.c_signature.signature_max_len"
    root = f"--resource.filesystem.root={tmp_path / 'crashes'}"
    assert main(["siglists", "preview", "--algorithm=2026", crash_id, root, f"--{rule}=80"], environ={}) == 0
    out, err = capsys.readouterr()
    assert "1 of 1 crashes would change" in out
    assert err == f"socorro: command line, --{rule}: left out, because there is no option {rule} with this algorithm\n"


def test_rules_that_a_configuration_lists_stay_and_that_is_said(crash, tmp_path, capsys):
    crash_id = crash("load(int)", "load(int)")
    rules = '["own", "", "", "apply_all_rules", "socorro_processor.rules.signature.SignatureGenerationRule"]'
    options = (f"--resource.filesystem.root={tmp_path / 'crashes'}", f"--processor.rule_sets=[{rules}]")
    assert main(["siglists", "preview", "--algorithm=2026", crash_id, *options], environ={}) == 0
    out, err = capsys.readouterr()
    assert "0 of 1 crashes would change" in out
    assert "--processor.rule_sets: the rules that it lists stay" in err


def test_without_lists_and_algorithm_there_is_nothing_to_try(capsys):
    assert main(["siglists", "preview"], environ={}) == 2
    assert "nothing to try: name a directory of signature lists, or an --algorithm" in capsys.readouterr().err


def test_siglists_without_a_subcommand_lists_them(capsys):
    assert main(["siglists"], environ={}) == 2
    assert capsys.readouterr().err == "socorro: siglists needs a command: check, preview\n"


class Silent(FileSystemCrashStorage):
    raw_crash_ids = CrashStorageBase.raw_crash_ids


def test_no_sample_is_taken_of_a_source_that_cannot_list_its_crashes(preview):
    code, out, err = preview(f"--source.crashstorage_class={class_name(Silent)}")
    assert (code, out) == (1, "")
    assert "cannot take a sample" in err


WITH_2026 = "--processor.processor_class=socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"
WITH_2015 = "--processor.processor_class=socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015"


def test_lists_for_names_of_2026_are_tried_with_the_algorithm_of_2026(crash, preview, lists):
    changed = crash("", "yard::raise(int)", "load(char)")
    (lists.tried / PREFIX).write_text("yard::raise$\n")
    code, out, _ = preview("--json", changed, WITH_2026)
    assert code == 0
    (change,) = json.loads(out)["changes"]
    assert (change["before"], change["after"]) == ("yard::raise", "yard::raise | load")


def test_an_entry_that_can_match_no_frame_is_named(crash, preview, lists):
    (lists.tried / PREFIX).write_text(r"yard::raise\(int\)" "\n")
    crash_id = crash("", "yard::raise(int)")
    told = f"{lists.tried / PREFIX}, line 1: "
    assert told in preview(crash_id, WITH_2026)[2]
    assert told not in preview(crash_id, WITH_2015)[2]
