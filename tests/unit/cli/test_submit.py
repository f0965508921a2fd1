"""``socorro submit`` of one crash, of several, of directories, and of files that are not minidumps."""

import json
import sqlite3
from contextlib import closing

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.stackwalk.smallest_minidump import sound_minidump

MAIN = "upload_file_minidump"
MINIDUMP = sound_minidump()


@pytest.fixture
def site(tmp_path, capsys, monkeypatch):
    """Run ``socorro submit`` in a directory with three minidumps, one of them in a subdirectory, and a text file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dumps" / "deep").mkdir(parents=True)
    for name in ("a.dmp", "b", "dumps/d.dmp", "dumps/deep/c.DMP"):
        (tmp_path / name).write_bytes(MINIDUMP + name.encode())
    (tmp_path / "dumps" / "notes.txt").write_text("no dump")
    (tmp_path / "text.dmp").write_text("Minidump? No.")
    (tmp_path / "empty.dmp").touch()
    return Site(capsys, tmp_path / "socorro-data" / "crashes")


class Site:
    def __init__(self, capsys, root):
        self.capsys = capsys
        self.root = root
        self.store = FileSystemCrashStorage(defaults(FileSystemCrashStorage))

    def submit(self, *arguments: str) -> tuple[int, list[str], str]:
        """Return the exit code, output and error output."""
        code = main(["submit", *arguments], environ={})
        out, err = self.capsys.readouterr()
        return code, out.splitlines(), err

    def dumps(self, crash_id: str) -> dict[str, bytes]:
        """Return the annotations by name, without those that all crashes share."""
        dumps = self.store.get_raw_dumps(crash_id)
        return {name: content.removeprefix(MINIDUMP) for name, content in dumps.items()}

    def waiting(self) -> int:
        with closing(SQLiteCrashQueue(defaults(SQLiteCrashQueue))) as queue:
            return sum(depth.waiting for depth in queue.depths().queues.values())

    def stored(self) -> list[str]:
        return [crash.crash_id for crash in self.store.newest(1000)]


def test_each_file_is_a_crash_of_its_own(site):
    code, crash_ids, err = site.submit("a.dmp", "b")
    assert (code, err) == (0, "")
    assert [site.dumps(crash_id) for crash_id in crash_ids] == [{MAIN: b"a.dmp"}, {MAIN: b"b"}]
    assert site.waiting() == 2


def test_in_a_directory_each_dmp_file_and_no_other_is_a_crash(site):
    code, crash_ids, err = site.submit("dumps", "a.dmp")
    assert (code, err) == (0, "")
    assert [site.dumps(crash_id) for crash_id in crash_ids] == [
        {MAIN: b"dumps/d.dmp"},
        {MAIN: b"dumps/deep/c.DMP"},
        {MAIN: b"a.dmp"},
    ]


def test_annotations_are_those_of_each_crash(site, tmp_path):
    (tmp_path / "raw.json").write_text('{"ProductName": "Lightbox", "uuid": "x"}')
    _, crash_ids, _ = site.submit("a.dmp", "b", "--raw-crash=raw.json")
    raw_crashes = list(map(site.store.get_raw_crash, crash_ids))
    assert [raw["ProductName"] for raw in raw_crashes] == ["Lightbox"] * 2
    assert [raw["uuid"] for raw in raw_crashes] == crash_ids


@pytest.mark.parametrize(
    ("arguments", "dumps"),
    [
        (["a.dmp", f"{MAIN}_browser=b"], {MAIN: b"a.dmp", f"{MAIN}_browser": b"b"}),
        ([f"{MAIN}_browser=b", "a.dmp"], {MAIN: b"a.dmp", f"{MAIN}_browser": b"b"}),
        ([f"{MAIN}=a.dmp", f"{MAIN}_flash1=b"], {MAIN: b"a.dmp", f"{MAIN}_flash1": b"b"}),
        ([f"{MAIN}_browser=b"], {f"{MAIN}_browser": b"b"}),
        (["a.dmp", "memory_report=dumps/notes.txt"], {MAIN: b"a.dmp", "memory_report": b"no dump"}),
    ],
)
def test_with_names_all_files_are_dumps_of_one_crash(site, arguments, dumps):
    code, crash_ids, err = site.submit(*arguments)
    assert (code, err) == (0, "")
    assert [site.dumps(crash_id) for crash_id in crash_ids] == [dumps]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["a.dmp", "b", f"{MAIN}_browser=b"], 2, "names a dump of one crash"),
        (["dumps", f"{MAIN}_browser=b"], 2, "names a dump of one crash"),
        (["a.dmp", f"{MAIN}=b"], 1, f"two dumps have the same name, {MAIN}"),
        (["a.dmp", "x=b", "x=a.dmp"], 1, "two dumps have the same name, x"),
        (["a.dmp", "absent.dmp"], 1, "cannot read absent.dmp: no such file"),
        (["a.dmp", "x=absent"], 1, "cannot read absent: no such file"),
        (["a.dmp", "x=dumps"], 1, "cannot read dumps: it is not a regular file"),
        (["a.dmp", "x\x1b=absent"], 1, "is not a dump name"),
        (["a.dmp", "dumps/deep/none"], 1, "cannot read dumps/deep/none: no such file"),
    ],
)
def test_unclear_or_missing_arguments_are_reported_before_anything_is_submitted(site, arguments, code, told):
    ended, out, err = site.submit(*arguments)
    assert (ended, out) == (code, [])
    assert told in err
    assert err.isprintable() or err.rstrip("\n").isprintable()
    assert not site.root.exists()


def test_a_directory_without_minidumps_is_reported(site, tmp_path):
    (tmp_path / "none").mkdir()
    assert site.submit("none") == (1, [], "socorro: there is no *.dmp below none\n")


@pytest.mark.parametrize(
    ("file", "reason"),
    [("text.dmp", "it begins with b'Mini', not with b'MDMP'"), ("empty.dmp", "it is empty")],
)
def test_a_file_that_is_not_a_minidump_is_refused_unless_forced(site, file, reason):
    assert site.submit(file) == (1, [], f"socorro: {file} is not a minidump: {reason}\n")
    assert site.submit("a.dmp", f"{MAIN}_browser={file}") == (1, [], f"socorro: {file} is not a minidump: {reason}\n")
    assert not site.root.exists()
    code, crash_ids, _ = site.submit(file, "--any-file")
    assert code == 0
    assert site.stored() == crash_ids


def test_a_refused_file_keeps_no_other_from_being_submitted(site, tmp_path):
    (tmp_path / "dumps" / "deep" / "\x1b[31m.dmp").write_bytes(b"GIF8")
    code, crash_ids, err = site.submit("dumps", "text.dmp", "a.dmp")
    assert code == 1
    assert len(crash_ids) == site.waiting() == 3
    assert err.splitlines() == [
        "socorro: dumps/deep/\\x1b[31m.dmp is not a minidump: it begins with b'GIF8', not with b'MDMP'",
        "socorro: text.dmp is not a minidump: it begins with b'Mini', not with b'MDMP'",
    ]


def test_programs_are_told_which_crash_each_file_became(site):
    code, lines, _ = site.submit("a.dmp", "b", "--json", "--queue=priority")
    assert code == 0
    objects = [json.loads(line) for line in lines]
    assert [each["dumps"] for each in objects] == [{MAIN: "a.dmp"}, {MAIN: "b"}]
    assert [each["queue"] for each in objects] == ["priority"] * 2
    assert sorted(each["crash_id"] for each in objects) == sorted(site.stored())


def test_if_the_queue_is_away_the_command_says_how_many_were_submitted(site):
    site.submit("a.dmp")
    with closing(sqlite3.connect("socorro-data/queue.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, out, err = site.submit("b", "a.dmp", "--new_crash_source.busy_timeout=0.1")
    assert (code, out) == (1, [])
    first, second = err.splitlines()
    assert first == "socorro: 0 of 2 crashes were submitted; the first that was not: b"
    assert "is in the store, but in no queue" in second
