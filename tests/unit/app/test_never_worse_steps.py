"""Never worse: the results that are saved in every store when a crash is processed again."""

import json
from dataclasses import replace

import pytest

from socorro_processor.app.crash_steps import CrashSteps
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import UnsavedCrashes
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.history import FORCE, NO_HISTORY, History
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import CrashStorageError, NotSavedError, TransientStorageError
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.retention.store import RetainedStore

CRASH_ID = new_crash_id()


class Walk(Rule):
    """Finds a stack in a dump whose content is a number: that many modules with symbols, as long as these exist."""

    evicted = False

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = "EMPTY"
        if (dump := crash.dumps.get(MAIN_DUMP)) and dump.read_bytes().isdigit():
            symbols = 0 if Walk.evicted else int(dump.read_bytes())
            crash.processed["signature"] = f"signature by {symbols}"
            crash.processed["json_dump"] = {
                "threads": [{"frames": [{"module": "a"}]}],
                "modules": [{"loaded_symbols": number < symbols} for number in range(9)],
            }
        return True


class OtherStore(InMemoryCrashStorage):
    """Fails as it is told to."""

    def __init__(self, config):
        super().__init__(config)
        self.save_errors: list[CrashStorageError] = []
        self.read_error: CrashStorageError | None = None
        self.reads = 0

    def get_unredacted_processed(self, crash_id):
        self.reads += 1
        if self.read_error:
            raise self.read_error
        return super().get_unredacted_processed(crash_id)

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        if self.save_errors:
            raise self.save_errors.pop(0)
        super().save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)


class Site:
    """A directory that is the source and the first of two destinations; ``other`` is the second."""

    def __init__(self, tmp_path):
        root = str(tmp_path / "crashes")
        self.source = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=root))
        self.destination = PolyCrashStorage(
            defaults(
                PolyCrashStorage,
                **{
                    "storage_classes": f"{class_name(FileSystemCrashStorage)}, {class_name(OtherStore)}",
                    "storage0.root": root,
                },
            )
        )
        self.other = self.destination.stores["storage1"]
        self.directory = ProcessDirectory(str(tmp_path / "temporary"))
        rule_sets = json.dumps([["own", "", "", "apply_all_rules", class_name(Walk)]])
        self.pipeline = ProcessorPipeline(defaults(ProcessorPipeline, rule_sets=rule_sets))
        self.steps = self.new_process()
        self.collect(b"3")

    def new_process(self) -> CrashSteps:
        return CrashSteps(self.source, self.pipeline, self.destination, self.directory, UnsavedCrashes())

    def collect(self, dump: bytes) -> None:
        self.source.save_raw_crash({"ProductName": "Lightbox"}, {MAIN_DUMP: dump}, CRASH_ID)

    def expire(self) -> None:
        assert self.source.delete(f"v1/dump/{CRASH_ID}")

    def saved(self) -> list[dict]:
        return [store.get_unredacted_processed(CRASH_ID) for store in (self.source, self.other)]

    def signatures(self) -> list[str]:
        return [processed["signature"] for processed in self.saved()]


@pytest.fixture
def site(tmp_path):
    Walk.evicted = False
    site = Site(tmp_path)
    yield site
    site.directory.close()


def expired(site):
    site.expire()


def evicted(site):
    Walk.evicted = True


def walker_fails(site):
    site.collect(b"damaged")


LOSSES = {
    expired: ("there is no dump any more", "EMPTY"),
    evicted: ("modules with symbols: 0", "signature by 0"),
    walker_fails: ("the stack could not be walked", "EMPTY"),
}


def fail_to_save(steps, history=NO_HISTORY, **options) -> History:
    """Return the history that the next attempt gets."""
    with pytest.raises(NotSavedError) as raised:
        steps.run(CRASH_ID, history=history, **options)
    error = raised.value
    return replace(history, unsaved=",".join(error.unsaved), failed=",".join(error.away), result=error.result)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [{}, {"is_new": True}, {"first_time": False}, {"attempt": 3, "first_time": False}])
def test_a_worse_result_leaves_the_earlier_one_unchanged_and_says_why(site, loss, options):
    site.steps.run(CRASH_ID)
    before = site.saved()
    loss(site)
    result = site.steps.run(CRASH_ID, **options)
    assert site.saved() == before
    assert LOSSES[loss][0] in result.kept_because
    assert (result.signature, result.success) == ("signature by 3", True)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_worse_result_replaces_the_earlier_one_everywhere_if_forced(site, loss):
    site.steps.run(CRASH_ID)
    loss(site)
    result = site.steps.run(CRASH_ID, history=History(work=FORCE))
    assert site.signatures() == [LOSSES[loss][1]] * 2
    assert result.kept_because == ""


