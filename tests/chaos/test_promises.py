"""The balance of a run sees each thing that must not happen, and nothing in a run where all went well."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.chaos.promises import MARK, Balance, Sending, Span, StoredCrash, content_of, stored_crash
from tests.multipart import MINIDUMP

DOWN, FULL = Span(20.0, 30.0), Span(40.0, 50.0)
WHILE_UP, WHILE_DOWN, WHILE_FULL = Span(10.0, 11.0), Span(29.0, 31.0), Span(39.0, 41.0)


def sending(report: str, crash_id: str = "", *, at: Span = WHILE_UP, **values: Any) -> Sending:
    """Return a try of the sender that sends once; with a crash id it was promised."""
    status = 200 if crash_id else 0
    return Sending(
        **{
            "sender": "once",
            "report": report,
            "content": f"content of {report}",
            "begun": at.begin,
            "ended": at.end,
            "is_whole": True,
            "status": status,
            "crash_id": crash_id,
            **values,
        }
    )


def stored(**reports: str) -> dict[str, StoredCrash]:
    """Return crashes of a store by id, from the reports by id."""
    return {crash_id: StoredCrash(report, f"content of {report}") for crash_id, report in reports.items()}


def wrong(sendings: list[Sending], crashes: dict[str, StoredCrash]) -> list[str]:
    return list(Balance(sendings, crashes, closed=[DOWN], full=[FULL]).wrong())


def first_words(found: list[str]) -> list[str]:
    return [each.partition(":")[0] for each in found]


RIGHT = {
    "promised and stored": ([sending("r", "a")], stored(a="r")),
    "sent again until it was promised": (
        [sending("r", at=WHILE_DOWN, sender="retries"), sending("r", "a", sender="retries")],
        stored(a="r"),
    ),
    "sent again with the same answer": ([sending("r", "a"), sending("r", "a")], stored(a="r")),
    "stored without an answer, because the server died": ([sending("r", at=WHILE_DOWN)], stored(a="r")),
    "no answer and not stored, because the server died": ([sending("r", at=WHILE_DOWN, is_whole=False)], {}),
    "503 while the disk was full": ([sending("r", at=WHILE_FULL, status=503)], {}),
    "broken off": ([sending("r", sender="breaks off", is_whole=False)], {}),
    "malformed and refused": ([sending("r", sender="malformed", status=400)], {}),
    "malformed, while the server died": ([sending("r", sender="malformed", at=WHILE_DOWN)], {}),
    "malformed, while the disk was full": ([sending("r", sender="malformed", at=WHILE_FULL, status=503)], {}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_may_happen_is_not_reported(name):
    assert wrong(*RIGHT[name]) == []


WRONG = {
    "promised and not stored": ([sending("r", "a")], {}, ["lost"]),
    "promised to one who sent again and not stored": ([sending("r", "a", sender="retries")], {}, ["lost"]),
    "stored under another id": ([sending("r", "a")], stored(b="r"), ["lost"]),
    "stored with another content": ([sending("r", "a")], {"a": StoredCrash("r", "another")}, ["lost", "half"]),
    "stored without its dump": ([sending("r", "a")], {"a": StoredCrash("r", "")}, ["lost", "half"]),
    "one id for two contents": (
        [sending("r", "a"), sending("r", "a", content="another")],
        stored(a="r"),
        ["lost"],
    ),
    "one id for two reports": ([sending("r", "a"), sending("s", "a")], stored(a="r"), ["lost"]),
    "promised as two crashes, one of them stored": (
        [sending("r", "a"), sending("r", "b")],
        stored(a="r"),
        ["lost", "twice"],
    ),
    "promised and stored as two crashes": (
        [sending("r", "a"), sending("r", "b")],
        stored(a="r", b="r"),
        ["twice", "twice"],
    ),
    "stored as two crashes": ([sending("r", "a")], stored(a="r", b="r"), ["twice"]),
    "stored twice without an answer": ([sending("r", at=WHILE_DOWN)], stored(a="r", b="r"), ["twice"]),
    "stored, and sent by nobody": ([], stored(a="r"), ["half"]),
    "stored, and broken off": ([sending("r", sender="breaks off", is_whole=False)], stored(a="r"), ["half"]),
    "stored, and not sent to its end": ([sending("r", at=WHILE_DOWN, is_whole=False)], stored(a="r"), ["half"]),
    "stored, and malformed": ([sending("r", sender="malformed", status=400)], stored(a="r"), ["half"]),
    "503 while there was room": ([sending("r", status=503)], {}, ["turned away"]),
    "503 while there was room, and sent again": (
        [sending("r", status=503, sender="retries"), sending("r", "a", sender="retries")],
        stored(a="r"),
        ["turned away"],
    ),
    "503 while the server started": ([sending("r", at=WHILE_DOWN, status=503)], {}, ["turned away"]),
    "no answer while a server ran": ([sending("r")], {}, ["turned away"]),
    "no answer while the disk was full": ([sending("r", at=WHILE_FULL)], {}, ["turned away"]),
    "refused as malformed, which it was not": ([sending("r", status=400)], {}, ["answered with 400"]),
    "an error": ([sending("r", at=WHILE_FULL, status=500)], {}, ["answered with 500"]),
    "thanked without a crash id": ([sending("r", status=200)], {}, ["answered with 200"]),
    "a promise for a malformed one": (
        [sending("r", "a", sender="malformed")],
        stored(a="r"),
        ["half", "answered with 200"],
    ),
    "no answer for a malformed one": ([sending("r", sender="malformed")], {}, ["turned away"]),
    "503 for a malformed one while there was room": (
        [sending("r", sender="malformed", status=503)],
        {},
        ["turned away"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_must_not_happen_is_reported_also_among_what_may(name):
    sendings, crashes, found = WRONG[name]
    others = [sending("other", "o"), sending("other", "o", sender="retries")]

    assert first_words(wrong([*others, *sendings], {**stored(o="other"), **crashes})) == found


def test_the_facts_count_each_promise_by_its_sender_and_what_was_kept_without_one():
    sendings = [
        *(sending("again", at=at, sender="retries") for at in (WHILE_DOWN, WHILE_DOWN)),
        sending("again", "a", sender="retries"),
        sending("once", "b"),
        sending("full", at=WHILE_FULL, status=503),
        sending("unanswered", at=WHILE_DOWN),
        sending("broken", sender="breaks off", is_whole=False),
        sending("malformed", sender="malformed", status=400),
    ]
    facts = Balance(sendings, stored(a="again", b="once", c="unanswered"), [DOWN], [FULL]).facts()

    assert facts == {
        "tries to send": 8,
        "promises": 2,
        "promises to the sender that retries": 1,
        "promises to the sender that once": 1,
        "reports that were sent again until there was a promise": 1,
        "uploads that were broken off": 1,
        "uploads that were refused as malformed": 1,
        "answers of 503 while the disk was full": 1,
        "tries while no server ran": 3,
        "crashes kept although nobody got the answer": 1,
        "ends of the server in the midst": 1,
    }


SENT = {"ProductName": "Example", MARK: "r"}
ADDED = {"uuid": "a", "submitted_timestamp": "2026-12-01T00:00:00+00:00", "legacy_processing": 0, "metadata": {}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CrashStorageBase]:
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path)))) as store:
        yield store


@pytest.mark.parametrize(
    ("raw_crash", "dumps", "is_whole"),
    [
        (SENT | ADDED, {MAIN_DUMP: MINIDUMP}, True),
        (SENT | ADDED, {MAIN_DUMP: MINIDUMP[:-1]}, False),
        (SENT | ADDED, {"another": MINIDUMP}, False),
        (SENT | ADDED, {}, False),
        ({MARK: "r"} | ADDED, {MAIN_DUMP: MINIDUMP}, False),
        (SENT | ADDED | {"ProductName": "Exam"}, {MAIN_DUMP: MINIDUMP}, False),
        (SENT | ADDED | {"Version": "1.0"}, {MAIN_DUMP: MINIDUMP}, False),
    ],
)
def test_a_stored_crash_is_whole_if_its_dump_and_annotations_are_those_that_were_sent(
    raw_crash, dumps, is_whole, store
):
    crash_id = new_crash_id()
    store.save_raw_crash(raw_crash, dumps, crash_id)

    assert (stored_crash(store, crash_id) == StoredCrash("r", content_of(SENT, MINIDUMP))) == is_whole


def test_a_stored_crash_whose_annotations_are_damaged_is_not_whole(store, tmp_path):
    crash_id = new_crash_id()
    store.save_raw_crash(SENT | ADDED, {MAIN_DUMP: MINIDUMP}, crash_id)
    (file,) = (tmp_path / "v2" / "raw_crash").rglob(crash_id)
    file.write_bytes(file.read_bytes()[:-10])

    assert stored_crash(store, crash_id) == StoredCrash("", "")
