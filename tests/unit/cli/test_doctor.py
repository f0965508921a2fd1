"""``socorro doctor`` and ``socorro setup``, over the embedded configuration."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.fallback import FallbackCrashStorage
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.crashstorage.statsd import StatsdBenchmarkingWrapper, StatsdCounter
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.symbol_cache.directory import CacheDirectory
from tests.poorer_kernel import has_landlock, without_landlock, without_seccomp
from tests.shared import REPOSITORY, SAMPLES, own_stackwalker, require, stackwalker, stock_stackwalker
from tests.symbol_server import SymbolServer, always


@pytest.fixture
def socorro(tmp_path, capsys):
    """Run a command with an installation that has nothing yet; return its exit code and output."""
    options = {
        "resource.filesystem.root": tmp_path / "crashes",
        "new_crash_source.path": tmp_path / "queue.sqlite",
        "app.temporary_directory": tmp_path / "temporary",
        "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path": SAMPLES / "symbols",
        "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname": stackwalker(),
    }

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, *(f"--{key}={value}" for key, value in options.items()), *arguments], environ={})
        return code, *capsys.readouterr()

    return run


def problems(out: str) -> dict[str, str]:
    return {finding["part"]: finding["problem"] for finding in json.loads(out)}


def test_after_setup_the_doctor_finds_no_fault(socorro):
    code, out, _ = socorro("setup")
    assert code == 0
    assert "source: FileSystemCrashStorage has what it needs" in out
    code, out, _ = socorro("doctor", "--json")
    assert set(problems(out).values()) == {""}, out
    assert code == 0


def test_the_doctor_says_which_algorithm_is_used_and_why_and_warns_of_crashes_of_2015_if_none_is_named(
    tmp_path, capsys
):
    def of_algorithm(*options: str) -> dict:
        main(["doctor", "--json", f"--resource.filesystem.root={tmp_path / 'crashes'}", *options], environ={})
        findings = json.loads(capsys.readouterr().out)
        (finding,) = (each for each in findings if each["part"] == "processor.processor_class")
        return finding

    default = of_algorithm()
    assert default["component"] == "ProcessorAlgorithm2026"
    assert (default["note"], default["warnings"]) == ("the default: the configuration has no option of the rules", [])

    crash_id = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"
    stored = tmp_path / "crashes" / "v1" / "processed_crash" / crash_id
    stored.parent.mkdir(parents=True)
    stored.write_text(json.dumps({"uuid": crash_id, "signature": "main"}))
    (warning,) = of_algorithm()["warnings"]
    assert "holds crashes that were signed by the algorithm of 2015" in warning

    older = of_algorithm(f"--{WALKER}.kill_timeout=60")
    assert (older["component"], older["warnings"]) == ("MozillaProcessorAlgorithm2015", [])
    assert older["note"].startswith(f"command line, --{WALKER}.kill_timeout is set, without processor.processor_class")


def test_the_doctor_says_how_much_memory_a_stackwalker_may_use(socorro):
    threads = "--producer_consumer.number_of_threads=2"
    _, out, _ = socorro("doctor", "--json", threads)
    (component,) = (finding["component"] for finding in json.loads(out) if finding["part"] == "processor")
    share = memory_share(2)
    assert component == f"MozillaProcessorAlgorithm2015; a stackwalker may use {share} (memory_limit)"
    # More threads than any machine has memory for.
    _, out, _ = socorro("doctor", "--json", "--producer_consumer.number_of_threads=1000")
    share = memory_share(1000)
    (warnings,) = (finding["warnings"] for finding in json.loads(out) if finding["part"] == "processor")
    assert any("fewer threads" in warning for warning in warnings) is share.is_too_small


WALKER = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"


def of_processor(out: str) -> dict:
    (finding,) = (finding for finding in json.loads(out) if finding["part"] == "processor")
    return finding


@pytest.mark.parametrize(
    ("kernel", "lacks"),
    [(None, []), (without_landlock(), ["landlock"]), (without_seccomp(), ["seccomp"])],
    ids=["this kernel", "a kernel without Landlock", "a kernel without seccomp"],
)
def test_the_doctor_says_which_parts_of_the_stackwalkers_own_sandbox_are_enforced(tmp_path, kernel, lacks):
    require(has_landlock(), "this kernel has no Landlock")
    # It is asked within the sandbox of the rule, which is made without a dump here.
    options = (
        f"--{WALKER}.command_pathname={own_stackwalker()}",
        f"--{WALKER}.sandbox=env DUMP={{dump_file_pathname}}",
    )
    command = [sys.executable, "-c", DOCTOR, "doctor", "--json", *options]
    ended = subprocess.run(command, cwd=tmp_path, preexec_fn=kernel, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = of_processor(ended.stdout)
    said = re.fullmatch(r"the stackwalker's own sandbox: landlock (.+), seccomp (.+)", found["note"])
    assert said
    assert [
        name for name, how in zip(("landlock", "seccomp"), said.groups(), strict=True) if "enforced" not in how
    ] == lacks
    assert found["warnings"] == [
        f"the stackwalker walks without {name} of its own sandbox: not supported by this kernel" for name in lacks
    ]


DOCTOR = """
import sys
from socorro_processor.cli.main import main

