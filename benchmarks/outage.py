"""Measure the memory of an outage: a store is away while large crashes come, are tried again, and wait.

    python -m benchmarks.outage [--seconds=180]

The embedded queue, a directory and a real PostgreSQL as destinations, four threads, and a stackwalker that prints
large JSON. First large crashes are saved while all stores work, which shows their own memory. Then
PostgreSQL is away: five crashes of 15 MB come, then a hundred of several MB. At last it comes and goes, so that
all threads try at once, and comes back for good: every crash must be saved.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.endurance import Use
from benchmarks.walker import print_dumps
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from tests.faults.proxy import Proxy
from tests.integration.postgresql_database import Database, new_database
from tests.services import services_of_a_run
from tests.system.daemon import Installation, variables

MEGABYTE = 1_000_000
BAR = 400 * MEGABYTE
"""Bytes that the daemon may use beyond its memory when idle."""

THREADS = 4
LARGEST = 15 * MEGABYTE
SIZES = tuple(size * MEGABYTE for size in (15, 4, 8, 12))
"""Sizes of the JSON that the stackwalker prints, in turn."""
LARGEST_FIRST = 5
LARGE = 100
FLAPS = 10
FLAP_TIME = 2.0
SAVED_WITHIN = 600.0

FRAMES_IN_A_STACK = 200
"""Fewer than would be cut."""


class Outage:
    """A daemon, and a PostgreSQL behind a proxy."""

    def __init__(self, directory: Path, database: Database, proxy: Proxy) -> None:
        self.database, self.proxy = database, proxy
        self.installation = Installation(directory)
        print_dumps(self.installation)
        self.installation.environment |= variables(
            {
                **database.options,
                "resource.postgresql.database_hostname": proxy.host,
                "resource.postgresql.database_port": str(proxy.port),
                "destination.crashstorage_class": class_name(PolyCrashStorage),
                "destination.storage_classes": ", ".join(
                    map(class_name, (FileSystemCrashStorage, PostgreSQLCrashStorage))
                ),
                "producer_consumer.number_of_threads": str(THREADS),
            }
        )
        setup = self.installation.socorro("setup")
        if setup.returncode:
            raise SystemExit(setup.stderr)
        self._outputs = {size: printed(size) for size in SIZES}
        self._store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(self.installation.crashes)))
        self._queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite")))
        self.daemon = self.installation.start()
        self.crash_ids: set[str] = set()

    @property
    def pid(self) -> int:
        return self.daemon.process.pid

    def submit(self, size: int) -> None:
        crash_id = new_crash_id()
        self._store.save_raw_crash({"ProductName": "Lightbox"}, {MAIN_DUMP: self._outputs[size]}, crash_id)
        self._queue.submit(crash_id)
        self.crash_ids.add(crash_id)

    def take_away(self) -> None:
        self.proxy.refuse()
        self.proxy.cut()

    def bring_back(self) -> None:
        self.proxy.heal()

    def saved(self) -> int:
        (count,) = self.database.execute("SELECT count(*) FROM processed_crashes")
        return int(count)

    def wait_until_saved(self) -> None:
        deadline = time.monotonic() + SAVED_WITHIN
        while self.saved() < len(self.crash_ids):
            if self.daemon.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.saved()} of {len(self.crash_ids)} are saved:\n{self.daemon.log[-5000:]}")
            time.sleep(0.5)

    def tries(self) -> int:
        return self.daemon.log.count(" is tried again, ")

    def close(self) -> None:
        self._queue.close()
        self._store.close()
        self.installation.close()


class Peak:
    """Samples the memory of a process, and keeps the largest value."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._memory = 0
        self._end = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        watching = threading.Thread(target=self._watch)
        watching.start()
        try:
            yield
        finally:
            self._end.set()
            watching.join()

    def taken(self) -> int:
        """Return the peak, and begin a new one."""
        memory, self._memory = self._memory, 0
        return memory

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            self._memory = max(self._memory, Use.of(self._pid).memory)


