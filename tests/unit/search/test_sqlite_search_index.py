"""The embedded search index never holds up or fails a crash, whatever happens to its files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.errors import CrashIDNotFound, TransientStorageError
from socorro_processor.fields import FieldTable
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.search.base import Sort
from socorro_processor.search.days import filters_of_days
from socorro_processor.search.filters import read_filters
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.search.sqlite import writing
from socorro_processor.search.sqlite.crashstorage import PAUSE, SQLiteSearchIndex
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.journal import Journal, Removal
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

DAY = date(2026, 11, 24)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def index_in(path, clock, **options):
    values = {"has_earlier_crashes": lambda: False, "clock": clock} | options
    return SQLiteSearchIndex(defaults(SQLiteSearchIndex, path=str(path)), **values)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def new_store(path, clock):
    """Open the store; it closes at the end of the test."""
    stores = []

    def open_store(**options):
        stores.append(index_in(path, clock, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def crash(crash_id: str | None = None, **fields: object) -> dict:
    made = {"uuid": crash_id or new_crash_id(DAY), "product": "Lightbox", "signature": "render"}
    return made | {"processing": {"algorithm": 2026}} | fields


def file_of(path: Path) -> Path:
    return path / (path / "current").read_text()


def found(path: Path, *filters: str) -> set[str]:
    with SQLiteCrashIndex(path, FieldTable()) as index:
        return set(index.crash_ids(read_filters(list(filters))))


def state(path: Path):
    with SQLiteCrashIndex(path, FieldTable()) as index:
        return index.state()


def queued(reason: str) -> int:
    return METRICS.snapshot().counter("search.queued", reason=reason)


@contextmanager
def locked(path: Path):
    """Keep the file locked as another program might."""
    with closing(sqlite3.connect(file_of(path), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_new_index_of_a_new_store_is_complete_and_one_of_an_old_store_is_not(path, new_store):
    new_store().save_processed(crash())
    assert (state(path).is_complete, state(path).problem) == (True, "")
    shutil.rmtree(path)
    new_store(has_earlier_crashes=lambda: True).save_processed(crash())
    assert not state(path).is_complete
    assert "may lack crashes: `socorro search index` adds them" in state(path).problem


def test_what_comes_while_the_file_is_locked_is_written_once_it_is_free(path, new_store, clock):
    store = new_store()
    store.save_processed(crash())
    before = queued("locked")
    crash_ids = [new_crash_id(DAY) for _ in range(3)]
    with locked(path):
        for crash_id in crash_ids:
            store.save_processed(crash(crash_id))
        # Only the first one waited for the lock.
        assert queued("locked") - before == 3
        assert state(path).waiting == 3
        assert state(path).crashes == 1
    clock.now += PAUSE
    later = crash()
    store.save_processed(later)
    assert found(path) >= {*crash_ids, later["uuid"]}
    assert (state(path).waiting, state(path).is_complete) == (0, True)
    assert not (path / "waiting.jsonl").exists()


def test_a_check_writes_what_waits_even_if_no_crash_comes(path, new_store, clock):
    store = new_store()
    store.save_processed(crash(signature="first"))
    with locked(path):
        store.save_processed(crash(signature="waits"))
        store.check()
        assert state(path).waiting == 1
    clock.now += PAUSE
    store.check()
    assert len(found(path, "signature=waits")) == 1


def test_changes_of_a_crash_are_written_in_their_order(path, new_store, clock):
    store = new_store()
    store.save_processed(crash(signature="first"))
    crash_id = new_crash_id(DAY)
    with locked(path):
        store.save_processed(crash(crash_id, signature="old"))
    clock.now += PAUSE
    store.save_processed(crash(crash_id, signature="new"))
    assert found(path, "signature=new") == {crash_id}
    assert found(path, "signature=old") == set()


def test_a_process_that_dies_leaves_what_waits_to_the_next(path, new_store, clock):
    store = new_store()
    store.save_processed(crash())
    crash_id = new_crash_id(DAY)
    with locked(path):
        store.save_processed(crash(crash_id))
    other = new_store()
    other.save_processed(crash())
    assert crash_id in found(path)


def test_lines_of_the_journal_that_cannot_be_read_cost_only_themselves(path, new_store, clock):
    store = new_store()
    store.save_processed(crash())
    crash_id = new_crash_id(DAY)
    with locked(path):
        store.save_processed(crash(crash_id))
    with (path / "waiting.jsonl").open("ab") as file:
        file.write(b'\xff\xfe{\n{"save": 3}\n{"save": {"crash_id": "x"}}\n[]\n{"torn": ')
    store.save_processed(crash())
    clock.now += PAUSE
    store.save_processed(crash())
    assert crash_id in found(path)
    assert not state(path).is_complete


@pytest.mark.parametrize("damage", ["random bytes", "an emptied file", "another program's file", "a newer version"])
def test_a_damaged_file_fails_no_crash_and_is_told(path, new_store, clock, damage, caplog):
    with closing(new_store()) as store:
        store.save_processed(crash())
    file = file_of(path)
    if damage == "random bytes":
        file.write_bytes(os.urandom(100_000))
    elif damage == "an emptied file":
        file.write_bytes(b"")
    else:
        if damage == "another program's file":
            file.unlink()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE other (x)")
            connection.execute("PRAGMA user_version = 99")
    store = new_store()
    for _ in range(3):
        store.save_processed(crash())
    assert state(path).problem
    assert "`socorro search index` builds it anew" in state(path).problem
    with pytest.raises(TransientStorageError, match="search index"):
        found(path)
    assert store.examine() == ""
    assert "`socorro search index` builds it anew" in caplog.text


def test_damage_within_the_file_is_noticed_and_told_to_everyone(path, new_store, clock):
    with closing(new_store()) as store:
        for number in range(300):
            store.save_processed(crash(app_notes=f"{number} " * 200))
    file = file_of(path)
    content = bytearray(file.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    store = new_store()
    store.save_processed(crash())
    assert "damaged" in state(path).problem
    assert Journal(path / "waiting.jsonl").size() > 0


def test_an_index_that_is_removed_in_use_is_made_again_and_may_lack_crashes(path, new_store, clock):
    store = new_store()
    store.save_processed(crash())
    shutil.rmtree(path)
    crash_ids = {new_crash_id(DAY) for _ in range(3)}
    for crash_id in crash_ids:
        store.save_processed(crash(crash_id))
        clock.now += PAUSE
    store.check()
    assert found(path) == crash_ids
    assert not state(path).is_complete


def test_a_crash_that_not_even_the_journal_takes_is_counted_and_the_index_is_incomplete(
    path, new_store, clock, monkeypatch
):
    store = new_store()
    store.save_processed(crash())
    assert state(path).is_complete
    before = METRICS.snapshot().counter("search.lost")
    monkeypatch.setattr(store, "_journal", Journal(path / "waiting.jsonl", maximum_size=10))
    with locked(path):
        store.save_processed(crash())
    assert METRICS.snapshot().counter("search.lost") - before == 1
    assert not state(path).is_complete


def test_nothing_is_made_where_the_directory_above_is_away_and_the_index_is_incomplete_once_that_is_back(
    tmp_path, clock
):
    above = tmp_path / "disk"
    path = above / "search"
    with closing(index_in(path, clock)) as store:
        store.save_processed(crash())
        before = METRICS.snapshot().counter("search.lost")
        above.rename(tmp_path / "away")
        store.save_processed(crash())
        assert not above.exists()
        assert METRICS.snapshot().counter("search.lost") - before == 1

        (tmp_path / "away").rename(above)
        assert state(path).is_complete
        clock.now += PAUSE
        store.save_processed(crash())

    assert (state(path).crashes, state(path).is_complete) == (2, False)


def test_a_crash_whose_store_goes_away_before_its_index_has_it_comes_again(tmp_path, monkeypatch):
    root = tmp_path / "crashes"
    with closing(IndexedFileSystemCrashStorage(defaults(IndexedFileSystemCrashStorage, root=str(root)))) as store:
        store.save_processed(crash())
        save = store.index.save_processed

        def goes_away(processed_crash):
            root.rename(tmp_path / "away")
            save(processed_crash)

        monkeypatch.setattr(store.index, "save_processed", goes_away)
        with pytest.raises(TransientStorageError, match="is mounted"):
            store.save_processed(crash())
    assert not root.exists()


def test_a_directory_that_cannot_be_written_fails_no_crash(path, new_store):
    path.parent.joinpath("search").write_text("a file in its place")
    store = new_store()
    store.save_processed(crash())
    store.check()
    assert store.examine() == ""


def test_a_power_cut_after_unwritten_saves_marks_the_index_as_incomplete(path, new_store):
    store = new_store(boot="first")
    store.save_processed(crash())
    # What a power cut leaves: the file, and a -wal that nobody brought to the disk.
    copy = path.with_name("copy")
    shutil.copytree(path, copy)
    store.close()
    with closing(new_store(boot="second")) as again:
        again.save_processed(crash())
    assert state(path).is_complete, "the file was closed before the boot"
    shutil.rmtree(path)
    copy.rename(path)
    with closing(new_store(boot="third")) as again:
        again.save_processed(crash())
    assert not state(path).is_complete
    assert len(found(path)) == 2


def test_a_bug_fails_no_crash_and_is_logged(path, new_store, monkeypatch, caplog):
    store = new_store()
    store.save_processed(crash())

    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr(writing.IndexWriter, "save", fail)
    store.save_processed(crash())
    assert "has a bug" in caplog.text
    assert not state(path).is_complete
    monkeypatch.undo()
    store.save_processed(crash())
    assert len(found(path)) == 2


def test_a_change_that_cannot_be_written_does_not_keep_those_that_wait_behind_it(path, new_store, clock, monkeypatch):
    store = new_store()
    store.save_processed(crash())
    crash_ids = [new_crash_id(DAY) for _ in range(3)]
    with locked(path):
        for crash_id in crash_ids:
            store.save_processed(crash(crash_id))
    save = writing.IndexWriter.save

    def fail_at_one(writer, indexed, **options):
        saved = save(writer, indexed, **options)
        if indexed.crash_id == crash_ids[1]:
            raise sqlite3.IntegrityError("boom")
        return saved

    monkeypatch.setattr(writing.IndexWriter, "save", fail_at_one)
    clock.now += PAUSE
    store.check()
    assert state(path).waiting == 0
    assert not state(path).is_complete
    assert found(path) >= {crash_ids[0], crash_ids[2]}
    assert crash_ids[1] not in found(path)
    with SQLiteCrashIndex(path, FieldTable()) as index:
        assert index.top(DAY, DAY).crashes == index.count() == 3


def test_readers_go_on_while_a_writer_is_in_the_midst_of_a_transaction(path, new_store):
    store = new_store()
    store.save_processed(crash())
    with SQLiteCrashIndex(path, FieldTable()) as index, locked(path):
        assert index.count() == 1
        assert index.top(DAY, DAY).crashes == 1


def test_a_call_that_takes_too_long_is_ended(path, new_store):
    store = new_store()
    for number in range(2000):
        store.save_processed(crash(app_notes=f"{number}" * 50))
    too_long = pytest.raises(TransientStorageError, match="it took too long: search fewer days")
    with SQLiteCrashIndex(path, FieldTable(), longest=0.0) as index, too_long:
        index.facets(["app_notes", "signature", "product"] * 6)
    assert len(found(path)) == 2000


WRITER = """
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
with closing(SQLiteSearchIndex(defaults(SQLiteSearchIndex, path=sys.argv[1]))) as store:
    for number in range(150):
        crash_id = new_crash_id(date(2026, 11, 24))
        for signature in ("first", f"{number % 3}"):
            store.save_processed({"uuid": crash_id, "signature": signature, "version": f"{number % 7}"})
    while store._journal.size():
        store.check()
