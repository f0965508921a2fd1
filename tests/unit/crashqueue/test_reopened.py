"""A queue that is away is opened when it is back, and one that was lost is opened again."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.configuration import DotDict, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.reopened import ReopenedQueue
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import ConfigurationError, CrashQueueError


@pytest.fixture
def config(tmp_path: Path) -> DotDict:
    return defaults(SQLiteCrashQueue, path=str(tmp_path / "queue" / "queue.sqlite"), busy_timeout=0.1)


def waiting(config: DotDict, crash_ids: list[str]) -> set[str] | None:
    with closing(SQLiteCrashQueue(config)) as queue:
        return queue.pending(crash_ids)


def test_a_queue_that_cannot_be_opened_at_first_takes_crashes_once_it_can(config, tmp_path):
    (tmp_path / "queue").touch()
    crash_id = new_crash_id()
    with closing(ReopenedQueue(config, SQLiteCrashQueue)) as queue:
        for _ in range(2):
            with pytest.raises(CrashQueueError, match="cannot open the queue"):
                queue.submit(crash_id)
        (tmp_path / "queue").unlink()
        queue.submit(crash_id)

        assert queue.pending([crash_id]) == {crash_id}
        assert queue.depths().queues["normal"].waiting == 1
        assert list(queue.set_aside("parked")) == []
    assert waiting(config, [crash_id]) == {crash_id}


@pytest.mark.parametrize("suffixes", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_a_queue_whose_files_were_removed_takes_crashes_again_and_has_those_of_before(suffixes, config):
    before, after = new_crash_id(), new_crash_id()
    with closing(ReopenedQueue(config, SQLiteCrashQueue)) as queue:
        queue.submit(before)
        for suffix in suffixes:
            Path(f"{config.path}{suffix}").unlink()
        queue.submit(after)
        queue.submit(after)
    assert waiting(config, [before, after]) == {before, after}


def test_a_queue_whose_files_were_removed_is_saved_when_somebody_looks_though_nobody_uses_it(config):
    crash_id = new_crash_id()
    with closing(ReopenedQueue(config, SQLiteCrashQueue)) as queue:
        queue.submit(crash_id)
        queue.look()
        for suffix in ("-wal", "-shm"):
            Path(f"{config.path}{suffix}").unlink()
        queue.look()
        assert waiting(config, [crash_id]) == {crash_id}


def test_it_is_opened_once_as_long_as_it_is_there(config):
    opened: list[DotDict] = []

    def open_queue(given: DotDict) -> SQLiteCrashQueue:
        opened.append(given)
        return SQLiteCrashQueue(given)

    with closing(ReopenedQueue(config, open_queue)) as queue:
        for _ in range(3):
            queue.submit(new_crash_id())

    assert opened == [config]


def use(queue: ReopenedQueue) -> list[Callable[[], object]]:
    return [
        lambda: queue.submit(new_crash_id()),
        queue.depths,
        lambda: queue.pending([]),
        lambda: queue.set_aside("parked"),
    ]


def test_once_closed_it_is_not_opened_again(config):
    queue = ReopenedQueue(config, SQLiteCrashQueue)
    queue.close()
    queue.close()

    for each in use(queue):
        with pytest.raises(CrashQueueError, match="the queue is closed"):
            each()


def test_a_wrong_option_is_told_at_once(config):
    config.lease_time = 0.0

    with pytest.raises(ConfigurationError, match="lease_time"):
        ReopenedQueue(config, SQLiteCrashQueue)
