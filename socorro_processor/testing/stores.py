"""Suites for a store, from one that is only written to, to one that the processor reads crashes from."""

from __future__ import annotations

import copy
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.crash_id import crash_date, new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.crashstorage.objects import MAXIMUM_DUMPS, ObjectCrashStorage
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    InvalidCrashID,
    MalformedCrash,
    PermanentStorageError,
)
from socorro_processor.serialization import encode

MAXIMUM_DUMP_SIZE = 10_000_000
MAXIMUM_CRASH_SIZE = 2_000_000
"""The limit of a raw crash, and of a processed one."""

LIMITS = {
    "maximum_dump_size": MAXIMUM_DUMP_SIZE,
    "maximum_total_dump_size": 2 * MAXIMUM_DUMP_SIZE,
    "maximum_raw_crash_size": MAXIMUM_CRASH_SIZE,
    "maximum_processed_crash_size": MAXIMUM_CRASH_SIZE,
}
"""Options of every ObjectCrashStorage, with which ``ObjectStoreSuite`` tests sizes."""

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
RAW = {"ProductName": "Lightbox", "Version": "1.0", "dump_checksums": {MAIN_DUMP: "d41d"}, "submitted": 3}
PROCESSED = {"uuid": CRASH, "signature": "main", "email": "a@example.com", "json_dump": {"threads": [], "sensitive": 1}}
BROWSER_DUMP = "upload_file_minidump_browser"
DUMPS = {MAIN_DUMP: b"MDMP main", BROWSER_DUMP: b"MDMP browser"}

INVALID_CRASH_IDS = [
    "",
    "../x",
    "/etc/passwd",
    "a\0b",
    "x" * 300,
    CRASH + "\n",
    CRASH.upper(),
    CRASH[:-2] + "32",
    f"../{CRASH}",
]
INVALID_DUMP_NAMES = [
    "",
    "../x",
    "/etc/passwd",
    "a\0b",
    "x" * 300,
    ".",
    "..",
    "a/b",
    "-x",
    "a\nb",
    "\ud800",
    "processed_crash",
    "raw_crash",
    "dump_names",
    "dump",
]


def contents(files: dict[str, Path]) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files.items()}


READS: dict[str, Callable[[CrashStorageBase, str, Path], object]] = {
    "raw crash": lambda store, crash_id, directory: store.get_raw_crash(crash_id),
    "main dump": lambda store, crash_id, directory: store.get_raw_dump(crash_id),
    "dumps": lambda store, crash_id, directory: store.get_raw_dumps(crash_id),
    "files": lambda store, crash_id, directory: store.get_raw_dumps_as_files(crash_id, directory),
    "processed": lambda store, crash_id, directory: store.get_processed(crash_id),
    "unredacted": lambda store, crash_id, directory: store.get_unredacted_processed(crash_id),
    "remove": lambda store, crash_id, directory: store.remove(crash_id),
}

CALLS = READS | {"held": lambda store, crash_id, directory: store.held(crash_id)}

LISTS: dict[str, Callable[[CrashStorageBase, str, Path], object]] = {
    "raw crashes of a day": lambda store, crash_id, directory: list(store.raw_crash_ids(crash_date(crash_id))),
    "missing": lambda store, crash_id, directory: store.missing_processed([crash_id]),
    "held": lambda store, crash_id, directory: store.held(crash_id),
}


def is_permanent(error: BaseException) -> bool:
    """Return True if the error, or each error of a poly store, is permanent."""
    return all(isinstance(each, PermanentStorageError) for each in getattr(error, "failures", {"": error}).values())


DAY = date(2016, 11, 23)


