"""Symbols as production has them: a symbol server, a cache that is too small for all, its manager, and indexes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from socorro_processor.symbol_cache.index_directory import SUFFIX
from socorro_processor.symbol_cache.records import is_managed
from tests.chaos.leftovers import processes_of
from tests.symbol_server import Request, SymbolServer, store
from tests.system.symbol_cache import size_of

MANAGER = "socorro_processor.app.companion"
_IN_ORDER_WITHIN = 90.0
"""Seconds: a manager that died repeatedly is started again after a minute at most."""

_RUNS_WITHIN = 10.0
"""Seconds to wait for a process before signalling without it."""
_LOOK_INTERVAL = 0.05
_ANOTHER = b"MODULE Linux x86_64 000102030405060708090A0B0C0D0E0F0 another\nFUNC 0 ffffff 0 a wrong name\n"

HANGS = "hangs"
DRIPS_HEADER = "drips its header"
DRIPS_BODY = "drips a file"
ANSWERS: dict[str, Callable[[Request, bytes], None]] = {
    "answers 500": lambda request, file: request.body(b"out of order", 500),
    "answers garbage": lambda request, file: request.body(os.urandom(5_000)),
    "answers with another's file": lambda request, file: request.body(_ANOTHER),
    "sends half": lambda request, file: _send_half(request, file, says_its_length=True),
    "sends half and does not say so": lambda request, file: _send_half(request, file, says_its_length=False),
}
"""The wrong answers of a server, besides hanging."""


class Symbols:
    """The server, cache, manager and indexes in a directory, within a ``with``."""

    def __init__(self, directory: Path, served: Path) -> None:
        """``served`` is the server's store, with all symbols."""
        self.cache = directory / "cache"
        self._indexes = self.cache.with_name(f"{self.cache.name}{SUFFIX}")
        self._staging = self.cache.with_name(f"{self.cache.name}.staging")
        self._served = served
        self._old: dict[Path, bytes] = {}
        """Earlier contents of indexes."""
        self.limit = sum(path.stat().st_size for path in served.rglob("*.sym")) * 9 // 10

    def __enter__(self) -> Self:
        self._server = SymbolServer(store(self._served))
        self.options = {
            "resource.symbols.symbol_cache_path": str(self.cache),
            "resource.symbols.symbol_cache_size": str(self.limit),
            "resource.symbols.sources": self._server.url,
            "resource.symbols.connection_timeout": "1",
            "resource.symbols.read_timeout": "1",
            "resource.symbols.supply_timeout": "2",
            "resource.symbols.negative_ttl": "2",
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__()

    def server_is(self, fault: str) -> None:
        slow = {
            HANGS: self._server.hang,
            DRIPS_HEADER: self._server.drip_header,
            DRIPS_BODY: self._server.drip_body,
        }
        if fault in slow:
            self._server.answers(slow[fault])
            return

        def answer(request: Request) -> None:
            file = self._served / request.path.removeprefix("/")
            if file.is_file():
                ANSWERS[fault](request, file.read_bytes())
            else:
                request.body(b"", 404)

        self._server.answers(answer)

    def server_is_good(self) -> None:
        self._server.answers(store(self._served))

    def wipe(self) -> None:
        """Remove the cache while processes put files into it."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def signal(self, program: str, number: signal.Signals) -> None:
        """Signal every process of a program: the manager has one that works, and one that waits."""
        for pid in self._running(program):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait_for(self, program: str) -> None:
        """Wait a while until a process of it runs: its processor may be starting, or not need it yet."""
        deadline = time.monotonic() + _RUNS_WITHIN
        while not self._running(program) and time.monotonic() < deadline:
            time.sleep(_LOOK_INTERVAL)

    def _running(self, program: str) -> list[int]:
        return [pid for pid, arguments in processes_of(self.cache).items() if program in arguments.split()]

    def damage_indexes(self, damage: Callable[[bytes, bytes], bytes | None]) -> None:
        """Replace each index with the result of ``damage`` from it and an older one."""
        for path in self._indexes.rglob(f"*{SUFFIX}"):
            # It may vanish meanwhile, or the disk may be full.
            with suppress(OSError):
                if now := path.read_bytes():
                    new = damage(now, self._old.setdefault(path, now))
                    if new is None:
                        path.unlink()
                    else:
                        path.write_bytes(new)

    def out_of_order(self) -> list[str]:
        """Return what has not recovered on its own in a while, now that all is mended."""
        deadline = time.monotonic() + _IN_ORDER_WITHIN
        while wrong := list(self._wrong()):
            if time.monotonic() > deadline:
                return wrong
            time.sleep(0.2)
        return []

    def left_behind(self) -> Iterator[str]:
        yield from (str(path) for path in self._staging.glob("*.*"))
        # A file that is being written has the number of its process at the end of its name.
        yield from (str(path) for path in self._indexes.rglob(f"*{SUFFIX}.*"))

    def _wrong(self) -> Iterator[str]:
        try:
            if not is_managed(self.cache):
                yield "no manager of the symbol cache runs"
        except FileNotFoundError:
            yield "the symbol cache was not made again"
        if (size := sum(map(size_of, self.cache.rglob("*.sym")))) > self.limit:
            yield f"the symbol cache holds {size} bytes, more than {self.limit}"


def flipped(now: bytes, old: bytes) -> bytes:
    """Flip some bits."""
    damaged = bytearray(now)
    for _ in range(random.randint(1, 8)):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut_short(now: bytes, old: bytes) -> bytes:
    return now[: random.randrange(len(now))]


def removed(now: bytes, old: bytes) -> None:
    return None


def outdated(now: bytes, old: bytes) -> bytes:
    """Return the index of an older file."""
    return old


def _send_half(request: Request, file: bytes, says_its_length: bool) -> None:
    request.send_response(200)
    if says_its_length:
        request.send_header("Content-Length", str(len(file)))
    request.send_header("Connection", "close")
    request.end_headers()
    # Within a line, because otherwise the cut could not be noticed.
    request.wfile.write(file[: len(file) // 2].rstrip(b"\n"))
