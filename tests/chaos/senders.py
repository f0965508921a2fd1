"""Three kinds of clients, in their own process, that post crashes to the front door.

    python -m tests.chaos.senders JOURNAL RATE SEED PORT SENDINGS

One sends a report again until it is promised, one never does, one breaks off. The journal and the standard input are
those of ``submitter``; a line is written for each promise. SENDINGS gets a line for each try.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

from socorro_processor.cli.command import build_component
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashStorageError
from tests.chaos import walks
from tests.chaos.poison import ANNOTATION
from tests.chaos.promises import MARK, Sender, Sending
from tests.chaos.submitter import (
    AGAIN,
    AGAIN_BY_FORCE,
    HEALTHY,
    MALFORMED,
    NONSENSE,
    TWICE,
    UNKNOWN,
    RunQueue,
    Submitted,
    requested_kinds,
    until_done,
)
from tests.multipart import BOUNDARY, CONTENT_TYPE
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


@dataclass(frozen=True)
class Upload:
    """A report, and the bytes by which it is sent each time."""

    report: str
    dump: str
    checksum: str
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
        self._healthy: list[str] = []

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
        crash_id, dump = self._chance.choice(promised).split()
        with suppress(CrashStorageError):
            self._store.get_raw_crash(crash_id)
            return Submitted(crash_id, AGAIN, dump)
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
        return Upload(report, name, hashlib.sha256(dump).hexdigest(), "".join((*headers, "\r\n")).encode(), body)

    def _send(self, sender: Sender, kind: str, upload: Upload, lot: float) -> None:
        while True:
            sending = self._try_once(sender, upload, lot)
            with self._lock:
                self._sendings.write(json.dumps(asdict(sending)) + "\n")
            if sending.crash_id:
                self.note(Submitted(sending.crash_id, kind, upload.dump))
                if kind == HEALTHY:
                    with self._lock:
                        self._healthy.append(f"{sending.crash_id} {upload.dump}")
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
        crash_id = answer.decode().partition("\n")[0].removeprefix("CrashID=bp-") if status == 200 else ""
        if status == 200 and not answer.startswith(b"CrashID=bp-"):
            crash_id = ""
        return Sending(sender, upload.report, upload.checksum, begun, time.time(), is_whole, status, crash_id)


def _body(fields: dict[str, str], dump: bytes, file_name: str, *, end: bool, line_before_end: bool) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    disposition = f'Content-Disposition: form-data; name="upload_file_minidump"; filename="{file_name}"'
    parts.append(f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode())
    parts.append(dump)
    if end:
        # Breakpad on Windows sends no line's end before the last boundary.
        parts.append(f"{chr(13) + chr(10) if line_before_end else ''}--{BOUNDARY}--\r\n".encode())
    return b"".join(parts)


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + _PARTS_OF_CHUNKS] for start in range(0, len(body), _PARTS_OF_CHUNKS)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def main(journal: Path, rate: float, seed: int, port: int, sendings: Path) -> None:
    configured = configuration(os.environ)
    queue = RunQueue(configured)
    with (
        journal.open("a", buffering=1) as promises,
        sendings.open("a", buffering=1) as tries,
        closing(build_component("source", configured)) as store,
        closing(queue),
    ):
        senders = Senders(port, seed, promises, tries, store)
        for kind in requested_kinds(1 / rate):
            if kind in (UNKNOWN, NONSENSE):
                crash_id = new_crash_id()
                crash = Submitted(crash_id if kind == UNKNOWN else f"../{crash_id}\0", kind)
                until_done(queue.submit, crash.crash_id, "normal")
                senders.note(crash)
            elif kind in (AGAIN, AGAIN_BY_FORCE):
                if stored := senders.stored_one():
                    until_done(queue.submit, stored.crash_id, "reprocessing", FORCE if kind == AGAIN_BY_FORCE else "")
                    senders.note(Submitted(stored.crash_id, kind, stored.dump))
            else:
                senders.send(kind)
        senders.stop()


def read_sendings(path: Path) -> Iterator[Sending]:
    for line in path.read_text().splitlines():
        yield Sending(**json.loads(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