sys.exit(main(sys.argv[1:], environ={}))
"""


def test_the_doctor_says_nothing_about_a_sandbox_that_a_stackwalker_does_not_have(socorro):
    code, out, _ = socorro("doctor", "--json", f"--{WALKER}.command_pathname={stock_stackwalker()}")
    assert (code, of_processor(out)["note"], of_processor(out)["warnings"]) == (0, "", [])


def test_the_doctor_warns_of_walks_that_cannot_be_verified(socorro):
    stock = f"--{WALKER}.command_pathname={stock_stackwalker()}"
    code, out, _ = socorro("doctor", "--json", stock, f"--{WALKER}.verify_walks=0.01")
    (warning,) = of_processor(out)["warnings"]
    assert code == 0
    assert warning.startswith("verify_walks is 0.01, but no walk is verified: ")


def test_a_command_line_that_cannot_be_verified_is_a_configuration_error(socorro):
    line = f"--{WALKER}.command_line={{command_pathname}} {{dump_file_pathname}}"
    code, out, _ = socorro("doctor", "--json", line, f"--{WALKER}.verify_walks=0.01")
    assert code == 1
    assert "verify_walks is 0.01, but command_line has no {switches}" in of_processor(out)["problem"]


def test_the_setup_can_be_run_again(socorro):
    assert socorro("setup")[0] == 0
    assert socorro("setup")[0] == 0


def listed(directory: Path) -> dict[str, tuple[int, int]]:
    """Return size and modification time of all files below a directory."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in directory.rglob("*")
        # SQLite counts its readers in it.
        if not path.name.endswith("-shm")
    } | {".": (0, directory.stat().st_mtime_ns)}


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty directory, in which `socorro` is run, and which must stay empty."""
    directory = tmp_path / "fresh"
    for name in ("work", "temporary"):
        (directory / name).mkdir(parents=True)
    monkeypatch.chdir(directory / "work")
    monkeypatch.setattr("tempfile.tempdir", str(directory / "temporary"))
    monkeypatch.setenv("SOCORRO_STACKWALKER", str(stackwalker()))
    return directory


@pytest.mark.parametrize("ini", [True, False])
def test_in_a_fresh_directory_nothing_is_wrong_and_what_will_be_made_is_named(fresh, capsys, ini):
    before = listed(fresh / "work")
    arguments = [f"--admin.conf={REPOSITORY}/config/processor.ini"] if ini else []
    code = main(["doctor", *arguments], environ={})
    out = capsys.readouterr().out
    assert code == 0, out
    assert listed(fresh / "work") == before
    assert list((fresh / "temporary").iterdir()) == []
    data = fresh / "work" / "socorro-data"
    assert out.count(f"     {data}/queue.sqlite will be made\n") == 1
    assert out.count(f"     {data}/crashes will be made\n") == 2
    assert f"     {fresh}/temporary/socorro-processor-{os.getuid()} will be made\n" in out
    assert f"no symbol files were found, so frames have no names: put them in {data}/symbols as <debug file>" in out


def test_the_doctor_changes_nothing_in_a_running_installation(fresh, capsys):
    cache, symbols = Path("cache").absolute(), Path("symbols").absolute()
    options = [f"--resource.symbols.symbol_cache_path={cache}", f"--resource.symbols.sources={symbols}"]
    dump = SAMPLES / "segfault" / "upload_file_minidump.dmp"
    assert main(["setup", *options], environ={}) == 0
    assert main(["submit", str(dump), *options], environ={}) == 0
    symbols.mkdir()
    # Leftovers of killed processes, which the next process will remove.
    left = [
        Path("socorro-data/crashes/v1/.left.0123.writing"),
        Path("cache.staging/0123.part"),
        fresh / "temporary" / f"socorro-processor-{os.getuid()}" / "1-0123.lock",
        fresh / "temporary" / f"socorro-slices-{os.getuid()}" / "1-0123" / "slice",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(left[0], (0, 0))
    queue = Path("socorro-data/queue.sqlite")
    in_use = subprocess.Popen(
        [sys.executable, "-c", QUEUE_USER, str(queue)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        for state in ("closed", "in use", "left by a killed process"):
            if state == "in use":
                in_use.stdin.write("use it\n")
                in_use.stdin.flush()
                assert in_use.stdout.readline() == "in use\n"
            elif state == "left by a killed process":
                in_use.kill()
                in_use.wait()
            assert Path(f"{queue}-wal").exists() == (state != "closed")
            before = listed(fresh)
            code = main(["doctor", *options], environ={})
            # A directory in which another one was made and removed has a new modification time.
            assert {**listed(fresh), "temporary": None} == {**before, "temporary": None}
            assert code == 0, capsys.readouterr().out
    finally:
        in_use.kill()
        in_use.communicate()


QUEUE_USER = """
import sys
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue

