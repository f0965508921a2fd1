"""The apps: which queue they read, and that they release their parts."""

import threading
import time
import uuid
from contextlib import closing
from typing import ClassVar

import pytest

from socorro_processor.app.fetch_transform_save import (
    FetchTransformSaveApp,
    FetchTransformSaveWithSeparateNewCrashSourceApp,
)
from socorro_processor.app.store_queue import SCAN_INTERVAL, StoreCrashQueue
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import DEFERRED, dated_crash_id, new_crash_id, today
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    ProcessingEnvironmentError,
    TransientStorageError,
)
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.machine.orphans import MARK, mark_of_children
from socorro_processor.pipeline.rule import Rule

DEADLINE = 20.0


@pytest.fixture
def make(tmp_path):
    """Build an app over stores in ``tmp_path``, with rules that need no stackwalker."""
    apps = []

    def make(app_class, **options):
        rules = '[["own", "", "", "apply_all_rules", "socorro_processor.rules.general.IdentifierRule"]]'
        config = defaults(
            app_class,
            **{
                "resource.filesystem.root": str(tmp_path / "crashes"),
                "app.temporary_directory": str(tmp_path / "temporary"),
                "processor.rule_sets": rules,
                **options,
            },
        )
        app = app_class(config)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()
    assert not any((tmp_path / "temporary").glob("*"))


def run_until(app, condition):
    """Run the app's task manager in a thread until ``condition`` holds."""
    queue = app.crash_queue()
    manager = app.task_manager(queue)
    thread = threading.Thread(target=manager.run)
    thread.start()
    try:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            threading.Event().wait(0.01)
    finally:
        manager.stop()
        thread.join(DEADLINE)
        queue.close()
    assert not thread.is_alive()


def is_processed(app, crash_id):
    try:
        return app.destination.get_unredacted_processed(crash_id)["crash_id"] == crash_id
    except CrashIDNotFound:
        return False


def test_the_plain_app_processes_the_unprocessed_crashes_of_its_store(make):
    app = make(FetchTransformSaveApp)
    done, waiting, later = (new_crash_id() for _ in range(3))
    app.source.save_raw_crash({}, {}, done)
    app.source.save_processed({"uuid": done, "crash_id": "untouched"})
    app.source.save_raw_crash({}, {}, waiting)
    run_until(app, lambda: is_processed(app, waiting))
    app.source.save_raw_crash({}, {}, later)
    run_until(app, lambda: is_processed(app, later))
    assert app.destination.get_unredacted_processed(done)["crash_id"] == "untouched"


def test_the_plain_app_leaves_deferred_crashes_alone(make, clock):
    app = make(FetchTransformSaveApp)
    deferred, other = dated_crash_id(uuid.uuid4(), DEFERRED, today()), new_crash_id()
    for crash_id in (deferred, other):
        app.source.save_raw_crash({}, {}, crash_id)
    with closing(StoreCrashQueue(app.source, app.directory.path, clock)) as queue:
        crashes = queue.new_crashes()
        assert next(crashes) is None
        delivery = next(crashes)
        assert delivery.crash_id == other
        queue.ack(delivery)
        clock.now += SCAN_INTERVAL
        assert [next(crashes), next(crashes)] == [None, None]


def test_a_deferred_crash_that_is_queued_by_its_id_is_processed(make, tmp_path):
    app = make(FetchTransformSaveWithSeparateNewCrashSourceApp, **{"new_crash_source.path": str(tmp_path / "queue")})
    deferred = dated_crash_id(uuid.uuid4(), DEFERRED, today())
    app.source.save_raw_crash({}, {}, deferred)
    with closing(app.crash_queue()) as queue:
        queue.submit(deferred, "reprocessing")
    run_until(app, lambda: is_processed(app, deferred))


def test_the_app_with_a_separate_source_processes_what_is_in_its_queue(make, tmp_path):
    path = str(tmp_path / "queue")
    app = make(FetchTransformSaveWithSeparateNewCrashSourceApp, **{"new_crash_source.path": path})
    queued, other = new_crash_id(), new_crash_id()
    for crash_id in (queued, other):
        app.source.save_raw_crash({}, {}, crash_id)
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path))
    queue.submit(queued)
    queue.close()
    run_until(app, lambda: is_processed(app, queued))
    assert not is_processed(app, other)


