"""``socorro show``: the source of the crash, and the forms in which it is printed."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from socorro_processor.cli import show
from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, DotDict, defaults
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import (
    CrashIDNotFound,
    InvalidCrashID,
    PermanentStorageError,
    SocorroError,
    TransientStorageError,
)

CRASH_ID = "0bba61c5-dfc3-43e7-dead-8afd20161123"
CRASH = {"uuid": CRASH_ID, "signature": "codec::decode", "email": "ann@example.com", "success": True}


class Store(CrashStorageBase):
    """Returns the crash, or raises the error, that it was made with."""

    def __init__(self, result: ProcessedCrash | Exception) -> None:
        super().__init__(DotDict())
        self.result = result
        self.closed = False

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return {key: value for key, value in self.get_unredacted_processed(crash_id).items() if key != "email"}

    def close(self) -> None:
        self.closed = True


def run(*arguments: str, destination: Store, source: Store | None = None) -> int:
    """Run the command with these two stores in its configuration; without a source, none may be built."""
    parser = argparse.ArgumentParser()
    show.add_arguments(parser)

    def section(store: Store | None) -> dict[str, Callable[[object], Store]]:
        def the_store(config: object) -> Store:
            assert store is not None
            return store

        return {"crashstorage_class": the_store}

    stores = {"destination": section(destination), "source": section(source)}
    configuration = SimpleNamespace(values={**stores, "processor": DotDict()})
    return show.run(parser.parse_args(arguments), cast(Configuration, configuration))


def test_the_report_of_the_destinations_crash_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(CRASH)
    assert run(CRASH_ID, destination=store) == 0
    assert capsys.readouterr().out.startswith(f"crash         {CRASH_ID}\nsignature     codec::decode\n")
    assert store.closed


class NoReads(Store):
    """A store that cannot be read."""

    get_unredacted_processed = CrashStorageBase.get_unredacted_processed


@pytest.mark.parametrize("destination", [Store(CrashIDNotFound(CRASH_ID)), NoReads(CRASH)])
def test_if_the_destination_lacks_the_crash_the_source_is_asked(
    destination: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    stores = destination, Store(CRASH)
    assert run(CRASH_ID, destination=stores[0], source=stores[1]) == 0
    assert "codec::decode" in capsys.readouterr().out
    assert [store.closed for store in stores] == [True, True]


@pytest.mark.parametrize("error", [TransientStorageError("S3 is away"), PermanentStorageError("S3: no JSON")])
def test_a_destination_that_fails_is_named_if_the_source_has_the_crash(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(CRASH_ID, destination=Store(error), source=Store(CRASH)) == 0
    output = capsys.readouterr()
    assert "codec::decode" in output.out
    assert output.err == f"socorro: {error}\n"


def test_a_crash_that_no_store_has_is_an_error_that_says_what_to_do() -> None:
    not_found = CrashIDNotFound(CRASH_ID)
    with pytest.raises(
        CrashIDNotFound, match=f"no processed crash {CRASH_ID} was found in Store; .* `socorro process {CRASH_ID}`"
    ):
        run(CRASH_ID, destination=Store(not_found), source=Store(not_found))


def test_stores_that_are_away_are_named_in_the_error() -> None:
    stores = Store(TransientStorageError("S3 is away")), Store(CrashIDNotFound(CRASH_ID))
    with pytest.raises(TransientStorageError, match=f"no processed crash {CRASH_ID} was found in Store; S3 is away$"):
        run(CRASH_ID, destination=stores[0], source=stores[1])


def test_an_error_of_both_stores_is_reported_once() -> None:
    stores = Store(TransientStorageError("the disk is away")), Store(TransientStorageError("the disk is away"))
    with pytest.raises(SocorroError, match=r"was found; the disk is away$"):
        run(CRASH_ID, destination=stores[0], source=stores[1])


def test_an_invalid_crash_id_reaches_no_store() -> None:
    with pytest.raises(InvalidCrashID):
        run("../../etc/passwd", destination=Store(AssertionError("the store was asked")))


def test_a_crash_id_may_come_in_upper_case_with_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f" {CRASH_ID.upper()} ", destination=Store(CRASH)) == 0


def test_json_is_the_whole_crash_on_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CRASH_ID, "--json", destination=Store(CRASH)) == 0
    output = capsys.readouterr().out
    assert json.loads(output) == CRASH
    assert output.count("\n") == 1


def test_a_redacted_crash_is_without_what_is_forbidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CRASH_ID, "--json", "--redacted", destination=Store(CRASH)) == 0
    assert "email" not in json.loads(capsys.readouterr().out)


def test_all_threads_and_modules_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    json_dump = {"threads": [{"frames": [{"function": "poll"}]}], "modules": [{"filename": "libz.so"}]}
    store = Store(CRASH | {"json_dump": json_dump})
    run(CRASH_ID, destination=store)
    output = capsys.readouterr().out
    assert ("poll" in output, "libz.so" in output) == (False, False)
    run(CRASH_ID, "--all-threads", "--modules", destination=store)
    output = capsys.readouterr().out
    assert ("poll" in output, "libz.so" in output) == (True, True)


def test_registers_of_the_thread_that_crashed_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [{"function": "f", "registers": {"rax": "0x1", "rip": "0x2"}}]
    json_dump = {"crash_info": {"crashing_thread": 0}, "threads": [{"frames": frames}]}
    store = Store(CRASH | {"json_dump": json_dump})
    run(CRASH_ID, destination=store)
    assert "Registers" not in capsys.readouterr().out
    run(CRASH_ID, "--registers", destination=store)
    assert "\nRegisters of its topmost frame\n  rax  0x1  rip  0x2\n" in capsys.readouterr().out


@pytest.mark.parametrize("hostile", ["\x1b[2J\x7f\x9b", "\u202e\ud800\0", float("nan"), 2**70, {1: b"\xff"}])
def test_json_is_printable_ascii_whatever_the_crash_holds(hostile: Any) -> None:
    text = show.as_json({"signature": hostile, "uuid": CRASH_ID}, indent=2)
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text)["uuid"] == CRASH_ID
    assert text.startswith('{\n  "')


# Through the command


@pytest.fixture
def crashes(tmp_path: Path) -> Path:
    """Return the directory of a store that has the crash."""
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))
    store.save_processed(CRASH)
    store.close()
    return tmp_path / "crashes"


def socorro_show(crashes: Path, *arguments: str) -> int:
    return main(["show", f"--resource.filesystem.root={crashes}", *arguments], {})


def test_the_command_prints_the_report(crashes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert socorro_show(crashes, CRASH_ID) == 0
    output = capsys.readouterr()
    assert output.out.startswith(f"crash         {CRASH_ID}\nsignature     codec::decode\n")
    assert output.err == ""


def test_the_command_prints_the_crash_as_json(crashes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert socorro_show(crashes, "--json", CRASH_ID) == 0
    assert json.loads(capsys.readouterr().out) == CRASH


def test_the_command_reports_a_missing_crash(crashes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = CRASH_ID.replace("0bba61c5", "ffffffff")
    assert socorro_show(crashes, unknown) == 1
    output = capsys.readouterr()
    assert output.out == ""
    place = f"FileSystemCrashStorage in {crashes}"
    assert output.err.startswith(f"socorro: no processed crash {unknown} was found in {place}; ")


@pytest.mark.parametrize("crash_id", ["0bba61c5", "../../etc/passwd", ""])
def test_the_command_refuses_an_invalid_crash_id(
    crashes: Path, crash_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert socorro_show(crashes, crash_id) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"socorro: '{crash_id}' is not a crash id: ")


def test_a_configuration_file_that_does_not_exist_is_an_error_of_the_configuration(
    crashes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = crashes / "absent.ini"
    assert socorro_show(crashes, f"--admin.conf={absent}", CRASH_ID) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"socorro: cannot read {absent}: No such file or directory\n"
