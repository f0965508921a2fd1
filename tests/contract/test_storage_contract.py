"""What every crash store that keeps crashes does, whatever is behind it."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.crashstorage.objects import MAXIMUM_DUMPS
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    InvalidCrashID,
    MalformedCrash,
    PermanentStorageError,
)
from socorro_processor.serialization import encode
from tests.contract.storage_backends import BACKENDS, MAXIMUM_CRASH_SIZE, MAXIMUM_DUMP_SIZE, StorageBackend

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
RAW = {"ProductName": "Lightbox", "Version": "1.0", "dump_checksums": {MAIN_DUMP: "d41d"}, "submitted": 3}
PROCESSED = {"uuid": CRASH, "signature": "main", "email": "a@example.com", "json_dump": {"threads": [], "sensitive": 1}}
DUMPS = {MAIN_DUMP: b"MDMP main", "upload_file_minidump_browser": b"MDMP browser"}

NO_CRASH_IDS = [
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
NO_DUMP_NAMES = [
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


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageBackend]:
    backend = BACKENDS[request.param](tmp_path / "store")
    yield backend
    backend.store.close()


@pytest.fixture
def store(backend: StorageBackend) -> CrashStorageBase:
    return backend.store


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "dumps"
    directory.mkdir()
    return directory


def contents(files: dict[str, Path]) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files.items()}


def test_a_raw_crash_comes_back_as_it_was_saved(store):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    assert store.get_raw_crash(CRASH) == RAW


def test_dumps_come_back_as_they_were_saved(store, directory):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    assert store.get_raw_dumps(CRASH) == DUMPS
    assert contents(store.get_raw_dumps_as_files(CRASH, directory)) == DUMPS
    assert store.get_raw_dump(CRASH) == store.get_raw_dump(CRASH, MAIN_DUMP) == DUMPS[MAIN_DUMP]
    assert store.get_raw_dump(CRASH, "upload_file_minidump_browser") == b"MDMP browser"


def test_dumps_may_be_given_as_files(store, directory, tmp_path):
    dumps: dict[str, Any] = {}
    for name, data in {**DUMPS, "large": b"0123456789abcdef" * 200_000, "empty": b""}.items():
        dumps[name] = tmp_path / f"{name}.dmp"
        dumps[name].write_bytes(data)
    store.save_raw_crash(RAW, dumps, CRASH)
    assert store.get_raw_dumps(CRASH) == contents(dumps)
    assert contents(store.get_raw_dumps_as_files(CRASH, directory)) == contents(dumps)


def test_a_crash_without_dumps_has_none(store, directory):
    store.save_raw_crash(RAW, {}, CRASH)
    assert store.get_raw_dumps(CRASH) == {}
    assert store.get_raw_dumps_as_files(CRASH, directory) == {}


def test_files_of_dumps_lie_in_the_directory_that_was_given_and_may_be_changed(store, directory):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    for path in store.get_raw_dumps_as_files(CRASH, directory).values():
        assert path.parent == directory
        with path.open("r+b") as file:
            file.write(b"changed")
    assert store.get_raw_dumps(CRASH) == DUMPS


def test_a_processed_crash_comes_back_as_it_was_saved(store):
    store.save_processed(PROCESSED)
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_what_the_redactor_forbids_is_kept_and_not_given(store):
    store.save_processed(PROCESSED)
    assert store.get_processed(CRASH) == {"uuid": CRASH, "signature": "main", "json_dump": {"threads": []}}
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_after_the_processor_saved_all_of_a_crash_is_there(store):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_raw_dumps(CRASH) == DUMPS
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_retry_saves_as_the_first_attempt_would_have(store):
    store.save_again(RAW, DUMPS, PROCESSED, CRASH, ["some other store"])
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_saving_twice_keeps_one_crash_the_newer(store):
    store.save_processed(PROCESSED | {"signature": "old"})
    store.save_processed(PROCESSED | {"signature": "new"})
    assert store.get_unredacted_processed(CRASH)["signature"] == "new"


def test_saving_a_raw_crash_again_replaces_its_dumps_too(store):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"old", "flash": b"old"}, CRASH)
    store.save_raw_crash(RAW | {"Version": "2"}, {MAIN_DUMP: b"new"}, CRASH)
    assert store.get_raw_crash(CRASH)["Version"] == "2"
    assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"new"}
    with pytest.raises(CrashIDNotFound):
        store.get_raw_dump(CRASH, "flash")


def test_crashes_are_kept_apart(store):
    other = new_crash_id()
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_raw_crash(RAW | {"Version": "2"}, {MAIN_DUMP: b"other"}, other)
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_raw_dumps(other) == {MAIN_DUMP: b"other"}


def test_nothing_that_is_given_to_a_store_is_changed(store):
    given = (copy.deepcopy(RAW) | {"odd": "\ud800"}, dict(DUMPS), copy.deepcopy(PROCESSED) | {"odd": float("inf")})
    before = copy.deepcopy(given)
    store.save_raw_crash(given[0], given[1], CRASH)
    store.save_raw_and_processed(*given, CRASH)
    store.save_processed(given[2])
    assert given == before


def test_what_a_store_gives_is_a_copy(store):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED)
    store.get_raw_crash(CRASH).clear()
    store.get_unredacted_processed(CRASH)["json_dump"].clear()
    store.get_processed(CRASH)["json_dump"].clear()
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_unredacted_processed(CRASH) == PROCESSED


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


@pytest.mark.parametrize("read", READS)
def test_an_unknown_crash_is_not_found(store, directory, read):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    with pytest.raises(CrashIDNotFound):
        READS[read](store, new_crash_id(), directory)


def test_a_dump_of_a_name_that_the_crash_does_not_have_is_not_found(store):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    with pytest.raises(CrashIDNotFound):
        store.get_raw_dump(CRASH, "upload_file_minidump_flash1")


def test_a_removed_crash_is_gone(store, directory):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED)
    store.remove(CRASH)
    for name, read in READS.items():
        with pytest.raises(CrashIDNotFound):
            pytest.fail(f"{name}: {read(store, CRASH, directory)}")


def test_what_is_held_of_a_crash_is_told_until_it_is_removed(store):
    assert store.held(CRASH) == []
    store.save_processed(PROCESSED)
    assert next(what.rpartition(": ")[2] for what in store.held(CRASH)) == "processed crash"
    store.save_raw_crash(RAW, DUMPS, CRASH)
    expected = {"raw crash", "processed crash", "names of the dumps", *(f"dump {name}" for name in DUMPS)}
    assert {what.rpartition(": ")[2] for what in store.held(CRASH)} == expected
    assert store.held(new_crash_id()) == []
    store.remove(CRASH)
    assert store.held(CRASH) == []


def test_what_there_is_of_a_crash_is_removed_where_that_is_not_all(store):
    store.save_processed(PROCESSED)
    store.remove(CRASH)
    with pytest.raises(CrashIDNotFound):
        store.get_processed(CRASH)


def test_a_removed_crash_can_be_saved_again(store):
    for _ in range(2):
        store.save_raw_crash(RAW, DUMPS, CRASH)
        assert store.get_raw_dumps(CRASH) == DUMPS
        store.remove(CRASH)


@pytest.mark.parametrize("crash_id", NO_CRASH_IDS)
def test_what_is_no_crash_id_is_refused_before_it_touches_anything(store, directory, tmp_path, crash_id):
    before = sorted(tmp_path.rglob("*"))
    for read in CALLS.values():
        with pytest.raises(InvalidCrashID):
            read(store, crash_id, directory)
    for save in (
        lambda: store.save_raw_crash(RAW, DUMPS, crash_id),
        lambda: store.save_processed(PROCESSED | {"uuid": crash_id}),
        lambda: store.save_raw_and_processed(RAW, DUMPS, PROCESSED | {"uuid": crash_id}, CRASH),
    ):
        with pytest.raises(InvalidCrashID):
            save()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("processed_crash", [{}, {"uuid": None}, {"uuid": 7}, {"uuid": [CRASH]}])
def test_a_processed_crash_without_a_crash_id_is_refused(store, processed_crash):
    with pytest.raises(InvalidCrashID):
        store.save_processed(processed_crash)


def is_permanent(error: BaseException) -> bool:
    """Also as a poly store tells it."""
    return all(isinstance(each, PermanentStorageError) for each in getattr(error, "failures", {"": error}).values())


@pytest.mark.parametrize("name", NO_DUMP_NAMES)
def test_what_is_no_dump_name_is_refused_before_anything_is_written(store, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CrashStorageError, check=is_permanent):
        store.save_raw_crash(RAW, {MAIN_DUMP: b"main", name: b"x"}, CRASH)
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(CrashIDNotFound):
        store.get_raw_crash(CRASH)


@pytest.mark.parametrize("name", [name for name in NO_DUMP_NAMES if name])
def test_what_is_no_dump_name_is_not_read(store, name):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED)
    with pytest.raises(PermanentStorageError):
        store.get_raw_dump(CRASH, name)


def test_tricks_among_stored_dump_names_are_left_out_with_a_note(backend, directory):
    backend.store.save_raw_crash(RAW, DUMPS, CRASH)
    names = [MAIN_DUMP, "../../raw_crash", "/etc/passwd", "a\0b", "x" * 300, "processed_crash", 7, ["x"], {}]
    backend.plant(f"v1/dump_names/{CRASH}", json.dumps(names).encode())
    notes: list[str] = []
    files = backend.store.get_raw_dumps_as_files(CRASH, directory, notes.append)
    assert contents(files) == {MAIN_DUMP: b"MDMP main"}
    assert list(directory.iterdir()) == [files[MAIN_DUMP]]
    assert len(notes) == 1
    assert "impossible names (8)" in notes[0]
    assert len(notes[0]) < 300


@pytest.mark.parametrize("name", ["", None, MAIN_DUMP])
def test_the_main_dump_is_known_by_all_its_names(backend, name):
    backend.store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    backend.plant(f"v1/dump_names/{CRASH}", json.dumps([name, MAIN_DUMP]).encode())
    assert backend.store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"main"}
    assert backend.store.get_raw_dump(CRASH, name) == b"main"


@pytest.mark.parametrize("data", [b"", b"{}", b'"upload_file_minidump"', b"\xff", b"null"])
def test_where_the_list_of_dumps_is_damaged_the_main_one_is_given_with_a_note(backend, directory, data):
    backend.store.save_raw_crash(RAW, DUMPS, CRASH)
    backend.plant(f"v1/dump_names/{CRASH}", data)
    notes: list[str] = []
    files = backend.store.get_raw_dumps_as_files(CRASH, directory, notes.append)
    assert contents(files) == {MAIN_DUMP: b"MDMP main"}
    assert notes


def test_where_there_is_no_list_of_dumps_the_main_one_is_looked_for_with_a_note(backend, directory):
    backend.plant(f"v2/raw_crash/0bb/20161123/{CRASH}", b"{}")
    backend.plant(f"v1/dump/{CRASH}", b"main")
    notes: list[str] = []
    files = backend.store.get_raw_dumps_as_files(CRASH, directory, notes.append)
    assert contents(files) == {MAIN_DUMP: b"main"}
    assert notes == ["there is no list of dump names: only the main dump is looked for"]


def test_a_dump_that_is_named_but_not_there_is_left_out_with_a_note(backend, directory):
    backend.store.save_raw_crash(RAW, DUMPS, CRASH)
    backend.plant(f"v1/dump_names/{CRASH}", json.dumps([*DUMPS, "gone"]).encode())
    notes: list[str] = []
    assert contents(backend.store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == DUMPS
    assert notes == ["dump gone is named but not there"]
    assert backend.store.get_raw_dumps(CRASH) == DUMPS


def test_a_dump_that_is_too_large_is_left_out_with_a_note(store, directory):
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


def test_of_dumps_that_are_too_large_in_all_the_last_ones_are_left_out_with_a_note(store, directory):
    largest = b"x" * MAXIMUM_DUMP_SIZE
    dumps = {MAIN_DUMP: largest, "b": largest}
    store.save_raw_crash(RAW, {**dumps, "c": b"x", "d": b""}, CRASH)
    notes: list[str] = []
    assert contents(store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {**dumps, "d": b""}
    assert notes == ["dump c is left out: 1 bytes, more than 0 (the rest of maximum_total_dump_size)"]
    assert store.get_raw_dumps(CRASH) == {**dumps, "d": b""}


def test_of_more_dumps_than_a_client_sends_the_main_one_and_some_are_looked_for(backend, directory):
    backend.store.save_raw_crash(RAW, DUMPS, CRASH)
    names = [f"gone{number}" for number in range(5000)] + list(DUMPS)
    backend.plant(f"v1/dump_names/{CRASH}", json.dumps(names).encode())
    notes: list[str] = []
    assert contents(backend.store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {MAIN_DUMP: b"MDMP main"}
    assert notes[0] == f"of 5002 dumps {MAXIMUM_DUMPS} are looked for, the others left out"
    assert len(notes) == MAXIMUM_DUMPS


def test_a_list_of_dumps_that_is_far_too_large_is_not_read(backend, directory):
    backend.store.save_raw_crash(RAW, DUMPS, CRASH)
    backend.plant(f"v1/dump_names/{CRASH}", b"[" + b'"",' * 400_000 + b'""]')
    notes: list[str] = []
    assert contents(backend.store.get_raw_dumps_as_files(CRASH, directory, notes.append)) == {MAIN_DUMP: b"MDMP main"}
    assert notes == [
        "the list of dump names is too large (1200004 bytes, more than 1000000): only the main dump is looked for"
    ]


def test_all_dumps_are_removed_however_many_there_are(backend):
    dumps = {f"dump{number}": b"x" for number in range(MAXIMUM_DUMPS + 10)}
    backend.store.save_raw_crash(RAW, dumps, CRASH)
    backend.store.remove(CRASH)
    backend.store.save_raw_crash(RAW, {}, CRASH)
    for name in dumps:
        with pytest.raises(CrashIDNotFound):
            backend.store.get_raw_dump(CRASH, name)


def test_a_raw_crash_that_is_too_large_is_malformed(backend):
    backend.plant(f"v2/raw_crash/0bb/20161123/{CRASH}", b'{"a":"' + b"x" * MAXIMUM_CRASH_SIZE + b'"}')
    with pytest.raises(MalformedCrash, match=rf"{CRASH} is too large.*\(maximum_raw_crash_size\)"):
        backend.store.get_raw_crash(CRASH)


def test_a_processed_crash_that_is_too_large_is_not_read(backend):
    backend.plant(f"v1/processed_crash/{CRASH}", b'{"a":"' + b"x" * MAXIMUM_CRASH_SIZE + b'"}')
    with pytest.raises(PermanentStorageError, match=r"\(maximum_processed_crash_size\)"):
        backend.store.get_unredacted_processed(CRASH)


def test_a_processed_crash_that_could_not_be_read_again_is_not_saved(backend):
    backend.store.save_processed(PROCESSED)
    with pytest.raises(CrashStorageError, match=r"\(maximum_processed_crash_size\)") as refused:
        backend.store.save_processed(PROCESSED | {"app_notes": "x" * MAXIMUM_CRASH_SIZE})
    assert not refused.value.transient
    assert backend.store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_raw_crash_that_could_not_be_read_again_is_not_saved(backend):
    with pytest.raises(CrashStorageError, match=r"\(maximum_raw_crash_size\)") as refused:
        backend.store.save_raw_crash(RAW | {"Notes": "x" * MAXIMUM_CRASH_SIZE}, {MAIN_DUMP: b"MDMP"}, CRASH)
    assert not refused.value.transient
    assert backend.store.held(CRASH) == []


def test_the_largest_crash_that_may_be_read_is_saved_and_read(backend):
    room = MAXIMUM_CRASH_SIZE - len(encode(PROCESSED | {"app_notes": ""}))
    largest = PROCESSED | {"app_notes": "x" * room}
    backend.store.save_processed(largest)
    assert backend.store.get_unredacted_processed(CRASH) == largest


def test_a_raw_crash_in_the_place_of_former_times_is_found(backend):
    backend.plant(f"v1/raw_crash/{CRASH}", json.dumps(RAW).encode())
    assert backend.store.get_raw_crash(CRASH) == RAW
    backend.store.remove(CRASH)
    with pytest.raises(CrashIDNotFound):
        backend.store.get_raw_crash(CRASH)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'"text"', b"{", b"\xff\xfe"])
def test_a_raw_crash_that_is_no_json_object_is_malformed(backend, data):
    backend.plant(f"v2/raw_crash/0bb/20161123/{CRASH}", data)
    with pytest.raises(MalformedCrash, match=CRASH):
        backend.store.get_raw_crash(CRASH)


@pytest.mark.parametrize("data", [b"", b"[]", b"{"])
def test_a_processed_crash_that_is_no_json_object_is_the_crashs_own_failure(backend, data):
    backend.plant(f"v1/processed_crash/{CRASH}", data)
    with pytest.raises(PermanentStorageError, match=CRASH):
        backend.store.get_unredacted_processed(CRASH)


def test_nul_and_every_other_character_in_an_annotation_survive(store):
    raw_crash = {"Comments": "a\0b\x01\x7f\u2028\U0001f600", "key\0": "\ufeff"}
    store.save_raw_crash(raw_crash, {}, CRASH)
    assert store.get_raw_crash(CRASH) == raw_crash


def test_what_is_stored_as_odd_json_is_mended_with_a_note(backend):
    backend.plant(f"v2/raw_crash/0bb/20161123/{CRASH}", rb'{"a": "\ud800", "b": 99999999999999999999, "c": NaN}')
    notes: list[str] = []
    assert backend.store.get_raw_crash(CRASH, notes.append) == {"a": "\ufffd", "b": "99999999999999999999", "c": None}
    assert len(notes) == 3


def test_what_no_json_can_hold_is_mended_when_it_is_saved(store):
    store.save_raw_crash(RAW | {"odd": "\ud800"}, {}, CRASH)
    store.save_processed(PROCESSED | {"odd": float("nan")})
    assert store.get_raw_crash(CRASH)["odd"] == "\ufffd"
    assert store.get_unredacted_processed(CRASH)["odd"] is None


DAY = date(2016, 11, 23)


def test_the_raw_crashes_of_a_day_are_listed_in_order_and_none_of_other_days(store):
    crash_ids = sorted(new_crash_id(DAY) for _ in range(60))
    others = [new_crash_id(day) for day in (date(2016, 11, 22), date(2016, 11, 24), date(2017, 11, 23))]
    for crash_id in (*reversed(crash_ids), *others):
        store.save_raw_crash(RAW, DUMPS, crash_id)
    assert list(store.raw_crash_ids(DAY)) == crash_ids
    assert list(store.raw_crash_ids(date(2016, 11, 22))) == others[:1]


def test_a_day_without_raw_crashes_has_none(store):
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED | {"uuid": new_crash_id(date(2016, 11, 25))})
    assert list(store.raw_crash_ids(date(2016, 11, 25))) == []


def test_what_lies_among_raw_crashes_and_is_none_is_not_listed(backend):
    backend.store.save_raw_crash(RAW, DUMPS, CRASH)
    for name in (".x.writing", "no-crash-id", CRASH[:-1] + "4", CRASH.upper(), CRASH + ".old"):
        backend.plant(f"v2/raw_crash/0bb/20161123/{name}", b"{}")
    backend.plant("v2/raw_crash/0bb/20161123/deeper/x", b"{}")
    backend.plant(f"v2/raw_crash/{CRASH}", b"{}")
    assert list(backend.store.raw_crash_ids(DAY)) == [CRASH]


def test_those_without_a_processed_crash_are_missing(store):
    saved, raw, unknown = (new_crash_id(DAY) for _ in range(3))
    for crash_id in (saved, raw):
        store.save_raw_crash(RAW, DUMPS, crash_id)
    store.save_processed(PROCESSED | {"uuid": saved})
    assert store.missing_processed([saved, raw, unknown]) == {raw, unknown}
    assert store.missing_processed([saved]) == set()
    store.remove(saved)
    assert store.missing_processed([saved]) == {saved}


def test_of_no_crashes_none_is_missing(store):
    assert store.missing_processed([]) == set()


def test_of_many_crashes_each_is_told_for_itself(store):
    crash_ids = [new_crash_id(DAY) for _ in range(150)]
    for crash_id in crash_ids[::3]:
        store.save_processed(PROCESSED | {"uuid": crash_id})
    assert store.missing_processed(crash_ids) == set(crash_ids) - set(crash_ids[::3])


@pytest.mark.parametrize("crash_id", NO_CRASH_IDS)
def test_what_is_no_crash_id_is_not_looked_for(store, crash_id):
    with pytest.raises(InvalidCrashID):
        store.missing_processed([CRASH, crash_id])


def test_a_store_that_can_be_used_says_so(store):
    store.check()


def test_a_reader_never_sees_half_an_object(store, directory):
    """Each version is of one letter throughout: a mixture, or a short one, was half an object."""
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


def test_eight_threads_save_read_and_remove_at_once(store, tmp_path):
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