def test_an_unusable_store_is_reported_to_health(make, tmp_path):
    (tmp_path / "crashes").touch()
    app = make(FetchTransformSaveApp)
    app.check()
    assert app.health.problems().keys() == {"start", "source", "destination"}
    assert str(tmp_path / "crashes") in app.health.problems()["source"]
    (tmp_path / "crashes").unlink()
    app.source.save_raw_crash({}, {}, new_crash_id())
    app.check()
    assert app.health.problems().keys() == {"start"}
    (tmp_path / "crashes" / "v1").rename(tmp_path / "elsewhere")
    app.check()
    assert app.health.problems().keys() == {"start", "source", "destination"}
    (tmp_path / "elsewhere").rename(tmp_path / "crashes" / "v1")
    app.check()
    assert app.health.problems().keys() == {"start"}


def test_a_check_that_raises_an_unexpected_error_is_a_problem_and_ends_nothing(make):
    app = make(FetchTransformSaveApp)
    app.destination.check = lambda: 1 / 0
    app.check()
    assert "ZeroDivisionError" in app.health.problems()["destination"]


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_crash_is_tried_at_least_once(make, number):
    with pytest.raises(ConfigurationError):
        make(FetchTransformSaveApp, **{"app.maximum_attempts": number})


def test_a_store_that_cannot_be_listed_for_a_while_stops_nothing(make, clock, caplog):
    app = make(FetchTransformSaveApp)
    crash_id = new_crash_id()
    app.source.save_raw_crash({}, {}, crash_id)
    listed = app.source.new_crashes
    app.source.new_crashes = lambda: (_ for _ in ()).throw(TransientStorageError("the store is away"))
    queue = StoreCrashQueue(app.source, app.directory.path, clock)
    crashes = queue.new_crashes()
    assert next(crashes) is None
    assert "cannot look for new crashes" in caplog.text
    app.source.new_crashes = listed
    clock.now += SCAN_INTERVAL
    assert next(crashes) is None
    assert queue.depths().queues["normal"].waiting == 1
    queue.close()


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        ({"producer_consumer.number_of_threads": "7"}, 7),
        ({"producer_consumer.producer_consumer_class": "socorro_processor.app.task_manager.TaskManager"}, 1),
    ],
)
def test_the_log_says_how_much_memory_a_stackwalker_may_use_with_that_many_threads(make, caplog, options, threads):
    caplog.set_level("INFO")
    rules = '[["own", "", "", "apply_all_rules", "socorro_processor.rules.breakpad.BreakpadStackwalkerRule2015"]]'
    make(FetchTransformSaveApp, **options, **{"processor.rule_sets": rules})
    assert f"a stackwalker may use {memory_share(threads)} (memory_limit)" in caplog.text


class Cleaner(Rule):
    """Counts how often it was told to clean up."""

    told = 0

    def clean_up(self):
        type(self).told += 1


def test_each_rule_removes_once_what_a_killed_processor_left(make, monkeypatch):
    monkeypatch.setattr(Cleaner, "told", 0)
    make(
        FetchTransformSaveApp,
        **{"processor.rule_sets": f'[["own", "", "", "apply_all_rules", "{class_name(Cleaner)}"]]'},
    )
    assert Cleaner.told == 1


def test_an_app_over_stores_that_nobody_has_written_to_is_ready(make, tmp_path):
    app = make(FetchTransformSaveApp)
    app.health.resolve("start")
    app.check()
    assert app.health.problems() == {}
    assert not (tmp_path / "crashes").exists()


class _Prepared(Rule):
    """A rule that records how the programs are marked that it starts while it is prepared."""

    mark: ClassVar[dict[str, str]] = {}

    def prepare(self, threads: int) -> str:
        type(self).mark = mark_of_children()
        return ""


class _Unprepared(Rule):
    def prepare(self, threads: int) -> str:
        raise ProcessingEnvironmentError("there is no stackwalker")


def only(rule: type[Rule]) -> str:
    return f'[["own", "", "", "apply_all_rules", "{class_name(rule)}"]]'


def test_programs_that_a_killed_start_was_trying_are_found(make):
    app = make(FetchTransformSaveApp, **{"processor.rule_sets": only(_Prepared)})

    assert _Prepared.mark == {MARK: f"{app.directory.path}/"}


def test_a_start_that_fails_leaves_no_directory(make, tmp_path):
    with pytest.raises(ProcessingEnvironmentError):
        make(FetchTransformSaveApp, **{"processor.rule_sets": only(_Unprepared)})

    assert list((tmp_path / "temporary").iterdir()) == []