sys.stdin.readline()
queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=sys.argv[1]))
queue.submit("one")
print("in use", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no database" * 100, "it is not an SQLite file: name another path"),
        ("PRAGMA user_version = 99", "made by a newer socorro-processor"),
        ("CREATE TABLE theirs (a)", "is another program's SQLite file"),
        (None, "Not a directory"),
    ],
)
def test_an_unusable_queue_is_named_by_its_class_with_what_to_do(fresh, capsys, content, problem):
    path = Path("queue")
    if content is None:
        path.touch()
        path = path / "queue"
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(content)
    before = listed(fresh / "work")
    code = main(["doctor", "--json", f"--new_crash_source.path={path}"], environ={})
    found, *_ = json.loads(capsys.readouterr().out)
    assert (code, found["part"], found["component"]) == (1, "new_crash_source", "SQLiteCrashQueue")
    assert problem in found["problem"]
    assert listed(fresh / "work") == before


def test_tables_that_are_going_to_be_made_are_named(fresh, capsys):
    Path("queue").touch()
    main(["doctor", "--json", "--new_crash_source.path=queue"], environ={})
    found, *_ = json.loads(capsys.readouterr().out)
    assert (found["problem"], found["note"]) == (
        "",
        f"the tables of {fresh}/work/queue will be made or brought up to date",
    )


def test_a_queue_file_that_opening_would_repair_is_not_opened(fresh, capsys):
    Path("queue").touch()
    Path("queue-wal").write_bytes(b"x")
    before = listed(fresh / "work")
    main(["doctor", "--json", "--new_crash_source.path=queue"], environ={})
    found, *_ = json.loads(capsys.readouterr().out)
    assert found["warnings"] == ["cannot examine queue without changing it: -wal or -shm is missing beside it"]
    assert listed(fresh / "work") == before


