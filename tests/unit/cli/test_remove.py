"""``socorro remove``, over filesystem stores and the embedded queue."""

import io
import json
import logging
import sys

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.crashstorage.fallback import FallbackCrashStorage
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.statsd import StatsdCounter
from socorro_processor.errors import CrashIDNotFound

RAW = {"Email": "ada@example.com", "URL": "https://example.com/private"}


class OperatorsStore(CrashStorageBase):
    """A queue that cannot tell its content."""


class StoreWithABug(CrashStorageBase):
    def held(self, crash_id):
        raise KeyError("of the operator")


class StoreThatOnlyRemoves(CrashStorageBase):
    def remove(self, crash_id):
        if crash_id != HERE:
            raise CrashIDNotFound(crash_id)


HERE = new_crash_id()


class Site:
    """Stores: the source in ``first``, which is also the first destination; another destination in ``second``."""

    def __init__(self, directory, capsys, monkeypatch) -> None:
        self.directory = directory
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.first, self.second = (self._store(name) for name in ("first", "second"))
        self.queue = SQLiteCrashQueue(
            defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite"), idle_delay=0.0, retry_delays="60")
        )
        store = class_name(FileSystemCrashStorage)
        self.options = {
            "resource.filesystem.root": directory / "first",
            "destination.crashstorage_class": class_name(PolyCrashStorage),
            "destination.storage_classes": f"{store}, {class_name(StatsdCounter)}, {store}",
            "destination.storage2.root": directory / "second",
            "new_crash_source.path": directory / "queue.sqlite",
        }

    def _store(self, name: str) -> FileSystemCrashStorage:
        store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(self.directory / name)))
        store.setup()
        return store

    def crash(self) -> str:
        crash_id = new_crash_id()
        self.first.save_raw_crash(RAW, {MAIN_DUMP: b"MDMP"}, crash_id)
        for store in (self.first, self.second):
            store.save_processed({"uuid": crash_id, "url": RAW["URL"]})
        return crash_id

    def remove(self, *arguments: object, given: bytes = b"") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        options = [f"--{key}={value}" for key, value in self.options.items()]
        code = main(["remove", *options, *map(str, arguments)], environ={})
        return code, *self._capsys.readouterr()

    def files(self) -> list[str]:
        return [
            path.name for root in ("first", "second") for path in (self.directory / root).rglob("*") if path.is_file()
        ]

    def take(self):
        delivery = next(delivery for delivery in self.queue.new_crashes() if delivery)
        self.queue.begin(delivery)
        return delivery


