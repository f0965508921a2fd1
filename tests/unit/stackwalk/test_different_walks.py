"""Walks that differ from the reference are kept: bounded, for their owner only, and never at the cost of a crash."""

import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.breakpad import BreakpadStackwalkerRule2015
from socorro_processor.stackwalk import different_walks
from socorro_processor.stackwalk.different_walks import MAXIMUM_NUMBER, DifferentWalk, DifferentWalks
from socorro_processor.stackwalk.stackwalker import OWN_COMMAND_LINE
from tests.shared import SAMPLES, own_stackwalker, stock_stackwalker

MAIN = "upload_file_minidump"
NOW = float(int(time.time()))
DAY = 24 * 3600.0

OWN_SAID = {"status": "OK", "pid": 1, "modules": [], "socorro_stackwalk": {"streams": [7]}}
REFERENCE_SAID = {"status": "OK", "pid": 2, "modules": []}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data" / "different"


def different(number: int = 0, **fields: Any) -> DifferentWalk:
    crash_id = f"0bba61c5-dfc3-43e7-dead-{number:05x}0161123"
    walk = DifferentWalk(crash_id, MAIN, "socorro-stackwalk 1", ".pid: 2 != 1", OWN_SAID, REFERENCE_SAID)
    return walk._replace(**fields)


def keep(walks: DifferentWalks, walk: DifferentWalk, written: float = NOW) -> Path:
    path = walks.keep(walk)
    assert path is not None
    os.utime(path, (written, written))
    return path


# The directory


