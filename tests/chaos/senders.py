"""Three kinds of clients, in their own process, that post crashes to the front door.

    python -m tests.chaos.senders JOURNAL RATE SEED PORT SENDINGS

One sends a report again until it is promised, one never does, one breaks off. The journal and the standard input are
those of ``submitter``; a line is written for each promise. SENDINGS gets a line for each try.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, cast

from socorro_processor.cli.command import build_component
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import QueueName
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashStorageError
from tests.chaos import walks
from tests.chaos.poison import ANNOTATION
from tests.chaos.promises import MARK, Sender, Sending, content_of
from tests.chaos.submitter import (
    AGAIN,
    AGAIN_BY_FORCE,
    HEALTHY,
    MALFORMED,
    NONSENSE,
    TWICE,
    UNKNOWN,
    Submitted,
    requested_kinds,
    until_done,
)
from tests.multipart import CONTENT_TYPE, END, body_of
from tests.system.daemon import configuration
from tests.web_server import Client

SHARES: dict[Sender, int] = {"retries": 45, "once": 40, "breaks off": 15}
THREADS = 24
_PAUSE = 0.3
"""Seconds until a report is sent again."""
_PIECE = 16_000
_LARGE = 2_000_000
"""Bytes of some annotations."""
_PARTS_OF_CHUNKS = 30_000
_PROMISE = re.compile(rb"CrashID=bp-([0-9a-f-]{36})\n")


@dataclass(frozen=True)
class Upload:
    """A report, and the bytes by which it is sent each time."""

    report: str
    dump: str
    """Which it has, of those in ``walks``."""
    content: str
    head: bytes
    body: bytes


class Senders:
    def __init__(self, port: int, seed: int, journal: IO[str], sendings: IO[str], store: CrashStorageBase) -> None:
        self._port = port
        self._chance = random.Random(seed)
        self._journal, self._sendings = journal, sendings
        self._store = store
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS)
        self._begun: list[Future[None]] = []
        self._healthy: list[Submitted] = []

    def send(self, kind: str) -> None:
        """Begin to send a crash of a kind."""
        sender: Sender = "retries"
        if kind == HEALTHY:
            sender = cast(Sender, self._chance.choices(list(SHARES), list(SHARES.values()))[0])
        elif kind == MALFORMED:
            sender = "malformed"
        upload = self._upload(kind, sender)
        for _ in range(2 if kind == TWICE else 1):
            self._begun.append(self._threads.submit(self._send, sender, kind, upload, self._chance.random()))

    def stored_one(self) -> Submitted | None:
        """Return a promised crash that the store has already; None if it is not there yet, or the store is away."""
        with self._lock:
            promised = list(self._healthy)
        if not promised:
            return None
        crash = self._chance.choice(promised)
        with suppress(CrashStorageError):
            self._store.get_raw_crash(crash.crash_id)
            return crash
        return None

    def stop(self) -> None:
        """Wait until all that was begun has been sent. Raises what a thread has raised."""
        for each in self._begun:
            each.result()

    def note(self, crash: Submitted) -> None:
        with self._lock:
            self._journal.write(json.dumps(asdict(crash)) + "\n")

    def _upload(self, kind: str, sender: Sender) -> Upload:
        chance = self._chance
        name = chance.choices(list(walks.dumps()), list(walks.dumps().values()))[0]
        dump = walks.dump_file(name).read_bytes()
        report = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        fields = {field: str(value) for field, value in walks.annotations(name).items()} | {MARK: report}
        if kind.startswith("poison: "):
            fields[ANNOTATION] = kind.removeprefix("poison: ")
        if chance.random() < 0.1:
            fields["Large"] = "x" * _LARGE
        # Only who sends again names the report in the way of Crashpad: others are told apart by their marks.
        file_name = f"{report}.dmp" if sender == "retries" else "C:\\crashes\\mini.dmp"
        body = _body(fields, dump, file_name, end=sender != "malformed", line_before_end=chance.random() < 0.7)
        headers = [f"POST /submit HTTP/1.1\r\nHost: crashes.example.com\r\nContent-Type: {CONTENT_TYPE}\r\n"]
        if chance.random() < 0.4:
            body = gzip.compress(body, 1)
            headers.append("Content-Encoding: gzip\r\n")
        if chance.random() < 0.5:
            body = _chunked(body)
            headers.append("Transfer-Encoding: chunked\r\n")
        else:
            headers.append(f"Content-Length: {len(body)}\r\n")
        return Upload(report, name, content_of(fields, dump), "".join((*headers, "\r\n")).encode(), body)

    def _send(self, sender: Sender, kind: str, upload: Upload, lot: float) -> None:
        while True:
            sending = self._try_once(sender, upload, lot)
            with self._lock:
                self._sendings.write(json.dumps(asdict(sending)) + "\n")
            if sending.crash_id:
                crash = Submitted(sending.crash_id, kind, upload.dump)
                self.note(crash)
                if kind == HEALTHY:
                    with self._lock:
                        self._healthy.append(crash)
                return
            if sender != "retries":
                return
            time.sleep(_PAUSE)

    def _try_once(self, sender: Sender, upload: Upload, lot: float) -> Sending:
        data = upload.head + upload.body
        length = int(len(data) * lot) if sender == "breaks off" else len(data)
        begun, is_whole, status, answer = time.time(), False, 0, b""
        with suppress(OSError, ValueError), closing(Client(self._port)) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, length, _PIECE):
                client.send(data[start : min(start + _PIECE, length)])
                if lot < 0.1:
                    time.sleep(0.01)
            is_whole = length == len(data)
            if is_whole:
                status, _, answer = client.read_answer()
        promise = _PROMISE.fullmatch(answer) if status == 200 else None
        crash_id = promise[1].decode() if promise else ""
        return Sending(sender, upload.report, upload.content, begun, time.time(), is_whole, status, crash_id)


def _body(fields: dict[str, str], dump: bytes, file_name: str, *, end: bool, line_before_end: bool) -> bytes:
    body = body_of(fields, dump, file_name).removesuffix(END)
    if not end:
        return body
    # Breakpad on Windows sends no line's end before the last boundary.
    return body + (END if line_before_end else END.removeprefix(b"\r\n"))


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + _PARTS_OF_CHUNKS] for start in range(0, len(body), _PARTS_OF_CHUNKS)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def main(journal: Path, rate: float, seed: int, port: int, sendings: Path) -> None:
    configured = configuration(os.environ)
    with (
        journal.open("a", buffering=1) as promises,
        sendings.open("a", buffering=1) as tries,
        closing(build_component("source", configured)) as store,
    ):
        senders = Senders(port, seed, promises, tries, store)
        for kind in requested_kinds(1 / rate):
            if kind in (UNKNOWN, NONSENSE):
                crash_id = new_crash_id()
                crash = Submitted(crash_id if kind == UNKNOWN else f"../{crash_id}\0", kind)
                until_done(_queue, configured, crash.crash_id, "normal")
                senders.note(crash)
            elif kind in (AGAIN, AGAIN_BY_FORCE):
                if stored := senders.stored_one():
                    work = FORCE if kind == AGAIN_BY_FORCE else ""
                    until_done(_queue, configured, stored.crash_id, "reprocessing", work)
                    senders.note(replace(stored, kind=kind))
            else:
                senders.send(kind)
        senders.stop()


def _queue(configured: Configuration, crash_id: str, name: QueueName, work: str = "") -> None:
    """Queue a crash without the front door. A queue that stayed open would keep a file that a fault has removed."""
    with closing(build_component("new_crash_source", configured)) as queue:
        queue.submit(crash_id, name, work)


def read_sendings(path: Path) -> Iterator[Sending]:
    for line in path.read_text().splitlines():
        yield Sending(**json.loads(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
