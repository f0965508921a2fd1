"""`kill -9` of `socorro serve` in the midst of uploads, again and again: every promise is kept, and once."""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.multipart import MINIDUMP, body_of, request_of
from tests.system.serving import Serving, eventually
from tests.web_server import Client

KILLS = 4
SENDERS = 4
"""Senders of each kind."""
PATIENCE = 300.0
"""Seconds: all senders, the server and its processor share a slow disk."""
_PIECE = 64_000  # bytes

pytestmark = pytest.mark.timeout(900)


@dataclass
class Sent:
    """The dumps that senders sent, and the promises that they got."""

    promised: dict[str, str] = field(default_factory=dict)
    """The checksums of dumps by the crash id of the answer."""
    again: set[str] = field(default_factory=set)
    """The checksums of dumps that were sent until there was a promise, as one report."""
    whole: set[str] = field(default_factory=set)
    """The checksums of dumps that were sent to the end at least once."""
    other_answers: list[bytes] = field(default_factory=list)
    answers_after_a_resend: int = 0


class Senders:
    """Three kinds of clients at once: one sends a report until it is promised, one never again, one breaks off."""

    def __init__(self, port: int, seed: int) -> None:
        self.sent = Sent()
        self._port = port
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        kinds = [self._send_until_promised, self._send_once, self._break_off]
        self._threads = [
            threading.Thread(target=self._run, args=(kind, random.Random(f"{seed} {kind.__name__} {number}")))
            for kind in kinds
            for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing new; whoever sends until there is a promise goes on until then."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, kind, chance: random.Random) -> None:
        while not self._stopping.is_set():
            dump = MINIDUMP + chance.randbytes(chance.choice((100, 30_000, 400_000)))
            kind(chance, dump, hashlib.sha256(dump).hexdigest())

    def _send_until_promised(self, chance: random.Random, dump: bytes, checksum: str) -> None:
        name = f"{uuid.UUID(int=chance.getrandbits(128), version=4)}.dmp"
        tries = 0
        while not (answer := self._send(dump, checksum, name)):
            tries += 1
            time.sleep(0.02)  # a client's pause
        with self._lock:
            self.sent.again.add(checksum)
            self.sent.answers_after_a_resend += tries > 0
            self._note(answer, checksum)

    def _send_once(self, chance: random.Random, dump: bytes, checksum: str) -> None:
        if answer := self._send(dump, checksum, "once.dmp"):
            with self._lock:
                self._note(answer, checksum)

    def _break_off(self, chance: random.Random, dump: bytes, checksum: str) -> None:
        data = request_of(body_of(dump=dump, file_name="half.dmp"))
        with suppress(OSError), closing(Client(self._port)) as client:
            client.send(data[: chance.randrange(len(data))])
        time.sleep(0.02)  # the time of a crash

    def _send(self, dump: bytes, checksum: str, name: str) -> bytes:
        """Return the answer; empty if there is none."""
        data = request_of(body_of(dump=dump, file_name=name))
        try:
            with closing(Client(self._port)) as client:
                for start in range(0, len(data), _PIECE):
                    if start + _PIECE >= len(data):
                        with self._lock:
                            self.sent.whole.add(checksum)
                    client.send(data[start : start + _PIECE])
                status, _, body = client.read_answer()
                return b"%d %s" % (status, body)
        except (TimeoutError, OSError, ValueError):
            return b""

    def _note(self, answer: bytes, checksum: str) -> None:
        if match := re.fullmatch(rb"200 CrashID=bp-([0-9a-f-]{36})\n", answer):
            self.sent.promised[match[1].decode()] = checksum
        else:
            self.sent.other_answers.append(answer)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path)
    yield serving
    serving.close()


@pytest.mark.parametrize("seed", [1])
def test_each_promise_is_kept_once_whenever_the_server_is_killed(serving, seed):
    chance = random.Random(seed)
    serving.start()
    senders = Senders(serving.port, seed)
    try:
        for _ in range(KILLS):
            promised = len(senders.sent.promised)
            eventually(lambda n=promised: len(senders.sent.promised) > n + 10, lambda: serving.log, PATIENCE)
            time.sleep(chance.random() / 4)  # the kill comes at any moment
            serving.kill()
            serving.start()
    finally:
        senders.stop()
    sent = senders.sent
    eventually(lambda: serving.spooled() == 0, lambda: serving.log, PATIENCE)
    stored = {
        crash_id: raw_crash["metadata"]["dump_checksums"]["upload_file_minidump"]
        for crash_id, raw_crash in serving.raw_crashes().items()
    }
    assert sent.other_answers == []
    assert {crash_id for crash_id in sent.promised if crash_id not in stored} == set(), "lost"
    assert {crash_id for crash_id, checksum in sent.promised.items() if stored[crash_id] != checksum} == set()
    times = list(stored.values())
    assert [checksum for checksum in sent.again if times.count(checksum) != 1] == [], "twice"
    assert {checksum for checksum in stored.values() if checksum not in sent.whole} == set(), "half"
    assert sent.answers_after_a_resend > 0
    eventually(
        lambda: all(map(serving.is_processed, stored)),
        lambda: f"{serving.socorro('queue', 'status').stdout}{serving.log}",
        PATIENCE,
    )
    assert serving.stop() == 0
    print(f"{len(sent.promised)} promises, {sent.answers_after_a_resend} of them after a resend")
