"""The journals of requests, which record crashes while they are queued."""

from contextlib import closing
from datetime import UTC, datetime

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.reprocessing.journal import Journal, Queued, journal_name, read_journal
from socorro_processor.reprocessing.submission import submit_all


def test_the_name_of_a_journal_depends_on_the_request():
    name = journal_name(["signature=OOM | small", "product=Lightbox", "reprocessing"])
    assert name.startswith("reprocess-signature=OOM_small_product=Lightbox_reprocessing-")
    assert name == journal_name(["signature=OOM | small", "product=Lightbox", "reprocessing"])


@pytest.mark.parametrize("asked", [["signature=OOM; small"], ["signature=OOM _small"], ["signature=OOM", "small"], []])
def test_another_request_has_another_journal(asked):
    assert journal_name(asked) != journal_name(["signature=OOM | small"])


@pytest.mark.parametrize("text", ["../../etc/passwd", "\x1b[31m\n\0\udcff", "ü" * 5000, "."])
def test_the_name_is_a_file_name_whatever_was_requested(tmp_path, text):
    with closing(Journal(tmp_path / journal_name([text]))):
        (path,) = tmp_path.iterdir()
    assert path.name.isascii()
    assert path.name.isprintable()


@pytest.mark.parametrize("has_file", [True, False])
def test_a_queued_crash_is_in_the_journal_before_it_is_reported(tmp_path, has_file):
    path = tmp_path / "journal"
    crash_ids = [new_crash_id() for _ in range(3)]
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"))
    with closing(SQLiteCrashQueue(config)) as queue, closing(Journal(path if has_file else None)) as journal:
        for count, crash_id in enumerate(submit_all(crash_ids, queue, "priority", "", journal, print), 1):
            assert list(journal.queued) == crash_ids[:count]
            assert crash_id == crash_ids[count - 1]
            assert len(read_journal(path)) == (count if has_file else 0)
        assert queue.pending(crash_ids) == set(crash_ids)
    assert path.exists() == has_file


def test_a_written_journal_is_read_back(tmp_path):
    path = tmp_path / "journal"
    now = datetime.now(UTC)
    entries = [
        Queued(new_crash_id(), now),
        Queued(new_crash_id(), now, ""),
        Queued(new_crash_id(), now, "2016-11-23", "OOM\n|\udcff small"),
    ]
    with closing(Journal(path)) as journal:
        for queued in entries:
            journal.add(queued)
    assert read_journal(path) == {queued.crash_id: queued for queued in entries}
    with closing(Journal(path)) as journal:
        assert journal.queued == read_journal(path)
        journal.clear()
    assert read_journal(path) == {}