class SavingSuite:
    """The tests of any store, even of one that is only written to.

    The subclass implements ``new_store``.

        class TestDashboardList(SavingSuite):
            def new_store(self, directory):
                return DashboardList(defaults(DashboardList, directory=str(directory / "dashboard")))

    Fixture for your own tests in the subclass: ``store``, a new one for each test.

    The suite checks: ``save_raw_and_processed`` may be called again for the same crash, by many threads, and with
    values that JSON cannot hold; it does not change its arguments; an invalid crash id raises InvalidCrashID before
    any file is written below ``directory``; ``check`` of a usable store raises nothing.
    """

    def new_store(self, directory: Path) -> CrashStorageBase:
        """Return an empty store. It may keep files in ``directory``, which does not exist yet."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[CrashStorageBase]:
        store = self.new_store(tmp_path / "store")
        yield store
        store.close()

    @pytest.mark.parametrize("crash_id", INVALID_CRASH_IDS)
    def test_an_invalid_crash_id_is_not_saved(self, store: CrashStorageBase, tmp_path: Path, crash_id: str) -> None:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InvalidCrashID):
            store.save_raw_and_processed(RAW, DUMPS, PROCESSED | {"uuid": crash_id}, crash_id)
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_crash_may_be_saved_again_by_many_threads_at_once(self, store: CrashStorageBase) -> None:
        crash_ids = [CRASH, CRASH, *(new_crash_id(DAY) for _ in range(20))]

        def save(crash_id: str) -> None:
            for _ in range(3):
                store.save_raw_and_processed(RAW, DUMPS, PROCESSED | {"uuid": crash_id}, crash_id)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(save, crash_ids))

    def test_a_store_does_not_change_its_arguments(self, store: CrashStorageBase) -> None:
        arguments = (
            copy.deepcopy(RAW) | {"odd": "\ud800"},
            dict(DUMPS),
            copy.deepcopy(PROCESSED) | {"odd": float("inf")},
        )
        before = copy.deepcopy(arguments)
        store.save_raw_crash(arguments[0], arguments[1], CRASH)
        store.save_raw_and_processed(*arguments, CRASH)
        store.save_processed(arguments[2])
        assert arguments == before

    def test_a_store_that_can_be_used_says_so(self, store: CrashStorageBase) -> None:
        store.check()


class JSONStoreSuite(SavingSuite):
    """The tests of a store that returns raw crashes and processed crashes, but no dumps.

    The subclass is as for ``SavingSuite``. The suite also checks: a saved crash comes back, the newer one if it is
    saved twice, and as a copy; forbidden keys are kept, and left out by ``get_processed``.
    """

    def test_a_raw_crash_comes_back_as_it_was_saved(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        assert store.get_raw_crash(CRASH) == RAW

    def test_a_processed_crash_comes_back_as_it_was_saved(self, store: CrashStorageBase) -> None:
        store.save_processed(PROCESSED)
        assert store.get_unredacted_processed(CRASH) == PROCESSED

    def test_forbidden_keys_are_kept_and_left_out_of_get_processed(self, store: CrashStorageBase) -> None:
        store.save_processed(PROCESSED)
        assert store.get_processed(CRASH) == {"uuid": CRASH, "signature": "main", "json_dump": {"threads": []}}
        assert store.get_unredacted_processed(CRASH) == PROCESSED

    def test_a_retry_saves_as_the_first_attempt_would_have(self, store: CrashStorageBase) -> None:
        store.limited_to(["some other store"]).save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
        assert store.get_unredacted_processed(CRASH) == PROCESSED

    def test_saving_twice_keeps_one_crash_the_newer(self, store: CrashStorageBase) -> None:
        store.save_processed(PROCESSED | {"signature": "old"})
        store.save_processed(PROCESSED | {"signature": "new"})
        assert store.get_unredacted_processed(CRASH)["signature"] == "new"

    def test_a_store_returns_copies(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        store.save_processed(PROCESSED)
        store.get_raw_crash(CRASH).clear()
        store.get_unredacted_processed(CRASH)["json_dump"].clear()
        store.get_processed(CRASH)["json_dump"].clear()
        assert store.get_raw_crash(CRASH) == RAW
        assert store.get_unredacted_processed(CRASH) == PROCESSED

    @pytest.mark.parametrize("processed_crash", [{}, {"uuid": None}, {"uuid": 7}, {"uuid": [CRASH]}])
    def test_a_processed_crash_without_a_crash_id_is_refused(
        self, store: CrashStorageBase, processed_crash: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidCrashID):
            store.save_processed(processed_crash)

    def test_values_that_json_cannot_hold_are_mended_when_they_are_saved(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW | {"odd": "\ud800"}, {}, CRASH)
        store.save_processed(PROCESSED | {"odd": float("nan")})
        assert store.get_raw_crash(CRASH)["odd"] == "\ufffd"
        assert store.get_unredacted_processed(CRASH)["odd"] is None


class StoreSuite(JSONStoreSuite):
    """The tests of a store that can be a source: it has all methods of ``CrashStorageBase``.

    The subclass is as for ``SavingSuite``. The suite also checks: dumps, as bytes and as files; a newer raw crash
    replaces the dumps, too; crashes are kept apart; a missing crash raises CrashIDNotFound; removal; invalid names of
    dumps are refused; the raw crashes of a day, and those without a processed one; no reader ever sees half an object;
    use by eight threads.
    """

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        directory = tmp_path / "dumps"
        directory.mkdir()
        return directory

    def test_dumps_come_back_as_they_were_saved(self, store: CrashStorageBase, directory: Path) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        assert store.get_raw_dumps(CRASH) == DUMPS
        assert contents(store.get_raw_dumps_as_files(CRASH, directory)) == DUMPS
        assert store.get_raw_dump(CRASH) == store.get_raw_dump(CRASH, MAIN_DUMP) == DUMPS[MAIN_DUMP]
        assert store.get_raw_dump(CRASH, BROWSER_DUMP) == DUMPS[BROWSER_DUMP]

    def test_dumps_may_be_given_as_files(self, store: CrashStorageBase, directory: Path, tmp_path: Path) -> None:
        dumps: dict[str, Any] = {}
        for name, data in {**DUMPS, "large": b"0123456789abcdef" * 200_000, "empty": b""}.items():
            dumps[name] = tmp_path / f"{name}.dmp"
            dumps[name].write_bytes(data)
        store.save_raw_crash(RAW, dumps, CRASH)
        assert store.get_raw_dumps(CRASH) == contents(dumps)
        assert contents(store.get_raw_dumps_as_files(CRASH, directory)) == contents(dumps)

    def test_a_crash_without_dumps_has_none(self, store: CrashStorageBase, directory: Path) -> None:
        store.save_raw_crash(RAW, {}, CRASH)
        assert store.get_raw_dumps(CRASH) == {}
        assert store.get_raw_dumps_as_files(CRASH, directory) == {}

    def test_files_of_dumps_are_in_the_given_directory_and_may_be_changed(
        self, store: CrashStorageBase, directory: Path
    ) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        for path in store.get_raw_dumps_as_files(CRASH, directory).values():
            assert path.parent == directory
            with path.open("r+b") as file:
                file.write(b"changed")
        assert store.get_raw_dumps(CRASH) == DUMPS

    def test_everything_of_a_crash_is_there_after_the_processor_has_saved_it(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        store.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
        assert store.get_raw_crash(CRASH) == RAW
        assert store.get_raw_dumps(CRASH) == DUMPS
        assert store.get_unredacted_processed(CRASH) == PROCESSED

    def test_saving_a_raw_crash_again_replaces_its_dumps_too(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, {MAIN_DUMP: b"old", "flash": b"old"}, CRASH)
        store.save_raw_crash(RAW | {"Version": "2"}, {MAIN_DUMP: b"new"}, CRASH)
        assert store.get_raw_crash(CRASH)["Version"] == "2"
        assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"new"}
        with pytest.raises(CrashIDNotFound):
            store.get_raw_dump(CRASH, "flash")

    def test_crashes_are_kept_apart(self, store: CrashStorageBase) -> None:
        other = new_crash_id()
        store.save_raw_crash(RAW, DUMPS, CRASH)
        store.save_raw_crash(RAW | {"Version": "2"}, {MAIN_DUMP: b"other"}, other)
        assert store.get_raw_crash(CRASH) == RAW
        assert store.get_raw_dumps(other) == {MAIN_DUMP: b"other"}

    @pytest.mark.parametrize("read", READS)
    def test_an_unknown_crash_is_not_found(self, store: CrashStorageBase, directory: Path, read: str) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        with pytest.raises(CrashIDNotFound):
            READS[read](store, new_crash_id(), directory)

    def test_a_dump_that_the_crash_does_not_have_is_not_found(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        with pytest.raises(CrashIDNotFound):
            store.get_raw_dump(CRASH, "upload_file_minidump_flash1")

    def test_a_removed_crash_is_gone(self, store: CrashStorageBase, directory: Path) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        store.save_processed(PROCESSED)
        store.remove(CRASH)
        for name, read in READS.items():
            with pytest.raises(CrashIDNotFound):
                pytest.fail(f"{name}: {read(store, CRASH, directory)}")

    def test_an_incomplete_crash_is_removed(self, store: CrashStorageBase) -> None:
        store.save_processed(PROCESSED)
        store.remove(CRASH)
        with pytest.raises(CrashIDNotFound):
            store.get_processed(CRASH)

    def test_a_removed_crash_can_be_saved_again(self, store: CrashStorageBase) -> None:
        for _ in range(2):
            store.save_raw_crash(RAW, DUMPS, CRASH)
            assert store.get_raw_dumps(CRASH) == DUMPS
            store.remove(CRASH)

    @pytest.mark.parametrize("crash_id", INVALID_CRASH_IDS)
    def test_an_invalid_crash_id_is_refused_before_it_touches_anything(
        self, store: CrashStorageBase, directory: Path, tmp_path: Path, crash_id: str
    ) -> None:
        before = sorted(tmp_path.rglob("*"))
        for read in CALLS.values():
            with pytest.raises(InvalidCrashID):
                read(store, crash_id, directory)
        saves: tuple[Callable[[], None], ...] = (
            lambda: store.save_raw_crash(RAW, DUMPS, crash_id),
            lambda: store.save_processed(PROCESSED | {"uuid": crash_id}),
            lambda: store.save_raw_and_processed(RAW, DUMPS, PROCESSED | {"uuid": crash_id}, CRASH),
        )
        for save in saves:
            with pytest.raises(InvalidCrashID):
                save()
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("name", INVALID_DUMP_NAMES)
    def test_an_invalid_dump_name_is_refused_before_anything_is_written(
        self, store: CrashStorageBase, tmp_path: Path, name: str
    ) -> None:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(CrashStorageError, check=is_permanent):
            store.save_raw_crash(RAW, {MAIN_DUMP: b"main", name: b"x"}, CRASH)
        assert sorted(tmp_path.rglob("*")) == before
        with pytest.raises(CrashIDNotFound):
            store.get_raw_crash(CRASH)

    @pytest.mark.parametrize("name", [name for name in INVALID_DUMP_NAMES if name])
    def test_an_invalid_dump_name_is_not_read(self, store: CrashStorageBase, name: str) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        store.save_processed(PROCESSED)
        with pytest.raises(PermanentStorageError):
            store.get_raw_dump(CRASH, name)

    def test_nul_and_every_other_character_in_an_annotation_survive(self, store: CrashStorageBase) -> None:
        raw_crash = {"Comments": "a\0b\x01\x7f\u2028\U0001f600", "key\0": "\ufeff"}
        store.save_raw_crash(raw_crash, {}, CRASH)
        assert store.get_raw_crash(CRASH) == raw_crash

    def test_the_raw_crashes_of_a_day_are_listed_in_order_and_none_of_other_days(self, store: CrashStorageBase) -> None:
        crash_ids = sorted(new_crash_id(DAY) for _ in range(60))
        others = [new_crash_id(day) for day in (date(2016, 11, 22), date(2016, 11, 24), date(2017, 11, 23))]
        for crash_id in (*reversed(crash_ids), *others):
            store.save_raw_crash(RAW, DUMPS, crash_id)
        assert list(store.raw_crash_ids(DAY)) == crash_ids
        assert list(store.raw_crash_ids(date(2016, 11, 22))) == others[:1]

    def test_a_day_without_raw_crashes_has_none(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        store.save_processed(PROCESSED | {"uuid": new_crash_id(date(2016, 11, 25))})
        assert list(store.raw_crash_ids(date(2016, 11, 25))) == []

    def test_crashes_without_a_processed_crash_are_missing(self, store: CrashStorageBase) -> None:
        saved, raw, unknown = (new_crash_id(DAY) for _ in range(3))
        for crash_id in (saved, raw):
            store.save_raw_crash(RAW, DUMPS, crash_id)
        store.save_processed(PROCESSED | {"uuid": saved})
        assert store.missing_processed([saved, raw, unknown]) == {raw, unknown}
        assert store.missing_processed([saved]) == set()
        store.remove(saved)
        assert store.missing_processed([saved]) == {saved}

    def test_no_crash_is_missing_from_an_empty_list(self, store: CrashStorageBase) -> None:
        assert store.missing_processed([]) == set()

    def test_missing_crashes_are_found_among_many(self, store: CrashStorageBase) -> None:
        crash_ids = [new_crash_id(DAY) for _ in range(150)]
        for crash_id in crash_ids[::3]:
            store.save_processed(PROCESSED | {"uuid": crash_id})
        assert store.missing_processed(crash_ids) == set(crash_ids) - set(crash_ids[::3])

    @pytest.mark.parametrize("crash_id", INVALID_CRASH_IDS)
    def test_an_invalid_crash_id_is_not_looked_for(self, store: CrashStorageBase, crash_id: str) -> None:
        with pytest.raises(InvalidCrashID):
            store.missing_processed([CRASH, crash_id])

    def test_a_reader_never_sees_half_an_object(self, store: CrashStorageBase, directory: Path) -> None:
        """Each version repeats one letter: a mixture, or a short version, was half an object."""
        versions = {letter: letter * size for letter, size in (("a", 1), ("b", 300_000), ("c", 70_000))}
        stop = threading.Event()

        def save(letter: str) -> None:
            text = versions[letter]
            store.save_processed({"uuid": CRASH, "letter": letter, "text": text})
            store.save_raw_crash({"letter": letter, "text": text}, {MAIN_DUMP: text.encode()}, CRASH)

        def write(letters: str) -> None:
            while not stop.is_set():
                for letter in letters:
                    save(letter)

        save("a")
        with ThreadPoolExecutor() as pool:
            writers = [pool.submit(write, letters) for letters in ("ab", "ca")]
            try:
                for _ in range(100):
                    for crash in (store.get_raw_crash(CRASH), store.get_unredacted_processed(CRASH)):
                        assert crash["text"] == versions[crash["letter"]]
                    assert store.get_raw_dump(CRASH).decode() in versions.values()
                    assert set(contents(store.get_raw_dumps_as_files(CRASH, directory)).values()) <= {
                        text.encode() for text in versions.values()
                    }
            finally:
                stop.set()
            for writer in writers:
                writer.result()

    def test_eight_threads_save_read_and_remove_at_once(self, store: CrashStorageBase, tmp_path: Path) -> None:
        def work(number: int) -> None:
            directory = tmp_path / f"thread{number}"
            directory.mkdir()
            for _ in range(10):
                crash_id = new_crash_id()
                raw_crash = RAW | {"id": crash_id}
                store.save_raw_crash(raw_crash, DUMPS, crash_id)
                store.save_raw_and_processed(raw_crash, DUMPS, PROCESSED | {"uuid": crash_id}, crash_id)
                assert store.get_raw_crash(crash_id) == raw_crash
                assert contents(store.get_raw_dumps_as_files(crash_id, directory)) == DUMPS
                assert store.get_processed(crash_id)["uuid"] == crash_id
                store.remove(crash_id)
                with pytest.raises(CrashIDNotFound):
                    store.get_raw_crash(crash_id)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))


class ObjectStoreSuite(StoreSuite):
    """The tests of an ``ObjectCrashStorage``, which makes a whole store from six methods on objects.

    The subclass is as for ``SavingSuite``; the store has the options ``LIMITS``, so that no test needs gigabytes.

        class TestMyStore(ObjectStoreSuite):
            def new_store(self, directory):
                return MyStore(defaults(MyStore, path=str(directory / "objects"), **LIMITS))

    ``directory`` does not exist yet. Override ``store_without_place`` if the objects are not in it.

    The suite also checks: objects that other programs left under the keys of a crash do no harm and are noted; nothing
    too large is read, or saved if it could not be read again; a store without its place never reports a crash missing.
    """

    def store_without_place(self, directory: Path) -> CrashStorageBase:
        """Return a store whose place was removed: here, everything in ``directory``, which itself stays."""
        store = self.new_store(directory)
        store.save_processed(PROCESSED)
        for path in directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return store

    def plant(self, store: CrashStorageBase, key: str, data: bytes) -> None:
        """Put an object under a key, as another program would."""
        assert isinstance(store, ObjectCrashStorage)
        store.put(key, data)

    def test_parts_of_a_crash_are_named_until_it_is_removed(self, store: CrashStorageBase) -> None:
        assert store.held(CRASH) == []
        store.save_processed(PROCESSED)
        assert next(what.rpartition(": ")[2] for what in store.held(CRASH)) == "processed crash"
        store.save_raw_crash(RAW, DUMPS, CRASH)
        expected = {"raw crash", "processed crash", "names of the dumps", *(f"dump {name}" for name in DUMPS)}
        # A store may have more, such as an index.
        assert {what.rpartition(": ")[2] for what in store.held(CRASH)} >= expected
        assert store.held(new_crash_id()) == []
        store.remove(CRASH)
        assert store.held(CRASH) == []

    @pytest.mark.parametrize("read", LISTS | READS)
    def test_a_store_whose_place_is_gone_never_reports_a_crash_missing(
        self, directory: Path, tmp_path: Path, read: str
    ) -> None:
        place = tmp_path / "lost"
        raised: CrashStorageError | None = None
        with closing(self.store_without_place(place)) as store:
            try:
                (LISTS | READS)[read](store, CRASH, directory)
            except CrashStorageError as error:
                raised = error
        assert raised is not None, f"everything in {place} was removed, but reading raised no error"
        assert raised.transient, (
            f"everything in {place} was removed, and reading raised {raised!r}, not a TransientStorageError: a store "
            "whose place is gone must not look like one without the crash"
        )

    def test_tricks_among_stored_dump_names_are_left_out_with_a_note(
        self, store: CrashStorageBase, directory: Path
    ) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        names = [MAIN_DUMP, "../../raw_crash", "/etc/passwd", "a\0b", "x" * 300, "processed_crash", 7, ["x"], {}]
        self.plant(store, f"v1/dump_names/{CRASH}", json.dumps(names).encode())
        notes: list[str] = []
        files = store.get_raw_dumps_as_files(CRASH, directory, notes.append)
        assert contents(files) == {MAIN_DUMP: b"MDMP main"}
        assert list(directory.iterdir()) == [files[MAIN_DUMP]]
        assert len(notes) == 1
        assert "impossible names (8)" in notes[0]
        assert len(notes[0]) < 300

    @pytest.mark.parametrize("name", ["", None, MAIN_DUMP])
    def test_the_main_dump_is_known_by_all_its_names(self, store: CrashStorageBase, name: str | None) -> None:
        store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
        self.plant(store, f"v1/dump_names/{CRASH}", json.dumps([name, MAIN_DUMP]).encode())
        assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"main"}
        assert store.get_raw_dump(CRASH, name) == b"main"

    @pytest.mark.parametrize("data", [b"", b"{}", b'"upload_file_minidump"', b"\xff", b"null"])
    def test_a_damaged_list_of_dumps_yields_the_main_dump_with_a_note(
        self, store: CrashStorageBase, directory: Path, data: bytes
    ) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        self.plant(store, f"v1/dump_names/{CRASH}", data)
        notes: list[str] = []
        files = store.get_raw_dumps_as_files(CRASH, directory, notes.append)
        assert contents(files) == {MAIN_DUMP: b"MDMP main"}
        assert notes

    def test_without_a_list_of_dumps_the_main_dump_is_looked_for_with_a_note(
        self, store: CrashStorageBase, directory: Path
    ) -> None:
        self.plant(store, f"v2/raw_crash/0bb/20161123/{CRASH}", b"{}")
        self.plant(store, f"v1/dump/{CRASH}", b"main")
        notes: list[str] = []
        files = store.get_raw_dumps_as_files(CRASH, directory, notes.append)
        assert contents(files) == {MAIN_DUMP: b"main"}
        assert notes == ["there is no list of dump names: only the main dump is looked for"]

    def test_a_dump_that_is_named_but_not_there_is_left_out_with_a_note(
        self, store: CrashStorageBase, directory: Path
    ) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        self.plant(store, f"v1/dump_names/{CRASH}", json.dumps([*DUMPS, "gone"]).encode())
        notes: list[str] = []
        assert contents(store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == DUMPS
        assert notes == ["dump gone is listed but missing"]
        assert store.get_raw_dumps(CRASH) == DUMPS

    def test_a_dump_that_is_too_large_is_left_out_with_a_note(self, store: CrashStorageBase, directory: Path) -> None:
        largest = b"x" * MAXIMUM_DUMP_SIZE
        store.save_raw_crash(RAW, {MAIN_DUMP: largest, "larger": largest + b"x"}, CRASH)
        notes: list[str] = []
        assert contents(store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {MAIN_DUMP: largest}
        assert notes == [
            f"dump larger is left out: {MAXIMUM_DUMP_SIZE + 1} bytes, more than {MAXIMUM_DUMP_SIZE} (maximum_dump_size)"
        ]
        assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: largest}
        with pytest.raises(PermanentStorageError):
            store.get_raw_dump(CRASH, "larger")

    def test_dumps_beyond_the_total_size_are_left_out_with_a_note(
        self, store: CrashStorageBase, directory: Path
    ) -> None:
        largest = b"x" * MAXIMUM_DUMP_SIZE
        dumps = {MAIN_DUMP: largest, "b": largest}
        store.save_raw_crash(RAW, {**dumps, "c": b"x", "d": b""}, CRASH)
        notes: list[str] = []
        assert contents(store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {**dumps, "d": b""}
        assert notes == ["dump c is left out: 1 bytes, more than 0 (the rest of maximum_total_dump_size)"]
        assert store.get_raw_dumps(CRASH) == {**dumps, "d": b""}

    def test_only_the_main_dump_and_some_of_too_many_are_looked_for(
        self, store: CrashStorageBase, directory: Path
    ) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        names = [f"gone{number}" for number in range(5000)] + list(DUMPS)
        self.plant(store, f"v1/dump_names/{CRASH}", json.dumps(names).encode())
        notes: list[str] = []
        assert contents(store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {MAIN_DUMP: b"MDMP main"}
        assert notes[0] == f"only {MAXIMUM_DUMPS} of 5002 dumps are looked for"
        assert len(notes) == MAXIMUM_DUMPS

    def test_a_list_of_dumps_that_is_far_too_large_is_not_read(self, store: CrashStorageBase, directory: Path) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        self.plant(store, f"v1/dump_names/{CRASH}", b"[" + b'"",' * 400_000 + b'""]')
        notes: list[str] = []
        assert contents(store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {MAIN_DUMP: b"MDMP main"}
        assert notes == [
            "the list of dump names is too large (1200004 bytes, more than 1000000): only the main dump is looked for"
        ]

    def test_all_dumps_are_removed_however_many_there_are(self, store: CrashStorageBase) -> None:
        dumps = {f"dump{number}": b"x" for number in range(MAXIMUM_DUMPS + 10)}
        store.save_raw_crash(RAW, dumps, CRASH)
        store.remove(CRASH)
        store.save_raw_crash(RAW, {}, CRASH)
        for name in dumps:
            with pytest.raises(CrashIDNotFound):
                store.get_raw_dump(CRASH, name)

    def test_a_raw_crash_that_is_too_large_is_malformed(self, store: CrashStorageBase) -> None:
        self.plant(store, f"v2/raw_crash/0bb/20161123/{CRASH}", b'{"a":"' + b"x" * MAXIMUM_CRASH_SIZE + b'"}')
        with pytest.raises(MalformedCrash, match=rf"{CRASH} is too large.*\(maximum_raw_crash_size\)"):
            store.get_raw_crash(CRASH)

    def test_a_processed_crash_that_is_too_large_is_not_read(self, store: CrashStorageBase) -> None:
        self.plant(store, f"v1/processed_crash/{CRASH}", b'{"a":"' + b"x" * MAXIMUM_CRASH_SIZE + b'"}')
        with pytest.raises(PermanentStorageError, match=r"\(maximum_processed_crash_size\)"):
            store.get_unredacted_processed(CRASH)

    def test_a_processed_crash_that_could_not_be_read_again_is_not_saved(self, store: CrashStorageBase) -> None:
        store.save_processed(PROCESSED)
        with pytest.raises(CrashStorageError, match=r"\(maximum_processed_crash_size\)") as refused:
            store.save_processed(PROCESSED | {"app_notes": "x" * MAXIMUM_CRASH_SIZE})
        assert not refused.value.transient
        assert store.get_unredacted_processed(CRASH) == PROCESSED

    def test_a_raw_crash_that_could_not_be_read_again_is_not_saved(self, store: CrashStorageBase) -> None:
        with pytest.raises(CrashStorageError, match=r"\(maximum_raw_crash_size\)") as refused:
            store.save_raw_crash(RAW | {"Notes": "x" * MAXIMUM_CRASH_SIZE}, {MAIN_DUMP: b"MDMP"}, CRASH)
        assert not refused.value.transient
        assert store.held(CRASH) == []

    def test_the_largest_crash_that_may_be_read_is_saved_and_read(self, store: CrashStorageBase) -> None:
        room = MAXIMUM_CRASH_SIZE - len(encode(PROCESSED | {"app_notes": ""}))
        largest = PROCESSED | {"app_notes": "x" * room}
        store.save_processed(largest)
        assert store.get_unredacted_processed(CRASH) == largest

    def test_a_raw_crash_under_its_former_key_is_found(self, store: CrashStorageBase) -> None:
        self.plant(store, f"v1/raw_crash/{CRASH}", json.dumps(RAW).encode())
        assert store.get_raw_crash(CRASH) == RAW
        store.remove(CRASH)
        with pytest.raises(CrashIDNotFound):
            store.get_raw_crash(CRASH)

    @pytest.mark.parametrize("data", [b"", b"[]", b"null", b'"text"', b"{", b"\xff\xfe"])
    def test_a_raw_crash_that_is_not_a_json_object_is_malformed(self, store: CrashStorageBase, data: bytes) -> None:
        self.plant(store, f"v2/raw_crash/0bb/20161123/{CRASH}", data)
        with pytest.raises(MalformedCrash, match=CRASH):
            store.get_raw_crash(CRASH)

    @pytest.mark.parametrize("data", [b"", b"[]", b"{"])
    def test_a_processed_crash_that_is_not_a_json_object_is_the_crashs_fault(
        self, store: CrashStorageBase, data: bytes
    ) -> None:
        self.plant(store, f"v1/processed_crash/{CRASH}", data)
        with pytest.raises(PermanentStorageError, match=CRASH):
            store.get_unredacted_processed(CRASH)

    def test_odd_json_is_mended_with_a_note(self, store: CrashStorageBase) -> None:
        self.plant(
            store, f"v2/raw_crash/0bb/20161123/{CRASH}", rb'{"a": "\ud800", "b": 99999999999999999999, "c": NaN}'
        )
        notes: list[str] = []
        assert store.get_raw_crash(CRASH, notes.append) == {"a": "\ufffd", "b": "99999999999999999999", "c": None}
        assert len(notes) == 3

    def test_other_objects_among_raw_crashes_are_not_listed(self, store: CrashStorageBase) -> None:
        store.save_raw_crash(RAW, DUMPS, CRASH)
        for name in (".x.writing", "no-crash-id", CRASH[:-1] + "4", CRASH.upper(), CRASH + ".old"):
            self.plant(store, f"v2/raw_crash/0bb/20161123/{name}", b"{}")
        self.plant(store, "v2/raw_crash/0bb/20161123/deeper/x", b"{}")
        self.plant(store, f"v2/raw_crash/{CRASH}", b"{}")
        assert list(store.raw_crash_ids(DAY)) == [CRASH]
