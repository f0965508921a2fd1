"""``socorro search``, ``search index`` and ``top``, over the embedded stores."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id, today
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage


@pytest.fixture
def store(tmp_path):
    with closing(IndexedFileSystemCrashStorage(defaults(IndexedFileSystemCrashStorage, root=str(tmp_path)))) as store:
        store.setup()
        yield store


@pytest.fixture
def socorro(tmp_path, capsys):
    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, *arguments, f"--resource.filesystem.root={tmp_path}"], environ={})
        return code, *capsys.readouterr()

    return run


def save(store, signature: str | None = "render", hour: int = 0, **fields: object) -> str:
    crash_id = new_crash_id(today())
    moment = f"{today()}T{hour:02}:00:00+00:00"
    crash = {"uuid": crash_id, "date_processed": moment, "product": "Lightbox", "version": "2.3"}
    store.save_processed(crash | {"signature": signature, "processing": {"algorithm": 2026}} | fields)
    return crash_id


def test_found_crashes_are_a_table_the_newest_first(store, socorro):
    first, second = save(store), save(store, "OOM", hour=1)
    code, out, err = socorro("search")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["crash", second, first]
    assert out.splitlines()[1].split()[1:] == [f"{today()}T01:00:00Z", "Lightbox", "2.3", "OOM"]
    assert socorro("search", "signature=render", "product=Lightbox")[1].split()[6] == first


def test_programs_get_an_object_a_line_with_the_fields_that_they_ask_for(store, socorro):
    crash_id = save(store, addons=["a:1"], startup_crash=True, email="ann@example.com", uptime=3)
    fields = "--fields=addons,startup_crash,uptime,date_processed,hang"
    code, out, _ = socorro("search", "--json", fields)
    assert code == 0
    assert json.loads(out) == {
        "crash_id": crash_id,
        "addons": ["a:1"],
        "startup_crash": True,
        "uptime": 3,
        "date_processed": f"{today()}T00:00:00+00:00",
    }
    protected = socorro("search", "email~ann", "--fields=email", "--protected", "--json")[1]
    assert json.loads(protected) == {"crash_id": crash_id, "email": "ann@example.com"}


def test_pages_are_one_list_up_to_the_limit(store, socorro, monkeypatch):
    monkeypatch.setattr("socorro_processor.cli.search.MAXIMUM_PAGE", 4)
    crash_ids = {save(store, hour=hour) for hour in range(10)}
    assert {line.split()[0] for line in socorro("search", "--limit=100")[1].splitlines()[1:]} == crash_ids
    assert len(socorro("search", "--limit=6")[1].splitlines()) == 1 + 6
    assert len(socorro("search", "--limit=6", "--json")[1].splitlines()) == 6


def test_crashes_are_sorted_counted_and_limited_to_days(store, socorro):
    slow, fast = save(store, uptime=9), save(store, uptime=1)
    assert [line.split()[0] for line in socorro("search", "--sort=uptime")[1].splitlines()[1:]] == [fast, slow]
    assert [line.split()[0] for line in socorro("search", "--sort=-uptime")[1].splitlines()[1:]] == [slow, fast]
    assert socorro("search", "--count", "uptime>1")[1] == "1\n"
    assert json.loads(socorro("search", "--count", "--json")[1]) == {"crashes": 2}
    assert socorro("search", "--count", f"--date={today()}")[1] == "2\n"
    assert socorro("search", "--count", "--date=2016-11-23..2016-11-24")[1] == "0\n"
    assert socorro("search", "--count", "--date=..2016-11-24")[1] == "0\n"


def test_facets_are_tables_with_installations(store, socorro):
    for install_time, version in ((1, "1"), (2, "1"), (2, None)):
        save(store, version=version, install_time=install_time)
    code, out, _ = socorro("search", "--facet=version", "--facet=product")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["crashes", "installations", "version"],
        ["2", "2", "1"],
        ["1", "(none)"],
        ["crashes", "installations", "product"],
        ["3", "2", "Lightbox"],
    ]
    rows = [json.loads(line) for line in socorro("search", "--facet=version", "--json")[1].splitlines()]
    assert rows == [
        {"field": "version", "value": "1", "crashes": 2, "installations": 2},
        {"field": "version", "value": None, "crashes": 1},
    ]


def test_the_fields_that_can_be_searched_are_listed(store, socorro):
    lines = socorro("search", "--list-fields")[1].splitlines()
    assert any(line.split()[:3] == ["email", "string", "protected"] for line in lines)
    rows = [json.loads(line) for line in socorro("search", "--list-fields", "--json")[1].splitlines()]
    assert {"field": "product", "type": "string", "access": "public"} in rows


def test_top_ranks_signatures_and_marks_new_ones(store, socorro):
    for number in range(3):
        save(store, "often", install_time=number, os_name="Linux" if number else "Windows NT")
    save(store, None)
    code, out, err = socorro("top")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[1] == ["1", "new", "3", "75.0%", "3", str(today()), "Linux", "67%,", "Windows", "NT", "33%", "often"]
    assert rows[2][:4] == ["2", "new", "1", "25.0%"]
    assert rows[2][-1] == "(none)"
    assert "4 crashes with 2 signatures from" in err
    first = json.loads(socorro("top", "product=Lightbox", "--json", "--limit=1")[1])
    assert (first["signature"], first["rank"], first["crashes"], first["systems"]) == (
        "often",
        1,
        3,
        {"Linux": 2, "Windows NT": 1},
    )
    assert first["days"] == [0, 0, 0, 0, 0, 0, 3]
    code, out, err = socorro("top", "product=Other")
    assert (code, out) == (0, "")
    assert "there was no such crash" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["search", "nothing=1"], "there is no such field"),
        (["search", "product"], "cannot read the filter"),
        (["search", "email?"], "it is protected"),
        (["search", "uptime=soon"], "it is not a whole number"),
        (["search", "--sort=nothing"], "there is no such field"),
        (["search", "--facet=nothing"], "there is no such field"),
        (["search", "--fields=nothing"], "there is no such field"),
        (["top", "nothing=1"], "there is no such field"),
        (["top", "--date=2016-01-01..2026-01-01"], "it must be from 1 to"),
    ],
)
def test_what_cannot_be_searched_is_a_wrong_argument(store, socorro, arguments, why):
    save(store)
    code, out, err = socorro(*arguments)
    assert (code, out) == (2, "")
    assert why in err


@pytest.mark.parametrize("command", ["search", "top"])
def test_without_an_index_the_command_says_what_to_do(socorro, command, tmp_path):
    code, out, err = socorro(command)
    assert (code, out) == (1, "")
    assert "`socorro search index`" in err
    files = f"--destination.crashstorage_class={class_name(FileSystemCrashStorage)}"
    for words in ([command], ["search", "index"]):
        code, _, err = socorro(*words, files)
        assert code == 2
        assert "IndexedFileSystemCrashStorage has one" in err


def test_an_existing_store_is_indexed_and_until_then_the_commands_say_so(socorro, tmp_path):
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path)))) as files:
        files.setup()
        old = save(files)
    with closing(IndexedFileSystemCrashStorage(defaults(IndexedFileSystemCrashStorage, root=str(tmp_path)))) as store:
        new = save(store)
    code, out, err = socorro("search")
    assert new in out
    assert old not in out
    assert "may lack crashes: `socorro search index` adds them" in err
    assert "may lack crashes" in socorro("doctor")[1]
    code, out, err = socorro("search", "index")
    assert code == 0
    assert out == f"the search index in {tmp_path}/search has 2 crashes: 1 added, 0 removed\n"
    code, out, err = socorro("search")
    assert err == ""
    assert old in out
    assert "may lack crashes" not in socorro("doctor")[1]
    built = json.loads(socorro("search", "index", "--anew", "--json")[1])
    assert (built["is_new"], built["crashes"]) == (True, 2)


def test_the_doctor_tells_of_a_store_in_files_that_has_no_index(store, socorro):
    files = f"--destination.crashstorage_class={class_name(FileSystemCrashStorage)}"
    findings = {each["part"]: each for each in json.loads(socorro("doctor", "--json", files)[1])}
    assert "IndexedFileSystemCrashStorage has one" in findings["search"]["note"]
    assert "`socorro search index` makes it" in findings["search"]["note"]
    findings = {each["part"]: each for each in json.loads(socorro("doctor", "--json")[1])}
    assert "search" not in findings
    assert findings["destination"]["note"].startswith("search index of 0 crashes")


def test_a_crash_that_cannot_be_read_is_told_with_the_result(socorro, store, tmp_path):
    crash_id = save(store)
    (tmp_path / "v1" / "processed_crash" / crash_id).write_bytes(b"[]")
    code, out, _ = socorro("search", "index", "--anew")
    assert code == 1
    assert out.endswith("0 added, 0 removed, 1 crash could not be read\n")


def test_texts_of_strangers_are_safe_to_print(store, socorro):
    save(store, "\x1b[2J\n\u202e" * 50, product="\x9bx\r", version="\x1b]0;x\x07", os_name="\u202e\x1b[1m")
    for arguments in (["search"], ["search", "--facet=product"], ["top"]):
        out = socorro(*arguments)[1]
        assert all(line.isprintable() for line in out.splitlines()), arguments
        assert len(out.splitlines()) == 2, arguments
    assert socorro("search", "--json")[1].isascii()


def test_a_removed_crash_is_not_found_any_more(store, socorro):
    kept, removed = save(store), save(store)
    code, out, _ = socorro("remove", removed, "--no-wait")
    assert code == 0
    assert "entry in the search index" in out
    assert [line.split()[0] for line in socorro("search")[1].splitlines()[1:]] == [kept]