def printed(size: int) -> bytes:
    """Return a stackwalker's output of at least this size: threads with stacks of ordinary frames."""
    frame = {
        "frame": 0,
        "module": "libxul.so",
        "function": "mozilla::dom::Element::SetAttribute(nsAtom*, nsAString const&)",
        "file": "hg:hg.mozilla.org/releases/release:dom/base/Element.cpp:0123456789ab",
        "line": 2481,
        "offset": "0x00007f3a5c1e2b40",
        "module_offset": "0x0000000001e2b40",
        "function_offset": "0x40",
        "trust": "cfi",
        "missing_symbols": False,
    }
    frames = [frame | {"frame": number} for number in range(FRAMES_IN_A_STACK)]
    thread = {"frame_count": len(frames), "frames": frames}
    threads = size // len(json.dumps(thread)) + 1
    output = {
        "status": "OK",
        "crash_info": {"type": "SIGSEGV", "address": "0x0", "crashing_thread": 0},
        "crashing_thread": thread | {"threads_index": 0},
        "main_module": 0,
        "modules": [{"filename": "libxul.so", "debug_file": "libxul.so", "debug_id": "0" * 33, "loaded_symbols": True}],
        "system_info": {"os": "Linux", "os_ver": "6.1", "cpu_arch": "amd64", "cpu_count": 8},
        "thread_count": threads,
        "threads": [thread] * threads,
    }
    return json.dumps(output).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how much memory an outage of a store costs.")
    parser.add_argument(
        "--seconds", type=float, default=180.0, help="duration of each part of the outage; default: 180"
    )
    seconds: float = parser.parse_args().seconds
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(services_of_a_run())
        database = stack.enter_context(new_database())
        host, port = (database.options[f"resource.postgresql.database_{name}"] for name in ("hostname", "port"))
        proxy = stack.enter_context(Proxy(host, int(port)))
        outage = Outage(directory, database, proxy)
        stack.callback(outage.close)
        return 0 if measure(outage, seconds) else 1


def measure(outage: Outage, seconds: float) -> bool:
    time.sleep(5.0)
    idle = Use.of(outage.pid).memory
    print(f"{'':<60}{'peak above idle':>16}{'tries again':>13}", flush=True)
    peaks = []
    peak = Peak(outage.pid)

    def told(what: str) -> None:
        peaks.append(peak.taken() - idle)
        print(f"{what:<60}{peaks[-1] / MEGABYTE:>13.1f} MB{outage.tries():>13}", flush=True)

    with peak.watched():
        outage.submit(LARGEST)
        outage.wait_until_saved()
        told("one crash of 15 MB, all stores there")
        for _ in range(2 * THREADS):
            outage.submit(LARGEST)
        outage.wait_until_saved()
        told(f"{2 * THREADS} of them with {THREADS} threads")
        outage.take_away()
        for _ in range(LARGEST_FIRST):
            outage.submit(LARGEST)
        time.sleep(seconds)
        told(f"PostgreSQL away for {seconds:.0f} s, {LARGEST_FIRST} crashes of 15 MB")
        for number in range(LARGE):
            outage.submit(SIZES[number % len(SIZES)])
        time.sleep(seconds)
        told(f"{seconds:.0f} s more, and {LARGE} of 4 to 15 MB")
        for _ in range(FLAPS):
            outage.bring_back()
            time.sleep(FLAP_TIME)
            outage.take_away()
            time.sleep(FLAP_TIME)
        told(f"PostgreSQL comes and goes {FLAPS} times")
        outage.bring_back()
        outage.wait_until_saved()
        told("PostgreSQL is back, all are saved")
    time.sleep(5.0)
    print(f"afterwards {(Use.of(outage.pid).memory - idle) / MEGABYTE:.1f} MB above idle ({idle / MEGABYTE:.1f} MB)")
    print(f"at most {max(peaks) / MEGABYTE:.1f} MB above idle; less than {BAR / MEGABYTE:.0f} MB is required")
    return max(peaks) < BAR and outage.daemon.stop() == 0


if __name__ == "__main__":
    sys.exit(main())
