"""Three kinds of clients: each goes on as it should after an answer, and notes every try."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.chaos.promises import Sending
from tests.chaos.senders import Senders, read_sendings
from tests.chaos.submitter import HEALTHY, MALFORMED, TWICE
from tests.web_server import running

SEED = 7
HEALTHY_ONES = 40

Answers = Callable[[int], tuple[int, str]]
"""Returns status and text for the nth request with the same body, from 1 on."""


class Door:
    """A server that answers as a test says, and keeps the bodies that came."""

    def __init__(self, answers: Answers) -> None:
        self.whole: Counter[bytes] = Counter()
        self.broken_off = 0
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            self.broken_off += 1
            return
        self.whole[body] += 1
        status, text = self._answers(self.whole[body])
        await PlainTextResponse(text, status)(scope, receive, send)


def promise(_: int = 0) -> tuple[int, str]:
    return 200, f"CrashID=bp-{new_crash_id()}\n"


def only_the_second_time(number: int) -> tuple[int, str]:
    return promise() if number > 1 else (503, "later")


class Sent:
    """The tries of senders at a door, and the journal of what was promised."""

    def __init__(self, directory: Path, kinds: list[str], door: Door) -> None:
        journal, sendings = directory / "journal.jsonl", directory / "sendings.jsonl"
        store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(directory / "crashes")))
        with closing(store), running(door) as server, journal.open("w") as promised, sendings.open("w") as tried:
            senders = Senders(server.port, SEED, promised, tried, store)
            for kind in kinds:
                senders.send(kind)
            senders.stop()
        self.promised = [json.loads(line)["crash_id"] for line in journal.read_text().splitlines()]
        self.tries = list(read_sendings(sendings))

    def by_report(self, sender: str) -> list[list[Sending]]:
        """Return the tries of each report, in order."""
        reports: dict[str, list[Sending]] = defaultdict(list)
        for each in self.tries:
            if each.sender == sender:
                reports[each.report].append(each)
        assert reports
        return list(reports.values())


@pytest.fixture(scope="module")
def door() -> Door:
    return Door(only_the_second_time)


@pytest.fixture(scope="module")
def sent(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return Sent(tmp_path_factory.mktemp("sent"), [HEALTHY] * HEALTHY_ONES, door)


def test_one_sender_sends_the_same_bytes_again_until_there_is_a_promise(sent, door):
    reports = sent.by_report("retries")

    for tries in reports:
        assert [(each.status, bool(each.crash_id), each.is_whole) for each in tries] == [
            (503, False, True),
            (200, True, True),
        ]
        assert tries[0].ended < tries[1].begun
    assert sorted(door.whole.values(), reverse=True)[: len(reports)] == [2] * len(reports)


def test_one_sender_never_sends_again(sent):
    for tries in sent.by_report("once"):
        assert [(each.status, each.crash_id, each.is_whole) for each in tries] == [(503, "", True)]


def test_one_sender_breaks_off_and_waits_for_no_answer(sent, door):
    for tries in sent.by_report("breaks off"):
        assert [(each.status, each.crash_id, each.is_whole) for each in tries] == [(0, "", False)]
    # What broke off within its head is no request.
    assert 0 < door.broken_off <= len(sent.by_report("breaks off"))


def test_the_journal_has_each_promise_and_nothing_else(sent):
    promised = [each.crash_id for each in sent.tries if each.crash_id]

    assert Counter(sent.promised) == Counter(promised)
    assert len(promised) == len(sent.by_report("retries"))


def test_each_report_of_healthy_crashes_has_one_content_and_no_other_has_it(sent):
    contents = {each.report: each.content for each in sent.tries}

    assert len(set(contents.values())) == len(contents) == HEALTHY_ONES
    assert all(contents[each.report] == each.content for each in sent.tries)


def test_what_is_submitted_twice_is_one_report_that_is_sent_by_two_at_once(tmp_path):
    door = Door(promise)
    ((one, other),) = Sent(tmp_path, [TWICE], door).by_report("retries")

    assert one.content == other.content
    assert [*door.whole.values()] == [2]


def test_what_is_malformed_is_sent_whole_and_once_whatever_the_answer_is(tmp_path):
    door = Door(lambda _: (503, "later"))
    ((one,),) = Sent(tmp_path, [MALFORMED], door).by_report("malformed")

    assert (one.status, one.is_whole) == (503, True)
    assert [*door.whole.values()] == [1]


@pytest.mark.parametrize(
    "text",
    [
        "CrashID=bp-\n",
        "CrashID=\n",
        "Discarded=rule_1\n",
        "OK\n",
        "CrashID=bp-../../x\n",
        "CrashID=bp-a\nCrashID=bp-b\n",
    ],
)
def test_an_answer_of_200_without_one_crash_id_is_no_promise(text, tmp_path):
    door = Door(lambda _: (200, text))
    sent = Sent(tmp_path, [MALFORMED], door)

    assert [each.crash_id for each in sent.tries] == [""]
    assert sent.promised == []
