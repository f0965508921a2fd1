"""``socorro cron verify-processed``, with two filesystem stores and the embedded queue."""

import json
import shutil
import tracemalloc
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import ACCEPTED, DEFERRED, dated_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.jobs.ledger import FileLedger
from socorro_processor.monitoring.metrics import METRICS

DAY = date(2016, 11, 23)
EMPTY = {
    "raw": 0,
    "deferred": 0,
    "missing": 0,
    "parked": 0,
    "pending": 0,
    "unfinished": 0,
    "queued": 0,
    "queued_before": 0,
    "left": 0,
    "stores": {},
}


class Installation:
    """An installation with raw crashes in ``first``, processed ones in ``first`` and ``second``."""

    def __init__(self, directory, capsys) -> None:
        self.directory = directory
        self._capsys = capsys
        self.first, self.second = (self._store(name) for name in ("first", "second"))
        self.queue = SQLiteCrashQueue(
            defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite"), idle_delay=0.01, retry_delays="60")
        )
        store = class_name(FileSystemCrashStorage)
        self.options = {
            "resource.filesystem.root": directory / "first",
            "destination.crashstorage_class": class_name(PolyCrashStorage),
            "destination.storage_classes": f"{store}, {class_name(NullCrashStorage)}, {store}",
            "destination.storage2.root": directory / "second",
            "new_crash_source.path": directory / "queue.sqlite",
            "cron.directory": directory / "jobs",
        }

    def _store(self, name: str) -> FileSystemCrashStorage:
        store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(self.directory / name)))
        store.setup()
        return store

    def crash(self, *stores, day=DAY, digit=ACCEPTED) -> str:
        """Save a raw crash, and its processed crash in these stores."""
        crash_id = dated_crash_id(uuid.uuid4(), digit, day)
        self.first.save_raw_crash({}, {}, crash_id)
        for store in stores:
            store.save_processed({"uuid": crash_id})
        return crash_id

    def verify(self, *arguments: str) -> tuple[int, list[str]]:
        options = [f"--{key}={value}" for key, value in self.options.items()]
        code = main(["cron", "verify-processed", *arguments, *options], environ={})
        out, err = self._capsys.readouterr()
        assert err == "", err
        return code, out.splitlines()

    def verify_day(self, *arguments: str) -> tuple[int, dict[str, tuple[str, list[str]]], dict]:
        """Return exit code, the lines about crashes, and the counts."""
        code, lines = self.verify("--json", f"--date={DAY}", *arguments)
        *crashes, counts = map(json.loads, lines)
        return code, {crash["crash_id"]: (crash["state"], crash["missing_in"]) for crash in crashes}, counts

    def take(self):
        delivery = next(delivery for delivery in self.queue.new_crashes() if delivery)
        self.queue.begin(delivery)
        return delivery

    def waiting(self) -> int:
        return self.queue.depths().queues["reprocessing"].waiting


