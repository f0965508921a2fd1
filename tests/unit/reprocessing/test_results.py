"""Results of crashes that were queued again, with a store in memory and the embedded queue."""

from datetime import UTC, datetime, timedelta

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.errors import ConfigurationError, TransientStorageError
from socorro_processor.reprocessing.journal import Queued
from socorro_processor.reprocessing.results import Results


class Site:
    """``happens`` is a list of events, one for each time that the command sleeps."""

    def __init__(self, directory) -> None:
        self.store = InMemoryCrashStorage(defaults(InMemoryCrashStorage))
        path = str(directory / "queue.sqlite")
        self._connect = lambda: SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path, idle_delay=0.0))
        self.queue = self._connect()
        self.now = 0.0
        self.happens = []
        self.results = Results(self.store, self.queue, self._connect, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.happens:
            self.happens.pop(0)()

    def crash(self, signature: str | None = None) -> Queued:
        """Queue a crash, which has been processed before if a signature is given."""
        crash_id = new_crash_id()
        if signature is not None:
            self.process(crash_id, signature)
        queued = Queued(crash_id, datetime.now(UTC), *self.results.before(crash_id))
        self.queue.submit(crash_id, "reprocessing")
        return queued

    def process(self, crash_id: str, signature: str, *, success: bool = True) -> None:
        completed = datetime.now(UTC).isoformat()
        processed = {"uuid": crash_id, "signature": signature, "completed_datetime": completed, "success": success}
        self.store.save_processed(processed)

    def put_aside(self, how: str) -> None:
        """Park or reject the queue's next crash."""
        delivery = next(delivery for delivery in self.queue.new_crashes() if delivery)
        self.queue.begin(delivery)
        getattr(self.queue, how)(delivery, *[] if how == "ack" else ["for a reason"])

    def outcomes(self, *queued: Queued, patience: float = 5.0) -> list[tuple[str, str, str, str]]:
        summary = self.results.wait(queued, patience, lambda: None)
        return [(crash.crash_id, crash.outcome, crash.before, crash.after) for crash in summary.crashes]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.queue.close()


def test_a_crash_whose_signature_changed_is_reported_with_both(site):
    crash = site.crash("OOM")
    site.process(crash.crash_id, "OOM | small")
    assert site.outcomes(crash) == [(crash.crash_id, "changed", "OOM", "OOM | small")]


def test_a_crash_that_is_processed_as_before_is_the_same(site):
    crash = site.crash("OOM")
    site.process(crash.crash_id, "OOM")
    assert site.outcomes(crash) == [(crash.crash_id, "same", "OOM", "OOM")]


def test_a_crash_that_had_not_been_processed_is_new(site):
    crash = site.crash()
    site.process(crash.crash_id, "OOM")
    assert site.outcomes(crash) == [(crash.crash_id, "new", "", "OOM")]


def test_a_crash_whose_rules_failed_is_not_successful(site):
    crash = site.crash("OOM")
    site.process(crash.crash_id, "EMPTY", success=False)
    summary = site.results.wait([crash], 5.0, lambda: None)
    assert [each.outcome for each in summary.crashes] == ["failed"]
    assert not summary.is_well


def test_a_crash_that_is_done_later_is_waited_for(site):
    crash = site.crash("OOM")
    site.happens = [lambda: None, lambda: site.process(crash.crash_id, "small")]
    assert site.outcomes(crash) == [(crash.crash_id, "changed", "OOM", "small")]


@pytest.mark.parametrize(("how", "outcome"), [("park", "parked"), ("reject", "rejected")])
def test_a_crash_that_is_set_aside_is_not_waited_for(site, how, outcome):
    crash = site.crash("OOM")
    site.happens = [lambda: site.put_aside(how)]
    assert site.outcomes(crash) == [(crash.crash_id, outcome, "OOM", "")]


def test_a_crash_that_has_left_the_queue_unchanged_keeps_its_earlier_result_and_is_successful(site):
    crash, other = site.crash("OOM"), site.crash("OOM")
    site.happens = [lambda: site.put_aside("ack")]
    summary = site.results.wait([crash, other], 5.0, lambda: None)
    assert [(each.crash_id, each.outcome, each.after) for each in summary.crashes] == [
        (crash.crash_id, "kept", "OOM"),
        (other.crash_id, "waiting", ""),
    ]
    site.put_aside("ack")
    summary = site.results.wait([other], 5.0, lambda: None)
    assert summary.is_well


@pytest.mark.parametrize(("end", "outcome"), [("ack", "kept"), ("park", "parked"), (None, "waiting")])
def test_a_queue_that_cannot_tell_which_crashes_it_has_must_be_empty_once_patience_is_over(
    site, monkeypatch, end, outcome
):
    monkeypatch.setattr(SQLiteCrashQueue, "pending", lambda queue, crash_ids: None)
    crash = site.crash("OOM")
    if end:
        site.happens = [lambda: site.put_aside(end)]
    assert site.outcomes(crash)[0][1] == outcome


def test_a_crash_that_was_parked_before_is_waited_for(site):
    earlier = site.crash("OOM")
    site.put_aside("park")
    crash = Queued(earlier.crash_id, datetime.now(UTC), earlier.completed, earlier.signature)
    site.queue.submit(crash.crash_id, "reprocessing")
    site.happens = [lambda: site.process(crash.crash_id, "small")]
    assert site.outcomes(crash) == [(crash.crash_id, "changed", "OOM", "small")]


def test_when_no_crash_is_done_for_a_long_time_the_rest_is_given_up(site):
    first, second, third = (site.crash("OOM") for _ in range(3))
    site.happens = [lambda: None] * 3 + [lambda: site.process(second.crash_id, "OOM")]
    outcomes = site.outcomes(first, second, third, patience=5.0)
    assert outcomes[0] == (second.crash_id, "same", "OOM", "OOM")
    assert sorted(outcomes[1:]) == sorted((each.crash_id, "waiting", "OOM", "") for each in (first, third))
    assert site.now == 9.0


def test_none_of_more_crashes_than_fit_one_request_is_forgotten(site):
    crashes = [site.crash("OOM") for _ in range(120)]
    for crash in crashes[::-1]:
        site.happens.append(lambda crash=crash: site.process(crash.crash_id, "small"))
    summary = site.results.wait(crashes, 5.0, lambda: None)
    assert {each.crash_id for each in summary.crashes} == {crash.crash_id for crash in crashes}
    assert {each.outcome for each in summary.crashes} == {"changed"}


def test_a_store_that_is_away_for_a_while_is_waited_for(site, monkeypatch):
    crash = site.crash("OOM")
    site.process(crash.crash_id, "small")

    def away(crash_id):
        raise TransientStorageError("away")

    monkeypatch.setattr(site.store, "get_processed", away)
    site.happens = [lambda: monkeypatch.undo()]
    assert site.outcomes(crash) == [(crash.crash_id, "changed", "OOM", "small")]


def test_if_the_earlier_result_is_unknown_a_later_one_counts(site):
    known = site.crash("OOM")
    crash = Queued(known.crash_id, known.time)
    assert site.outcomes(crash, patience=0.0) == [(crash.crash_id, "waiting", "", "")]
    site.process(crash.crash_id, "small")
    assert site.outcomes(crash) == [(crash.crash_id, "done", "", "small")]
    assert (
        site.outcomes(Queued(crash.crash_id, datetime.now(UTC) + timedelta(hours=1)), patience=0.0)[0][1] == "waiting"
    )


def test_a_store_that_cannot_be_read_is_a_configuration_error(site):
    results = Results(CrashStorageBase(defaults(CrashStorageBase)), site.queue, lambda: site.queue)
    with pytest.raises(ConfigurationError, match="no store of the destination returns processed crashes"):
        results.before(new_crash_id())


def test_the_most_frequent_changes_come_first(site):
    crashes = [site.crash("OOM | large"), *(site.crash("OOM") for _ in range(3))]
    for crash in crashes[:-1]:
        site.process(crash.crash_id, "small")
    summary = site.results.wait(crashes, 0.0, lambda: None)
    assert summary.counts == {"changed": 3, "waiting": 1}
    assert summary.changes.most_common() == [(("OOM", "small"), 2), (("OOM | large", "small"), 1)]