def test_a_result_whose_dump_was_removed_to_save_room_stays_even_if_the_worse_one_is_forced(site):
    site.steps.run(CRASH_ID)
    before = site.saved()
    RetainedStore(site.source.config).remove_dumps(CRASH_ID, "because a test says so")
    result = site.steps.run(CRASH_ID, history=History(work=FORCE))
    assert site.saved() == before
    assert "there is no dump any more" in result.kept_because


def test_a_result_that_is_as_good_replaces_the_earlier_one(site):
    site.steps.run(CRASH_ID)
    before = site.saved()
    assert site.steps.run(CRASH_ID).kept_because == ""
    assert all(
        now["started_datetime"] > then["started_datetime"] for now, then in zip(site.saved(), before, strict=True)
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("lost_by", ["source", "other"])
def test_a_store_that_lost_the_earlier_result_gets_it_back(site, loss, lost_by):
    site.steps.run(CRASH_ID)
    before = site.saved()
    assert getattr(site, lost_by).delete(f"v1/processed_crash/{CRASH_ID}")
    loss(site)
    assert site.steps.run(CRASH_ID).kept_because
    assert site.saved() == before


def test_a_crash_that_no_store_has_is_processed_without_its_dump(site):
    site.expire()
    assert site.steps.run(CRASH_ID).kept_because == ""
    assert site.signatures() == ["EMPTY"] * 2


def test_a_store_that_an_earlier_attempt_did_not_reach_gets_the_good_result_if_the_retry_is_worse(site):
    site.other.save_errors = [TransientStorageError("away")]
    history = fail_to_save(site.steps)
    site.expire()
    result = site.new_process().run(CRASH_ID, first_time=False, history=history)
    assert site.signatures() == ["signature by 3"] * 2
    assert "there is no dump any more" in result.kept_because


def test_an_earlier_result_that_could_not_be_saved_everywhere_is_saved_there_and_logged_as_kept(site):
    site.steps.run(CRASH_ID)
    before = site.saved()
    site.expire()
    site.other.save_errors = [TransientStorageError("away")]
    history = fail_to_save(site.steps)
    result = site.steps.run(CRASH_ID, first_time=False, history=history)
    assert "there is no dump any more" in result.kept_because
    assert site.saved() == before


def test_force_holds_for_a_retry_in_another_process(site):
    site.steps.run(CRASH_ID)
    site.expire()
    site.other.save_errors = [TransientStorageError("away")]
    history = fail_to_save(site.steps, History(work=FORCE))
    site.new_process().run(CRASH_ID, first_time=False, history=history)
    assert site.signatures() == ["EMPTY"] * 2


@pytest.mark.parametrize("started", [None, 5, "2016-11-23 12:34:56"])
def test_an_earlier_result_of_another_program_is_saved_everywhere_whatever_its_time(site, started):
    old = {"uuid": CRASH_ID, "signature": "old", "json_dump": {"crashing_thread": {"frames": []}}}
    old |= {"started_datetime": started} if started else {}
    site.source.save_processed(old)
    site.expire()
    site.other.save_errors = [TransientStorageError("away")]
    history = fail_to_save(site.steps)
    assert site.steps.run(CRASH_ID, first_time=False, history=history).kept_because
    assert site.saved() == [old, old]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"no JSON", "the earlier result cannot be read"),
        (b"[]", "the earlier result cannot be read"),
        (b'{"uuid": "another"}', "the earlier result is another crash's"),
        (b"{}", "the earlier result is another crash's"),
    ],
)
def test_a_malformed_earlier_result_is_a_note_and_another_store_is_asked(site, content, note):
    site.source.put(f"v1/processed_crash/{CRASH_ID}", content)
    site.steps.run(CRASH_ID)
    assert note in site.saved()[0]["processor_notes"]
    site.source.put(f"v1/processed_crash/{CRASH_ID}", content)
    site.expire()
    assert site.steps.run(CRASH_ID).kept_because
    assert site.signatures() == ["signature by 3"] * 2


def test_while_a_store_that_may_have_an_earlier_result_is_away_no_worse_one_is_saved(site):
    site.steps.run(CRASH_ID)
    site.source.delete(f"v1/processed_crash/{CRASH_ID}")
    site.expire()
    site.other.read_error = TransientStorageError("away")
    with pytest.raises(NotSavedError) as raised:
        site.steps.run(CRASH_ID)
    assert (raised.value.away, raised.value.transient) == (["storage1"], True)
    site.other.read_error = None
    assert site.steps.run(CRASH_ID).kept_because
    assert site.signatures() == ["signature by 3"] * 2


def test_no_other_store_is_asked_about_a_new_crash_with_its_dump(site):
    site.steps.run(CRASH_ID, is_new=True)
    assert site.other.reads == 0
