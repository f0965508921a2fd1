"""The index is built from the crashes in the store, beside processors, and can be interrupted."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from socorro_processor.configuration import DotDict, class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.fields import FieldTable
from socorro_processor.search.filters import read_filters
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.search.sqlite.building import Built, IndexBuilder
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from socorro_processor.search.stored_crashes import StoredCrashes

DAY, NEXT = date(2026, 11, 24), date(2026, 11, 25)


class Interrupted(BaseException):
    """Stands for Ctrl-C, or the death of the process."""


@pytest.fixture
def root(tmp_path):
    return tmp_path / "crashes"


@pytest.fixture
def config(root):
    return defaults(IndexedFileSystemCrashStorage, root=str(root))


@pytest.fixture
def store(config):
    """The store of a processor that goes on."""
    with closing(IndexedFileSystemCrashStorage(config)) as store:
        store.setup()
        yield store


@pytest.fixture
def files(root):
    """The same store, without an index."""
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(root)))) as store:
        store.setup()
        yield store


def save(store, crash_id: str | None = None, day: date = DAY, **fields: object) -> str:
    crash_id = crash_id or new_crash_id(day)
    crash = {"uuid": crash_id, "signature": "render", "date_processed": f"{day}T10:00:00Z", "version": "1"}
    store.save_processed(crash | fields)
    return crash_id


def build(config: DotDict, progress=lambda *_: None, **options: bool) -> Built:
    with closing(IndexedFileSystemCrashStorage(config)) as store:
        path = IndexedFileSystemCrashStorage.index_directory(config)
        return IndexBuilder(path, config, StoredCrashes(store)).build(progress, **options)


def found(root: Path, *filters: str) -> set[str]:
    with SQLiteCrashIndex(root / "search", FieldTable()) as index:
        return set(index.crash_ids(read_filters(list(filters))))


def is_complete(root: Path) -> bool:
    with SQLiteCrashIndex(root / "search", FieldTable()) as index:
        return index.state().is_complete


def test_an_existing_store_gets_an_index_of_all_its_crashes(files, config, root):
    crash_ids = {save(files) for _ in range(120)}
    files.save_raw_crash({}, {}, new_crash_id())
    seen = []
    built = build(config, lambda *progress: seen.append(progress))
    assert (built.is_new, built.added, built.crashes, built.unreadable) == (True, 120, 120, 0)
    assert found(root) == crash_ids
    assert is_complete(root)
    assert ("reading crashes", 0, 120) in seen
    again = build(config)
    assert (again.is_new, again.added, again.removed, again.crashes) == (False, 0, 0, 120)


def test_an_empty_store_gets_an_empty_index(files, config, root):
    assert build(config).crashes == 0
    assert is_complete(root)
    assert found(root) == set()


def test_an_index_that_works_gets_what_it_lacks_and_loses_what_the_store_lost(store, files, config, root):
    kept, lost = save(store), save(store)
    added = save(files)
    files.remove(lost)
    built = build(config)
    assert (built.is_new, built.added, built.removed) == (False, 1, 1)
    assert found(root) == {kept, added}


def test_a_newer_result_that_a_processor_saves_meanwhile_is_kept(store, files, config, root):
    crash_ids = [save(files, signature="old") for _ in range(60)]
    changed = []

    def process_again(doing: str, done: int, total: int) -> None:
        if not changed:
            changed.append(save(store, sorted(crash_ids, key=lambda each: (each[-6:], each))[-1], signature="new"))

    build(config, process_again)
    assert found(root, "signature=new") == set(changed)
    assert found(root) == set(crash_ids)


@pytest.mark.parametrize("damage", ["damaged", "removed", "of another version"])
def test_an_index_that_cannot_be_used_is_built_anew_and_signatures_keep_what_is_known_of_them(
    store, config, root, damage
):
    crash_ids = {save(store), save(store)}
    store.close()
    directory = IndexDirectory(root / "search")
    file = root / "search" / directory.current()
    if damage == "damaged":
        file.write_bytes(os.urandom(8192))
    elif damage == "removed":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[60:64] = (99).to_bytes(4, "big")  # user_version, by fileformat2, "Database Header Format"
        file.write_bytes(content)
    built = build(config)
    assert (built.is_new, built.added) == (True, 2)
    assert found(root) == crash_ids
    assert is_complete(root)
    assert [path.name for path in (root / "search").glob("crashes-*.sqlite")] == ["crashes-2.sqlite"]


def test_an_index_built_anew_keeps_when_signatures_of_removed_crashes_were_seen(store, config, root):
    first = save(store, day=DAY)
    save(store, day=NEXT)
    store.remove(first)
    assert build(config, anew=True).is_new
    with SQLiteCrashIndex(root / "search", FieldTable()) as index:
        (record,) = index.records("render")
        assert f"{record.first_seen:%Y-%m-%d}" == "2026-11-24"
        assert index.top(NEXT, NEXT).signatures[0].first_seen == record.first_seen


def test_what_processors_save_and_remove_while_a_new_index_is_built_is_in_it(store, config, root):
    old = [save(store) for _ in range(60)]
    new = []

    def work_on(doing: str, done: int, total: int) -> None:
        if not new:
            new.append(save(store, day=NEXT))
            save(store, old[0], signature="again")
            store.remove(old[1])

    built = build(config, work_on, anew=True)
    assert built.is_new
    assert found(root) == {*old[:1], *old[2:], *new}
    assert found(root, "signature=again") == {old[0]}
    later = save(store)
    assert later in found(root)
    assert is_complete(root)


def test_a_building_that_was_interrupted_goes_on_where_it_ended(files, config, root):
    crash_ids = {save(files) for _ in range(130)}
    steps = []

    def interrupt(doing: str, done: int, total: int) -> None:
        steps.append(done)
        if done >= 100:
            raise Interrupted

    with pytest.raises(Interrupted):
        build(config, interrupt)
    assert not (root / "search" / "current").exists()
    built = build(config)
    assert (built.is_new, built.added, built.crashes) == (True, 30, 130)
    assert found(root) == crash_ids


def test_two_buildings_at_once_are_refused(files, config, root):
    save(files)

    def another(doing: str, done: int, total: int) -> None:
        with pytest.raises(SocorroError, match="another process is building"):
            build(config)

    build(config, another)


def test_a_crash_that_cannot_be_read_is_counted_and_the_others_are_added(files, config, root):
    save(files)
    broken = save(files)
    (root / "v1" / "processed_crash" / broken).write_bytes(b"[]")
    odd = save(files)
    (root / "v1" / "processed_crash" / odd).write_bytes(b'{"uuid": "x", "signature": 7, "version": [1]}')
    built = build(config)
    assert (built.added, built.unreadable) == (2, 1)
    assert odd in found(root)


def test_a_destination_that_cannot_return_its_crashes_has_no_index_to_be_built_from():
    for store_class in (NullCrashStorage, InMemoryCrashStorage):
        with pytest.raises(ConfigurationError, match="no store of the destination"):
            StoredCrashes(store_class(defaults(store_class)))


def test_the_crashes_of_a_poly_store_are_those_of_its_first_store_that_lists_them(files, root):
    crash_id = save(files)
    store_class = class_name(FileSystemCrashStorage)
    options = {"storage_classes": f"{class_name(NullCrashStorage)}, {store_class}", "storage1.root": str(root)}
    with closing(PolyCrashStorage(defaults(PolyCrashStorage, **options))) as poly:
        stored = StoredCrashes(poly)
        assert list(stored.ids()) == [crash_id]
        missing = new_crash_id()
        assert stored.missing([crash_id, missing]) == {missing}


def test_an_index_that_lost_a_crash_while_it_was_completed_is_not_complete(store, config, root):
    save(store)

    def lose(doing: str, done: int, total: int) -> None:
        if doing == "looking for removed crashes":
            IndexDirectory(root / "search").mark_incomplete()

    assert not build(config, lose).is_complete
    assert not is_complete(root)
    assert build(config).is_complete
    assert is_complete(root)


def test_a_change_that_is_written_into_the_old_file_just_when_the_new_one_takes_its_place_is_not_lost(
    store, config, root, monkeypatch
):
    crash_id = save(store, signature="old")
    directory = store.index._directory
    building = directory.building
    done = []

    def replace_first() -> str | None:
        if not done:
            done.append(build(config, anew=True))
        return building()

    # The processor has written its change; then the whole new file is built, from what the store had before.
    monkeypatch.setattr(directory, "building", replace_first)
    store.index.save_processed({"uuid": crash_id, "signature": "new"})
    store.check()
    assert done[0].is_new
    assert found(root, "signature=new") == {crash_id}