@pytest.fixture
def site(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handlers, level = logging.root.handlers[:], logging.root.level
    site = Site(tmp_path, capsys, monkeypatch)
    yield site
    site.queue.close()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_one_crash_is_erased_from_the_source_and_every_destination(site):
    crash_id, other = site.crash(), site.crash()
    code, out, _ = site.remove(crash_id)
    assert code == 0
    assert out.splitlines() == [
        crash_id,
        "    source                removed: raw crash, processed crash, dump upload_file_minidump, names of the dumps",
        "    destination.storage0  has nothing",
        "    destination.storage1  has nothing",
        "    destination.storage2  removed: processed crash",
    ]
    assert set(site.files()) == {other}


def test_the_log_says_who_removed_what_from_where_and_nothing_personal(site, monkeypatch):
    monkeypatch.setenv("SUDO_USER", "ada")
    crash_id = site.crash()
    _, _, err = site.remove(crash_id, "--logging.level=ERROR", f"--logging.audit_file={site.directory}/audit")
    (line,) = err.splitlines()
    assert f"INFO {crash_id} removed by=" in line
    assert "(sudo by ada)" in line
    assert 'from="source, destination.storage2" not_in="destination.storage0, destination.storage1"' in line
    assert "example.com" not in err
    assert (site.directory / "audit").read_text() == err


def test_the_audit_is_added_to_and_may_be_json(site):
    audit = site.directory / "audit"
    crash_id = site.crash()
    for _ in range(2):
        assert site.remove(crash_id, f"--logging.audit_file={audit}", "--logging.format=json")[0] == 0
    first, second = map(json.loads, audit.read_text().splitlines())
    assert (first["message"], first["from"]) == (f"{crash_id} removed", "source, destination.storage2")
    assert (second["message"], second.get("from")) == (f"{crash_id} nothing to remove", None)
    assert {"time", "by", "host"} <= first.keys()


def test_if_the_audit_cannot_be_written_nothing_is_removed(site):
    crash_id = site.crash()
    before = site.files()
    code, _, err = site.remove(crash_id, f"--logging.audit_file={site.directory}")
    assert code == 2
    assert "cannot write logging.audit_file" in err
    assert "nothing was done" in err
    assert site.files() == before


def test_an_audit_that_becomes_unwritable_ends_the_removal(site):
    first, second = site.crash(), site.crash()
    code, _, err = site.remove(first, second, "--logging.audit_file=/dev/full")
    assert code == 1
    assert f"cannot write logging.audit_file: No space left on device: {first} removed" in err
    assert second in site.files()


def test_a_dry_run_says_where_a_crash_is_and_removes_nothing(site):
    crash_id = site.crash()
    site.queue.submit(crash_id)
    before = site.files()
    code, out, err = site.remove(crash_id, "--dry-run", f"--logging.audit_file={site.directory}/audit")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        crash_id,
        "    source                has: raw crash, processed crash, dump upload_file_minidump, names of the dumps",
        "    destination.storage0  has: raw crash, processed crash, dump upload_file_minidump, names of the dumps",
        "    destination.storage1  has nothing",
        "    destination.storage2  has: processed crash",
        "    queue                 its id is pending",
    ]
    assert site.files() == before
    assert not (site.directory / "audit").exists()


def test_a_removal_may_be_repeated(site):
    crash_id = site.crash()
    assert [site.remove(crash_id)[0] for _ in range(2)] == [0, 0]


def test_a_store_that_is_away_does_not_stop_the_others_and_is_done_later(site):
    crash_id = site.crash()
    for top in ("v1", "v2"):
        (site.directory / "first" / top).rename(site.directory / f"away-{top}")
    code, out, err = site.remove(crash_id, "--json")
    assert code == 1
    stores = json.loads(out)["stores"]
    assert {name: found["state"] for name, found in stores.items()} == {
        "source": "failed",
        "destination.storage0": "failed",
        "destination.storage1": "nothing",
        "destination.storage2": "removed",
    }
    assert "there is no directory" in stores["source"]["error"]
    assert f"{crash_id} removal failed by=" in err
    assert 'not_from="source, destination.storage0"' in err
    for top in ("v1", "v2"):
        (site.directory / f"away-{top}").rename(site.directory / "first" / top)
    assert site.remove(crash_id)[0] == 0
    assert site.files() == []


def test_crash_ids_come_from_files_and_standard_input_too(site):
    first, second = site.crash(), site.crash()
    (site.directory / "crash_ids").write_text(first)
    assert site.remove("-", "--file", site.directory / "crash_ids", given=second.encode())[0] == 0
    assert site.files() == []


def test_an_invalid_crash_id_is_reported_and_the_others_are_removed(site):
    code, _, err = site.remove(site.crash(), "../../etc/passwd")
    assert code == 1
    assert "../../etc/passwd: '../../etc/passwd' is not a crash id" in err
    assert site.files() == []


def test_without_a_crash_id_nothing_is_removed(site):
    code, _, err = site.remove()
    assert (code, err) == (2, "socorro: no crashes to remove: name them by CRASH_ID, - or --file\n")


def test_an_id_that_is_set_aside_is_reported(site):
    parked, rejected = site.crash(), site.crash()
    site.queue.submit(parked)
    site.queue.park(site.take(), "too large")
    site.queue.submit(rejected)
    site.queue.reject(site.take(), "not found")
    _, out, _ = site.remove(parked, rejected, "--json")
    assert [json.loads(line)["queue"] for line in out.splitlines()] == [["parked"], ["rejected"]]