@pytest.fixture
def installation(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    installation = Installation(tmp_path, capsys)
    yield installation
    installation.queue.close()


def test_if_nothing_is_missing_the_job_succeeds(installation):
    both = (installation.first, installation.second)
    installation.crash(*both)
    installation.crash(*both)
    assert installation.verify(f"--date={DAY}") == (0, ["2 raw crashes, 0 missing"])


def test_missing_crashes_are_listed_with_the_stores_that_lack_them(installation):
    nowhere, in_first, in_second = (
        installation.crash(*stores) for stores in ((), (installation.first,), (installation.second,))
    )
    installation.crash(installation.first, installation.second)
    code, found, counts = installation.verify_day()
    assert code == 1
    assert found == {
        nowhere: ("missing", ["storage0", "storage2"]),
        in_first: ("missing", ["storage2"]),
        in_second: ("missing", ["storage0"]),
    }
    assert counts == EMPTY | {"raw": 4, "missing": 3, "left": 3, "stores": {"storage0": 2, "storage2": 2}}


def test_the_output_is_lines_of_text(installation):
    crash_id = installation.crash(installation.first)
    code, lines = installation.verify(f"--date={DAY}")
    assert code == 1
    assert [line.split() for line in lines] == [
        [crash_id, "missing", "storage2"],
        ["1", "raw", "crashes,", "1", "missing", "(storage2", "1)"],
    ]


def test_yesterday_is_verified_unless_another_day_is_named(installation):
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    crash_id = installation.crash(day=yesterday)
    installation.crash(day=yesterday - timedelta(days=1))
    code, lines = installation.verify("--json")
    assert code == 1
    assert [json.loads(line).get("crash_id") for line in lines] == [crash_id, None]


def test_several_days_end_with_the_named_one(installation):
    crash_ids = [installation.crash(day=DAY - timedelta(days=number)) for number in (2, 1, 0)]
    installation.crash(day=DAY + timedelta(days=1))
    _, found, counts = installation.verify_day("--days=2")
    assert list(found) == crash_ids[1:]
    assert counts["raw"] == 2


def test_missing_crashes_are_queued_for_reprocessing_only_on_request(installation):
    crash_id = installation.crash()
    installation.verify_day()
    assert installation.waiting() == 0
    code, found, counts = installation.verify_day("--reprocess")
    assert (code, found[crash_id][0], counts["queued"]) == (0, "queued", 1)
    assert installation.waiting() == 1
    assert installation.take().crash_id == crash_id


def test_a_dry_run_queues_and_remembers_nothing(installation):
    installation.crash()
    code, lines = installation.verify(f"--date={DAY}", "--reprocess", "--dry-run")
    assert code == 0
    assert lines[-1] == "1 raw crashes, 1 missing (storage0 1, storage2 1): 1 would be queued again"
    assert installation.waiting() == 0
    assert not (installation.directory / "jobs").exists()


def test_waiting_crashes_and_those_in_work_are_only_counted(installation):
    for crash_id in (installation.crash(), installation.crash(), installation.crash()):
        installation.queue.submit(crash_id)
    installation.queue.retry(installation.take(), "the store is away", transient=True)
    installation.take()
    code, found, counts = installation.verify_day("--reprocess")
    assert (code, found) == (0, {})
    assert counts == EMPTY | {"raw": 3, "missing": 3, "pending": 3}
    assert installation.waiting() == 0


def test_parked_crashes_are_reported_separately_and_not_queued(installation):
    crash_id = installation.crash()
    installation.queue.submit(crash_id)
    installation.queue.park(installation.take(), "the document is too large")
    code, found, counts = installation.verify_day("--reprocess")
    assert (code, found) == (0, {crash_id: ("parked", ["storage0", "storage2"])})
    assert (counts["parked"], counts["queued"]) == (1, 0)
    assert installation.waiting() == 0


def test_a_deferred_crash_is_not_missing_and_not_queued(installation):
    installation.crash(digit=DEFERRED)
    assert installation.verify_day("--reprocess") == (0, {}, EMPTY | {"raw": 1, "deferred": 1})
    assert installation.waiting() == 0
    assert installation.verify(f"--date={DAY}") == (0, ["1 raw crashes (1 deferred), 0 missing"])


def test_a_deferred_crash_that_was_processed_on_request_and_that_a_store_has_lost_is_missing(installation):
    crash_id = installation.crash(installation.first, digit=DEFERRED)
    code, crashes, counts = installation.verify_day()
    assert (code, crashes) == (1, {crash_id: ("missing", ["storage2"])})
    assert (counts["missing"], counts["deferred"]) == (1, 0)


def test_a_deferred_crash_that_is_parked_is_reported_as_parked(installation):
    crash_id = installation.crash(digit=DEFERRED)
    installation.queue.submit(crash_id)
    installation.queue.park(installation.take(), "broken")
    code, crashes, counts = installation.verify_day()
    assert (code, crashes[crash_id][0], counts["deferred"]) == (0, "parked", 0)


def test_a_rejected_crash_whose_raw_crash_came_too_late_is_queued(installation):
    crash_id = installation.crash()
    installation.queue.submit(crash_id)
    installation.queue.reject(installation.take(), "not found")
    assert installation.verify_day("--reprocess")[1][crash_id][0] == "queued"


def test_a_crash_that_was_queued_recently_is_not_queued_again_wherever_it_is(installation):
    crash_id = installation.crash()
    installation.verify_day("--reprocess")
    installation.queue.ack(installation.take())
    code, found, counts = installation.verify_day("--reprocess")
    assert (code, found[crash_id][0], counts["queued"], counts["queued_before"]) == (0, "queued before", 0, 1)
    assert installation.waiting() == 0


def test_a_crash_that_was_queued_a_day_ago_and_is_still_missing_is_queued_again(installation):
    crash_id = installation.crash()
    installation.verify_day("--reprocess")
    installation.queue.ack(installation.take())
    ledger = FileLedger(installation.directory / "jobs")
    (record,) = ledger.records()
    record.memory["queued"][crash_id] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    ledger.record(record)
    assert installation.verify_day("--reprocess")[1][crash_id][0] == "queued"
    assert installation.waiting() == 1


def test_no_more_are_queued_than_the_maximum_and_the_others_are_left(installation):
    for _ in range(5):
        installation.crash()
    code, found, counts = installation.verify_day("--reprocess", "--maximum=2")
    assert code == 1
    assert sorted(state for state, _ in found.values()) == ["missing"] * 3 + ["queued"] * 2
    assert (counts["queued"], counts["left"]) == (2, 3)
    assert installation.waiting() == 2


def test_a_crash_that_is_saved_between_two_looks_is_not_missing(installation, monkeypatch):
    crash_id = installation.crash()
    pending = SQLiteCrashQueue.pending

    def saved_meanwhile(queue, crash_ids):
        installation.first.save_processed({"uuid": crash_id})
        installation.second.save_processed({"uuid": crash_id})
        return pending(queue, crash_ids)

    monkeypatch.setattr(SQLiteCrashQueue, "pending", saved_meanwhile)
    assert installation.verify_day("--reprocess") == (0, {}, EMPTY | {"raw": 1})


def test_a_missing_store_is_an_error_and_not_the_loss_of_all_crashes(installation, capsys):
    installation.crash(installation.first, installation.second)
    shutil.rmtree(installation.directory / "second")
    options = [f"--{key}={value}" for key, value in installation.options.items()]
    assert main(["cron", "verify-processed", "--reprocess", f"--date={DAY}", *options], environ={}) == 1
    assert "there is no directory" in capsys.readouterr().err
    assert installation.waiting() == 0
    assert [record.succeeded for record in FileLedger(installation.directory / "jobs").records()] == [False]


@pytest.mark.parametrize("days", [2, 10_000])
def test_a_day_that_has_not_begun_is_refused(installation, capsys, days):
    day = datetime.now(UTC).date() + timedelta(days=days)
    assert main(["cron", "verify-processed", f"--date={day}", "--reprocess"], environ={}) == 2
    assert "has not begun" in capsys.readouterr().err


class TellsNothing(SQLiteCrashQueue):
    """Like RabbitMQ, it does not know if a crash waits."""

    def pending(self, crash_ids):
        return None


@pytest.mark.parametrize("can_tell", [True, False])
def test_a_waiting_crash_of_today_is_not_missing(installation, can_tell):
    today = datetime.now(UTC).date()
    lost, waits = installation.crash(day=today), installation.crash(day=today)
    yesterday = installation.crash(day=today - timedelta(days=1))
    installation.queue.submit(waits)
    if not can_tell:
        installation.options["new_crash_source.new_crash_source_class"] = class_name(TellsNothing)
    code, lines = installation.verify("--json", f"--date={today}", "--days=2", "--reprocess")
    *crashes, counts = map(json.loads, lines)
    states = {crash["crash_id"]: crash["state"] for crash in crashes}
    assert (code, counts["left"], counts["missing"]) == (0, 0, 3)
    if can_tell:
        assert states == {lost: "queued", yesterday: "queued"}
        assert (counts["pending"], counts["unfinished"]) == (1, 0)
    else:
        assert states == {lost: "unfinished", waits: "unfinished", yesterday: "queued"}
        assert (counts["pending"], counts["unfinished"]) == (0, 2)
    assert installation.waiting() == counts["queued"]


@pytest.mark.parametrize("argument", ["--date=yesterday", "--days=0", "--maximum=-1"])
def test_arguments_that_mean_nothing_are_refused(capsys, argument):
    with pytest.raises(SystemExit) as ended:
        main(["cron", "verify-processed", argument], environ={})
    assert ended.value.code == 2


def test_a_destination_that_cannot_tell_is_refused(installation, capsys):
    option = f"--destination.crashstorage_class={class_name(NullCrashStorage)}"
    assert main(["cron", "verify-processed", option], environ={}) == 2
    assert "can tell which processed crashes it has" in capsys.readouterr().err


def test_missing_crashes_are_counted_by_store(installation):
    def counts() -> dict[str, int]:
        snapshot = METRICS.snapshot()
        stores = {
            f"missing {name}": snapshot.counter("verify.missing", store=name) for name in ("storage0", "storage2")
        }
        return stores | {name: snapshot.counter(f"verify.{name}") for name in ("raw", "left", "queued")}

    before = counts()
    installation.crash(installation.first)
    installation.crash()
    installation.verify_day("--reprocess", "--maximum=1")
    grown = {name: count - before[name] for name, count in counts().items()}
    assert grown == {"missing storage0": 1, "missing storage2": 2, "raw": 2, "left": 1, "queued": 1}


class ManyCrashes(CrashStorageBase):
    """A source of 200,000 crashes, and a destination that has all of them."""

    def raw_crash_ids(self, day):
        return (f"{number:08x}-dfc3-43e7-dead-8afd20{day:%y%m%d}" for number in range(200_000))

    def missing_processed(self, crash_ids):
        return set()


def test_a_day_of_many_crashes_takes_little_memory(installation):
    name = class_name(ManyCrashes)
    options = [f"--source.crashstorage_class={name}", f"--destination.crashstorage_class={name}"]
    tracemalloc.start()
    try:
        assert main(["cron", "verify-processed", f"--date={DAY}", *options], environ={}) == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