def test_a_walk_is_kept_whole_in_a_file_that_only_its_owner_can_read(directory: Path) -> None:
    before = os.umask(0)
    try:
        path = DifferentWalks(directory, 7, lambda: NOW).keep(different())
    finally:
        os.umask(before)
    assert path == directory / f"{different().crash_id}.{MAIN}.json"
    assert json.loads(path.read_text()) == {
        "kept": datetime.fromtimestamp(NOW, UTC).isoformat(),
        "crash_id": different().crash_id,
        "dump": MAIN,
        "stackwalker": "socorro-stackwalk 1",
        "difference": ".pid: 2 != 1",
        "own": OWN_SAID,
        "reference": REFERENCE_SAID,
    }
    assert (directory.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_dump_that_differs_again_takes_the_place_of_its_earlier_walks(directory: Path) -> None:
    walks = DifferentWalks(directory, 7)
    walks.keep(different(difference="earlier"))
    path = walks.keep(different(difference="later"))
    assert path is not None
    assert list(directory.iterdir()) == [path]
    assert json.loads(path.read_text())["difference"] == "later"


def test_the_oldest_of_too_many_files_are_removed(directory: Path) -> None:
    walks = DifferentWalks(directory, 7, lambda: NOW)
    paths = [keep(walks, different(number), NOW - 1000 + number) for number in range(MAXIMUM_NUMBER)]
    newest = keep(walks, different(MAXIMUM_NUMBER))
    assert set(directory.iterdir()) == {*paths[1:], newest}


def test_the_oldest_files_are_removed_if_all_are_too_large(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks = DifferentWalks(directory, 7, lambda: NOW)
    paths = [keep(walks, different(number), NOW - 1000 + number) for number in range(3)]
    monkeypatch.setattr(different_walks, "MAXIMUM_TOTAL", 3 * paths[0].stat().st_size)
    newest = keep(walks, different(3))
    assert set(directory.iterdir()) == {*paths[1:], newest}


def test_only_the_difference_of_walks_that_are_too_large_is_kept(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(different_walks, "MAXIMUM_SIZE", 1 << 20)
    large = {**OWN_SAID, "modules": ["x" * 1000] * 1100}
    path = DifferentWalks(directory, 7).keep(different(own=large, difference="." + "d" * 5000))
    assert path is not None
    assert path.stat().st_size < 2000
    kept = json.loads(path.read_text())
    assert (kept["own"], kept["reference"]) == (None, None)
    assert kept["difference"] == "." + "d" * 999
    assert kept["left_out"] == "the walks, which are over 1 MB together"


def test_an_old_file_is_removed_even_if_no_other_comes(directory: Path) -> None:
    now = NOW
    walks = DifferentWalks(directory, 7, lambda: now)
    # If the clock was wrong when a file was written, it must not be kept for ever.
    dated = {NOW - 7.5 * DAY: False, NOW - 6.5 * DAY: True, NOW + 6.5 * DAY: True, NOW + 30 * DAY: False}
    paths = {walks.keep(different(number)): written for number, written in enumerate(dated)}
    for path, written in paths.items():
        assert path is not None
        os.utime(path, (written, written))
    now += 3000
    walks.remove_old()
    assert set(directory.iterdir()) == set(paths), "it looks once an hour"
    now += 3000
    walks.remove_old()
    assert set(directory.iterdir()) == {path for path, written in paths.items() if dated[written]}


def test_unfinished_files_of_a_killed_processor_are_removed_and_foreign_files_stay(directory: Path) -> None:
    directory.mkdir(parents=True)
    name = f"{different().crash_id}.{MAIN}.json"
    left, being_written = directory / f".{name}.0123", directory / f".{name}.4567"
    others = [directory / each for each in ("notes.json", f"{different().crash_id}.dmp", ".profile")]
    link = directory / f"{different(1).crash_id}.{MAIN}.json"
    link.symlink_to("notes.json")
    for path, written in ((left, NOW - 7200), (being_written, NOW - 60), *((each, 0) for each in others)):
        path.touch()
        os.utime(path, (written, written))
    DifferentWalks(directory, 7, lambda: NOW).remove_old()
    assert set(directory.iterdir()) == {being_written, link, *others}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let writes beyond this size of a file fail, like those to a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_without_room_nothing_is_kept_and_that_is_logged_once_until_there_is(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    walks = DifferentWalks(directory, 7)
    for times in (1, 2):
        with room_for(100):
            assert [walks.keep(different()) for _ in range(3)] == [None] * 3
        assert list(directory.iterdir()) == []
        assert [record.levelname for record in caplog.records] == ["WARNING"] * times
        path = walks.keep(different())
        assert path is not None
        path.unlink()


def test_if_nothing_can_be_kept_the_log_says_what_to_do(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory.parent.touch()
    walks = DifferentWalks(directory, 7)
    for _ in range(3):
        walks.remove_old()
        assert walks.keep(different()) is None
    (record,) = caplog.records
    assert f"cannot keep walks that differ in {directory}, or remove them: " in record.getMessage()
    assert "set verify_walks_path to a directory that can be written" in record.getMessage()


def test_without_a_directory_there_is_nothing_to_remove(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    DifferentWalks(directory, 7).remove_old()
    assert not directory.exists()
    assert caplog.records == []


# The rule

_MADE: list[BreakpadStackwalkerRule2015] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _MADE:
        _MADE.pop().close()


def rule(**options: Any) -> BreakpadStackwalkerRule2015:
    _MADE.append(BreakpadStackwalkerRule2015(defaults(BreakpadStackwalkerRule2015, symbols_path="", **options)))
    return _MADE[-1]


@pytest.fixture
def liar(tmp_path: Path) -> str:
    """A program that claims to be the own stackwalker, and walks differently from its reference."""
    path = tmp_path / "liar"
    path.write_text(
        f"""#!/bin/sh
case "$*" in
*--version*) echo "socorro-stackwalk 9.9 (crates)" ;;
*--reference*) echo '{json.dumps(REFERENCE_SAID)}' ;;
*) echo '{json.dumps(OWN_SAID)}' ;;
esac
"""
    )
    path.chmod(0o755)
    return str(path)


def crash_in(directory: Path) -> Crash:
    dump = directory / "dump"
    dump.write_bytes((SAMPLES / "segfault" / "upload_file_minidump.dmp").read_bytes())
    return Crash(new_crash_id(), {}, {MAIN: dump, MAIN + "_browser": dump}, temporary_directory=directory)


def test_the_rule_keeps_each_walk_that_differs_and_says_where(
    liar: str, directory: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted = METRICS.snapshot().counter("stackwalk.differences")
    crash = crash_in(tmp_path)
    walks = rule(command_pathname=liar, verify_walks=1.0, verify_walks_path=str(directory))
    assert walks.act(crash) == (True, True)
    assert METRICS.snapshot().counter("stackwalk.differences") == counted + 2
    assert sorted(each.name for each in directory.iterdir()) == [
        f"{crash.id}.{MAIN}.json",
        f"{crash.id}.{MAIN}_browser.json",
    ]
    path = directory / f"{crash.id}.{MAIN}.json"
    kept = json.loads(path.read_text())
    assert kept.pop("kept")
    assert kept == {
        "crash_id": crash.id,
        "dump": MAIN,
        "stackwalker": "socorro-stackwalk 9.9 (crates)",
        "difference": ".pid: 2 != 1",
        "own": OWN_SAID,
        "reference": REFERENCE_SAID,
    }
    told = f"{crash.id}: the stackwalk differs from the reference: .pid: 2 != 1; kept in {path}"
    assert told in [record.getMessage() for record in caplog.records]


def test_a_crash_goes_on_even_if_a_differing_walk_cannot_be_kept(liar: str, directory: Path, tmp_path: Path) -> None:
    directory.parent.touch()
    crash = crash_in(tmp_path)
    walks = rule(command_pathname=liar, verify_walks=1.0, verify_walks_path=str(directory))
    walks.clean_up()
    assert walks.act(crash) == (True, True)
    assert crash.processed["json_dump"] == OWN_SAID
    assert crash.notes == []


def test_without_a_path_nothing_is_kept_and_differences_are_counted(
    liar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    counted = METRICS.snapshot().counter("stackwalk.differences")
    rule(command_pathname=liar, verify_walks=1.0, verify_walks_path="").act(crash_in(tmp_path))
    assert METRICS.snapshot().counter("stackwalk.differences") == counted + 2
    assert list((tmp_path / "site").iterdir()) == []


def test_files_kept_long_enough_are_removed_at_the_start_and_with_any_walk(
    liar: str, directory: Path, tmp_path: Path
) -> None:
    walks = rule(command_pathname=liar, verify_walks_path=str(directory), verify_walks_days=3)
    old = keep(DifferentWalks(directory, 3), different(), 0)
    walks.clean_up()
    assert not old.exists()
    old = keep(DifferentWalks(directory, 3), different(), 0)
    rule(command_pathname=liar, verify_walks_path=str(directory)).act(crash_in(tmp_path))
    assert not old.exists()


def test_the_own_stackwalker_walks_as_its_reference(directory: Path, tmp_path: Path) -> None:
    verified = METRICS.snapshot().counter("stackwalk.verified")
    rule(command_pathname=str(own_stackwalker()), verify_walks=1.0, verify_walks_path=str(directory)).act(
        crash_in(tmp_path)
    )
    assert METRICS.snapshot().counter("stackwalk.verified") == verified + 2
    assert not directory.exists()


# Nothing to verify


@pytest.mark.parametrize(
    ("command_line", "missing"),
    [
        ("{command_pathname} {dump_file_pathname}", "no {switches}"),
        ("socorro-stackwalk {switches} {dump_file_pathname}", "no {command_pathname}"),
        ("cat {dump_file_pathname}", "no {command_pathname} and no {switches}"),
    ],
)
def test_a_command_line_that_makes_both_walks_the_same_is_refused_at_the_start(command_line: str, missing: str) -> None:
    said = f"verify_walks is 0.01, but command_line has {missing}, "
    with pytest.raises(ConfigurationError) as refused:
        rule(verify_walks=0.01, command_line=command_line)
    assert str(refused.value).startswith(said)
    assert "or set verify_walks to 0" in str(refused.value)
    rule(verify_walks=0.0, command_line=command_line)


def test_a_command_line_with_its_switches_is_verified(liar: str, directory: Path, tmp_path: Path) -> None:
    walks = rule(
        command_pathname=liar,
        command_line=OWN_COMMAND_LINE.to_str(),
        verify_walks=1.0,
        verify_walks_path=str(directory),
    )
    walks.act(crash_in(tmp_path))
    assert len(list(directory.iterdir())) == 2


def test_a_stackwalker_without_a_reference_walk_is_warned_of(caplog: pytest.LogCaptureFixture, liar: str) -> None:
    stock = str(stock_stackwalker())
    rule(command_pathname=liar, verify_walks=0.01).prepare(1)
    rule(command_pathname=stock).prepare(1)
    rule(command_pathname="/nowhere/walker", verify_walks=0.01).prepare(1)
    assert caplog.records == []
    rule(command_pathname=stock, verify_walks=0.01).prepare(1)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"verify_walks is 0.01, but no walk is verified: {stock} is not socorro-stackwalk, the only one that walks "
        "in two ways; `make install` builds it if Rust is installed"
    )
