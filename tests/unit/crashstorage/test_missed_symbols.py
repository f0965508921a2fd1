"""The symbol files that crashes missed, as the stores recorded them."""

from __future__ import annotations

from datetime import date

import pytest

from socorro_processor.configuration import DotDict, Namespace, class_name, defaults
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.missed_symbols import (
    MissedModule,
    ProcessedCrashFiles,
    missed_modules,
    missing_symbols_source,
    most_missed,
)
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import TransientStorageError

XUL = ["xul.pdb", "83CF4DC03621B778E931FC713889E8F10", "xul.dll", None]
NTDLL = ["ntdll.pdb", "C5B5651B46B7612E118339D19A6E66360", "ntdll.dll", "5b8"]


def crash_id(number: int, day: str = "161123") -> str:
    return f"00000000-0000-4000-8000-{number:05}0{day}"


@pytest.fixture
def store(tmp_path):
    return FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))


@pytest.fixture
def source(store):
    return ProcessedCrashFiles(store.config)


def save(store, name: str, rows: object) -> None:
    store.save_processed({"uuid": name, "processing": {"missing_symbols": rows}})


def test_every_crash_says_what_it_missed(store, source):
    save(store, crash_id(1), [XUL, NTDLL])
    save(store, crash_id(2), [])

    assert dict(source.missing_symbols()) == {
        crash_id(1): [MissedModule(*XUL), MissedModule(*NTDLL)],
        crash_id(2): [],
    }


def test_a_crash_that_is_processed_again_counts_once_as_it_was_last(store, source):
    save(store, crash_id(1), [XUL, NTDLL])
    save(store, crash_id(1), [NTDLL])

    assert most_missed(source.missing_symbols()) == [(MissedModule(*NTDLL), 1)]


def test_a_removed_crash_no_longer_counts(store, source):
    store.save_raw_crash({}, {}, crash_id(1))
    save(store, crash_id(1), [XUL])
    store.remove(crash_id(1))

    assert list(source.missing_symbols()) == []


@pytest.mark.parametrize("debug_id", ["0" * 33, "0", ""])
def test_a_module_without_a_debug_id_does_not_count(store, source, debug_id):
    save(store, crash_id(1), [XUL, ["boot.art", debug_id, "boot.art", ""]])

    assert most_missed(source.missing_symbols()) == [(MissedModule(*XUL), 1)]


def test_crashes_of_earlier_days_are_left_out(store, source):
    for day in ("161122", "161123", "161124"):
        save(store, crash_id(1, day), [XUL])

    assert sorted(name for name, _ in source.missing_symbols(date(2016, 11, 23))) == [
        crash_id(1, "161123"),
        crash_id(1, "161124"),
    ]


def test_each_file_of_a_day_comes_once_in_order(store, source):
    save(store, crash_id(1), [XUL, NTDLL])
    save(store, crash_id(2), [XUL])
    save(store, crash_id(1, "161122"), [["other.pdb", "0", None, None]])

    assert list(source.missing_symbols_of(date(2016, 11, 23))) == [MissedModule(*NTDLL), MissedModule(*XUL)]


def test_a_file_that_is_not_a_processed_crash_is_skipped(store, source, tmp_path, caplog):
    save(store, crash_id(1), [XUL])
    directory = tmp_path / "crashes" / "v1" / "processed_crash"
    (directory / ".x.writing").write_text("{")
    (directory / crash_id(2)).write_text("{")

    assert [name for name, _ in source.missing_symbols()] == [crash_id(1)]
    assert len(caplog.messages) == 1
    assert crash_id(2) in caplog.messages[0]


def test_if_nothing_was_processed_nothing_was_missed(source):
    assert list(source.missing_symbols()) == []


def test_a_store_that_cannot_be_listed_is_an_error(source, tmp_path):
    directory = tmp_path / "crashes" / "v1"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "processed_crash").write_text("")

    with pytest.raises(TransientStorageError, match="Not a directory"):
        list(source.missing_symbols())


@pytest.mark.parametrize(
    "processed",
    [
        {},
        {"processing": None},
        {"processing": {"missing_symbols": None}},
        {"processing": {"missing_symbols": [None, "abcd", [], ["a", "b", "c"], [1, "b", None, None], XUL * 2]}},
        {"processing": {"missing_symbols": [["a", "b", 5, None], ["a", "b", None, {}]]}},
    ],
)
def test_an_invalid_row_is_left_out(processed):
    assert missed_modules(processed) == []


def test_the_most_missed_file_comes_first_and_a_crash_counts_once_for_each():
    xul, ntdll = MissedModule(*XUL), MissedModule(*NTDLL)
    other = MissedModule("a.pdb", "1", None, None)

    assert most_missed([("1", [xul, xul, ntdll]), ("2", [ntdll]), ("3", [other])]) == [
        (ntdll, 2),
        (other, 1),
        (xul, 1),
    ]


class Table(CrashStorageBase):
    """A store that keeps the rows in a table of its own."""

    required_config = Namespace()

    def missing_symbols(self, since=None):
        yield crash_id(1), [MissedModule(*XUL)]

    def missing_symbols_of(self, day):
        yield MissedModule(*XUL)


class TestSource:
    def test_crashes_in_files_are_asked(self, store):
        save(store, crash_id(1), [XUL])

        assert list(
            missing_symbols_source(
                DotDict({**store.config, "crashstorage_class": FileSystemCrashStorage})
            ).missing_symbols()
        )

    @pytest.mark.parametrize(
        ("stores", "kind"),
        [
            ((NullCrashStorage, Table, FileSystemCrashStorage), Table),
            ((FileSystemCrashStorage, Table), ProcessedCrashFiles),
            ((NullCrashStorage,), type(None)),
        ],
    )
    def test_the_first_store_that_can_list_missed_symbols_is_asked(self, stores, kind, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        config = defaults(PolyCrashStorage, storage_classes=", ".join(map(class_name, stores)))

        assert type(missing_symbols_source(config)) is kind