def test_a_queue_that_is_away_keeps_nothing_from_being_removed(site):
    crash_id = site.crash()
    site.options["new_crash_source.path"] = site.directory / "queue.sqlite" / "no-file"
    code, _, err = site.remove(crash_id, "--no-wait")
    assert code == 0
    assert "cannot tell whether the crashes are in the queue" in err
    assert "1 crash may be in work, and be saved after all: remove again after 990 s" in err
    assert site.files() == []


def test_a_crash_that_waits_or_is_not_queued_is_not_waited_for(site):
    crash_id = site.crash()
    site.queue.submit(crash_id)
    code, _, err = site.remove(crash_id)
    assert code == 0
    assert "may be in work" not in err


def test_a_crash_in_work_is_waited_for_and_removed_once_it_was_saved(site, monkeypatch):
    crash_id = site.crash()
    site.queue.submit(crash_id)
    delivery = site.take()

    def end(seconds):
        site.second.save_processed({"uuid": crash_id})
        site.queue.ack(delivery)

    monkeypatch.setattr("socorro_processor.removal.time.sleep", end)
    code, out, err = site.remove(crash_id)
    assert code == 0
    assert "1 crash may be in work, and be saved after all: looking again in 990 s" in err
    assert out.splitlines()[-5:] == [
        f"{crash_id} came back",
        "    source                has nothing",
        "    destination.storage0  has nothing",
        "    destination.storage1  has nothing",
        "    destination.storage2  removed: processed crash",
    ]
    assert site.files() == []


def test_without_waiting_the_command_says_when_to_look_again(site, monkeypatch):
    crash_id = site.crash()
    site.queue.submit(crash_id)
    site.take()

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("socorro_processor.removal.time.sleep", interrupt)
    code, _, err = site.remove(crash_id)
    assert code == 130
    assert "1 crash may be in work, and be saved after all: remove again after 990 s" in err


def test_a_crash_that_never_ends_is_waited_for_only_so_long(site):
    crash_id = site.crash()
    site.queue.submit(crash_id)
    site.take()
    assert site.remove(crash_id, "--app.maximum_crash_time=0.2")[0] == 0


@pytest.mark.parametrize(
    ("store", "told"),
    [
        (OperatorsStore, "OperatorsStore does not remove crashes: check it yourself"),
        (StoreWithABug, "StoreWithABug has a bug, KeyError: see the log"),
    ],
)
def test_an_own_store_that_cannot_remove_is_reported_and_the_others_remove(site, store, told):
    crash_id = site.crash()
    site.options["destination.storage_classes"] = f"{class_name(store)}, {class_name(FileSystemCrashStorage)}"
    del site.options["destination.storage2.root"]
    code, out, _ = site.remove(crash_id, f"--destination.storage1.root={site.directory}/second")
    assert code == 1
    assert f"    destination.storage0  FAILED: {told}" in out.splitlines()
    assert site.files() == []


def test_a_store_that_can_only_remove_does_so(site):
    site.options["destination.crashstorage_class"] = class_name(StoreThatOnlyRemoves)
    del site.options["destination.storage_classes"], site.options["destination.storage2.root"]
    assert "    destination  removed: unknown parts" in site.remove(HERE)[1].splitlines()
    assert "    destination  has nothing" in site.remove(new_crash_id())[1].splitlines()
    assert "does not tell what it has of a crash: check it yourself" in site.remove(HERE, "--dry-run")[1]


def test_each_store_of_a_fallback_is_reported_on_its_own(site):
    store = class_name(FileSystemCrashStorage)
    crash_id = site.crash()
    options = {
        "source.crashstorage_class": class_name(FallbackCrashStorage),
        "source.primary.storage_class": store,
        "source.secondary.storage_class": store,
        "source.secondary.root": site.directory / "second",
    }
    code, out, _ = site.remove(crash_id, *(f"--{key}={value}" for key, value in options.items()))
    assert code == 0
    assert out.splitlines()[1].startswith("    source.primary        removed: raw crash")
    assert out.splitlines()[2] == "    source.secondary      removed: processed crash"