def test_an_object_with_a_failing_part_is_named_by_its_class(socorro):
    code, out, _ = socorro(
        "doctor",
        "--json",
        f"--source.crashstorage_class={class_name(BotoS3CrashStorage)}",
        "--resource.boto.access_key=without-a-secret",
        "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname=/nowhere/walker",
    )
    assert code == 1
    components = {finding["part"]: finding["component"] for finding in json.loads(out) if finding["problem"]}
    assert components == {"source": "BotoS3CrashStorage", "processor": "MozillaProcessorAlgorithm2015"}


class HasNoCheck(CrashStorageBase):
    """A store of an operator's own."""


UNCHECKED = [NullCrashStorage, StatsdCounter, InMemoryCrashStorage, HasNoCheck]


def test_a_store_without_a_check_is_not_called_healthy(socorro):
    stores = [FileSystemCrashStorage, *UNCHECKED, StatsdBenchmarkingWrapper]
    options = (
        f"--destination.crashstorage_class={class_name(PolyCrashStorage)}",
        f"--destination.storage_classes={', '.join(map(class_name, stores))}",
        f"--destination.storage5.wrapped_crashstore={class_name(NullCrashStorage)}",
    )
    code, out, _ = socorro("doctor", "--json", *options)
    findings = {finding["part"]: finding for finding in json.loads(out)}
    assert code == 0
    assert findings["destination.storage0"]["checked"]
    for number, store in enumerate([*UNCHECKED, StatsdBenchmarkingWrapper], start=1):
        finding = findings[f"destination.storage{number}"]
        assert (finding["checked"], finding["note"]) == (False, f"{store.__name__} has no check")
    _, out, _ = socorro("doctor", *options)
    assert "--   destination.storage1     NullCrashStorage\n     not checked: NullCrashStorage has no check\n" in out


def test_both_stores_of_a_fallback_are_set_up_and_checked(socorro, tmp_path):
    (tmp_path / "file").touch()
    store = class_name(FileSystemCrashStorage)
    options = (
        f"--source.crashstorage_class={class_name(FallbackCrashStorage)}",
        f"--source.primary.storage_class={store}",
        f"--source.primary.root={tmp_path}/file/crashes",
        f"--source.secondary.storage_class={store}",
        f"--source.secondary.root={tmp_path}/old",
    )
    code, _, err = socorro("setup", *options)
    assert code == 1
    assert f"source: primary: cannot make the store in {tmp_path}/file/crashes" in err
    assert (tmp_path / "old" / "v1").is_dir()
    code, out, _ = socorro("doctor", "--json", *options)
    assert code == 1
    assert f"{tmp_path}/file" in problems(out)["source.primary"]
    assert problems(out)["source.secondary"] == ""


@pytest.mark.parametrize(
    ("kept", "option"),
    [
        ("cache", "symbols_path"),
        ("cache/", "symbols_path"),
        ("link", "symbols_path"),
        ("cache/kept", "symbols_path"),
        ("cache", "symbols.sources"),
    ],
)
def test_symbols_that_are_kept_by_hand_cannot_be_in_the_symbol_cache(socorro, tmp_path, kept, option):
    (tmp_path / "cache").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "cache")
    setting = {
        "symbols_path": "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path",
        "symbols.sources": "resource.symbols.sources",
    }[option]
    cache = f"--resource.symbols.symbol_cache_path={tmp_path}/cache"
    code, out, _ = socorro("doctor", "--json", cache, f"--{setting}={tmp_path}/{kept}")
    assert code == 1
    said = f"the symbol cache {tmp_path}/cache contains {tmp_path}/{kept} of {option}"
    assert said in problems(out)["companion_process"]
    code, out, _ = socorro("doctor", "--json", cache, f"--{setting}={tmp_path}")
    assert problems(out)["companion_process"] == ""