"""


@pytest.mark.long
def test_two_processes_and_a_reader_share_an_index(path):
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) for _ in range(2)]
    seen = []
    while any(process.poll() is None for process in processes):
        if (path / "current").exists():
            with SQLiteCrashIndex(path, FieldTable()) as index:
                top = index.top(DAY, DAY)
                seen.append(top.crashes)
                assert top.crashes <= 300
    assert [process.wait() for process in processes] == [0, 0]
    assert seen == sorted(seen)
    assert len(found(path)) == 300
    with SQLiteCrashIndex(path, FieldTable()) as index:
        assert {each.signature: each.crashes for each in index.top(DAY, DAY).signatures} == dict.fromkeys("012", 100)


def test_many_threads_save_at_once_and_the_roll_ups_stay_right(path, new_store):
    store = new_store()
    crash_ids = [new_crash_id(DAY) for _ in range(20)]

    def save(part: int) -> None:
        for number, crash_id in enumerate(crash_ids):
            store.save_processed(crash(crash_id, signature=f"{(number + part) % 4}", os_name=f"{part % 3}"))

    threads = [threading.Thread(target=save, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.check()
    with SQLiteCrashIndex(path, FieldTable()) as index:
        top = index.top(DAY, DAY)
        assert top.crashes == index.count() == 20
        for each in top.signatures:
            assert each.crashes == index.count(read_filters([f"signature={each.signature}"]))
            assert sum(each.systems.values()) == each.crashes


def test_the_texts_of_a_removed_crash_are_gone_from_the_files(path, new_store):
    secret, shared = b"a-secret-of-the-user", b"a-text-that-others-have"
    removed = crash(reason="a-secret-of-the-user", email="a-secret-of-the-user", hang="a-text-that-others-have")
    with closing(new_store()) as store:
        store.save_processed(removed)
        store.save_processed(crash(hang="a-text-that-others-have"))
    assert any(secret in file.read_bytes() for file in path.iterdir())
    with closing(new_store()) as store:
        assert store.held(removed["uuid"]) == ["entry in the search index"]
        store.remove(removed["uuid"])
        assert store.held(removed["uuid"]) == []
        with pytest.raises(CrashIDNotFound):
            store.remove(removed["uuid"])
    content = b"".join(file.read_bytes() for file in path.iterdir())
    assert secret not in content
    assert shared in content


def test_a_word_that_was_swept_is_written_again_by_a_process_that_knew_it(path, new_store):
    store = new_store()
    first = crash(reason="SIGSEGV")
    store.save_processed(first)
    with closing(new_store()) as other:
        other.remove(first["uuid"])
    again = crash(reason="SIGSEGV")
    store.save_processed(again)
    assert found(path, "reason=SIGSEGV") == {again["uuid"]}


def test_a_crash_that_is_removed_while_it_waits_stays_removed(path, new_store, clock):
    store = new_store()
    store.save_processed(crash())
    crash_id = new_crash_id(DAY)
    with locked(path):
        store.save_processed(crash(crash_id))
    store.remove(crash_id)
    clock.now += PAUSE
    store.check()
    assert crash_id not in found(path)


def test_days_are_searched_by_words_also_if_older_crashes_were_saved_later(path, new_store):
    store = new_store()
    comment = "it closed as I opened the album"  # too long for the table of crashes
    days = [DAY, DAY - timedelta(days=2), DAY - timedelta(days=1), DAY - timedelta(days=3), DAY]
    ids = [new_crash_id(day) for day in days]
    for crash_id, day in zip(ids, days, strict=True):
        store.save_processed(crash(crash_id, user_comments=comment, submitted_timestamp=f"{day}T12:00:00+00:00"))
    with SQLiteCrashIndex(path, FieldTable()) as index:
        for first in range(4):
            for last in range(first + 1):
                dates = [DAY - timedelta(days=first), DAY - timedelta(days=last)]
                expected = {crash_id for crash_id, day in zip(ids, days, strict=True) if dates[0] <= day <= dates[1]}
                words = read_filters(["user_comments~the album"])
                within = (*words, *filters_of_days((dates[0], dates[1])))
                assert set(index.crash_ids(within, protected=True)) == expected
                counts = index.histogram(dates[0], dates[1], words, protected=True)
                assert sum(each.crashes for each in counts) == len(expected)
        assert not index.count((*words, *filters_of_days((DAY + timedelta(days=9), None))), protected=True)
        without = read_filters(["user_comments!~the album"])
        assert index.count((*without, *filters_of_days((DAY, DAY))), protected=True) == 0


@pytest.mark.parametrize("name", ["product", "version", "os_name", "signature"])
def test_days_by_a_field_of_the_daily_counts_are_those_of_the_crashes(path, new_store, name):
    store = new_store()
    for value in ("a", "a", "b" * 100, None):
        store.save_processed(crash(hang=1, **{name: value}))
    with SQLiteCrashIndex(path, FieldTable()) as index:
        (of_roll_up,) = index.histogram(DAY, DAY, by=name)
        (of_crashes,) = index.histogram(DAY, DAY, read_filters(["hang=1"]), by=name)
    assert of_roll_up == of_crashes
    assert of_roll_up.crashes == 4
    assert of_roll_up.by == {"a": 2, "b" * 100: 1, None: 1}


def test_texts_beyond_the_most_words_of_a_field_are_found_like_others(path, new_store, monkeypatch):
    monkeypatch.setattr(writing, "MOST_WORDS", 2)
    store = new_store()
    texts = ["a", "b", "c", "d" * 100, "e" * 100, "c"]
    for text in texts:
        store.save_processed(crash(reason=text, product=text, version=text, addons=[text, "9"]))
    with SQLiteCrashIndex(path, FieldTable()) as index:
        for text in set(texts):
            for name in ("reason", "product", "addons"):
                for sign in ("=", "~", "^"):
                    assert index.count(read_filters([f"{name}{sign}{text}"])) == texts.count(text), (name, text)
            assert index.count(read_filters([f"reason!={text}"])) == len(texts) - texts.count(text)
            assert index.top(DAY, DAY, read_filters([f"product={text}"])).crashes == texts.count(text)
        for facet in index.facets(["reason", "addons"]):
            assert {each.value: each.crashes for each in facet.values if each.value != "9"} == {
                text: texts.count(text) for text in texts
            }
        (day,) = index.histogram(DAY, DAY, by="reason")
        assert day.by == {text: texts.count(text) for text in texts}
        ordered = [each.fields["reason"] for each in index.find(sort=Sort("reason", descending=False)).crashes]
        assert ordered == sorted(texts)


def test_a_field_that_becomes_another_type_is_another_field(path):
    def save(kind: str, value: object) -> None:
        own = f'[{{"name": "album", "annotations": ["Album"], "type": "{kind}", "access": "public"}}]'
        with closing(SQLiteSearchIndex(defaults(SQLiteSearchIndex, path=str(path), own_fields=own))) as store:
            store.save_processed(crash(album=value))

    save("string", "Summer")
    save("integer", 2016)
    own = defaults(SQLiteSearchIndex, own_fields='[{"name": "album", "annotations": ["Album"], "type": "integer"}]')
    with SQLiteCrashIndex(path, FieldTable.of(own)) as index:
        assert index.count(read_filters(["album>2000"]), protected=True) == 1
        assert index.count(read_filters(["album?"]), protected=True) == 1


def test_a_field_that_the_file_does_not_have_yet_is_missing_in_all_crashes(path, new_store):
    new_store().save_processed(crash())
    own = defaults(
        SQLiteSearchIndex, own_fields='[{"name": "album", "annotations": ["Album"], "access": "public", "doc": "x"}]'
    )
    with SQLiteCrashIndex(path, FieldTable.of(own)) as index:
        assert index.count(read_filters(["album=x"])) == 0
        assert index.count(read_filters(["album!?"])) == 1
        assert index.facets(["album"])[0].missing == 1
        assert len(index.find(fields=["album"], sort=Sort("album")).crashes) == 1
        assert index.histogram(DAY, DAY, by="album")[0].crashes == 1


def test_the_journal_is_read_from_where_the_file_is(tmp_path):
    journal = Journal(tmp_path / "waiting.jsonl")
    removals = [Removal(new_crash_id(DAY)) for _ in range(5)]
    for removal in removals:
        journal.append(removal)
    position = writing.Position()
    seen = []
    is_end = False
    while not is_end:
        changes, position, is_end = journal.read(position, 2)
        seen += changes
    assert seen == removals
    assert journal.waiting(position) == 0
    journal.remove()
    journal.append(removals[0])
    assert journal.read(position, 9)[0] == removals[:1], "a position in another journal is the beginning of this one"


def test_the_directory_has_one_file_in_use_and_names_are_never_used_again(tmp_path):
    directory = IndexDirectory(tmp_path)
    assert directory.current() is None
    first = directory.next_name()
    directory.make_file(first)
    directory.use(first)
    second = directory.begin_building()
    directory.make_file(second)
    assert (first, second) == ("crashes-1.sqlite", "crashes-2.sqlite")
    directory.end_building(second)
    assert directory.current() == second
    assert directory.next_name() == "crashes-3.sqlite"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["crashes-2.sqlite", "current"]
    (tmp_path / "current").write_text("../../etc/passwd")
    assert IndexDirectory(tmp_path).current() is None


def test_what_a_redactor_removes_is_not_searched_by_everyone(path):
    config = defaults(SQLiteSearchIndex, path=str(path), forbidden_keys="java_stack_trace, url, reason, a.b")
    with closing(SQLiteSearchIndex(config)) as store:
        store.save_processed(crash(reason="secret", hang="open", email="ann@example.com"))
        old = crash(java_stack_trace="message", hang="open", url="https://example.com") | {"processing": {}}
        store.save_processed(old)
    with SQLiteCrashIndex(path, FieldTable()) as index:
        assert index.count(read_filters(["hang=open"])) == 2
        for condition in ("reason?", "java_stack_trace?"):
            assert index.count(read_filters([condition])) == 0
        # Those who may see data of users find what the table protects.
        for condition in ("email=ann@example.com", "url=https://example.com"):
            assert index.count(read_filters([condition]), protected=True) == 1