def test_each_of_several_stores_is_checked(socorro, tmp_path):
    (tmp_path / "file").touch()
    store = "socorro_processor.crashstorage.filesystem.FileSystemCrashStorage"
    stores = (
        "--destination.crashstorage_class=socorro_processor.crashstorage.poly.PolyCrashStorage",
        f"--destination.storage_classes={store}, {store}",
        f"--destination.storage1.root={tmp_path}/file/crashes",
    )
    assert socorro("setup", *stores)[0] == 1
    code, out, _ = socorro("doctor", "--json", *stores)
    assert code == 1
    assert problems(out)["destination.storage0"] == ""
    assert f"{tmp_path}/file/crashes" in problems(out)["destination.storage1"]


def test_the_text_names_each_fault_and_its_reason(socorro):
    code, out, _ = socorro(
        "doctor", "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname=/nowhere/walker"
    )
    assert code == 1
    assert "bad  processor" in out
    assert "/nowhere/walker" in out
    assert "ok   app.temporary_directory" in out


def of_symbols(out: str) -> list[list[str]]:
    """Component and problem of each finding."""
    parts = ("companion_process", "symbols.sources")
    return [[each["component"], each["problem"]] for each in json.loads(out) if each["part"] in parts]


def test_each_thing_that_rules_lack_is_named_once(socorro):
    code, out, _ = socorro(
        "doctor",
        "--json",
        "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname=/nowhere/walker",
        "--resource.reference.reference_file=/nowhere/reference.json",
    )
    assert code == 1
    walker, reference = sorted(problems(out)["processor"].splitlines())
    assert walker.startswith("/nowhere/walker, which command_pathname names, is not an executable file")
    assert reference == "cannot read reference data /nowhere/reference.json: No such file or directory"


def test_the_symbol_cache_and_each_source_of_symbols_are_checked(socorro, tmp_path):
    socorro("setup")
    with SymbolServer(always(b"", 404)) as server:
        cache, sources = tmp_path / "cache", [str(tmp_path), server.url]
        options = (
            f"--resource.symbols.symbol_cache_path={cache}",
            f"--resource.symbols.sources={','.join(sources)}, {tmp_path}/nowhere",
        )
        code, out, _ = socorro("doctor", "--json", *options)
        assert code == 1
        assert of_symbols(out) == [
            [f"{cache}: 0 directories, no manager runs", ""],
            *([source, ""] for source in sources),
            [f"{tmp_path}/nowhere", f"there is no directory {tmp_path}/nowhere"],
        ]
    code, out, _ = socorro("doctor", *options)
    assert f"bad  symbols.sources          {server.url}" in out


def test_a_symbol_cache_that_cannot_be_written_or_watched_is_named_with_what_to_do(socorro, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    _, out, _ = socorro("doctor", "--json", f"--resource.symbols.symbol_cache_path={tmp_path}/file/cache")
    assert "set companion_process.symbol_cache_path to another directory" in of_symbols(out)[0][1]
    limit = tmp_path / "max_user_watches"
    limit.write_text("3")
    monkeypatch.setattr("socorro_processor.cli.symbol_checks._MAXIMUM_WATCHES", limit)
    cache = CacheDirectory(tmp_path / "cache")
    assert cache.lock()
    option = f"--resource.symbols.symbol_cache_path={cache.path}"
    _, out, _ = socorro("doctor", "--json", option)
    assert of_symbols(out) == [[f"{cache.path}: 1 directories, managed", ""]]
    (cache.path / "a.pdb" / "0").mkdir(parents=True)
    _, out, _ = socorro("doctor", "--json", option)
    cache.close()
    assert "raise the sysctl fs.inotify.max_user_watches" in of_symbols(out)[0][1]


def test_a_disk_with_little_room_is_a_warning_with_what_is_on_it(socorro):
    def of_disks(*options: str) -> dict:
        (finding,) = (each for each in json.loads(socorro("doctor", "--json", *options)[1]) if each["part"] == "disks")
        return finding

    finding = of_disks("--retention.disk_low=1000000G")
    assert finding["problem"] == ""
    (warning,) = finding["warnings"]
    assert re.fullmatch(r"the disks? of crashes, .* is low: .* \(retention\.disk_low\); make room there", warning)
    assert of_disks("--retention.disk_low=1k")["warnings"] == []
