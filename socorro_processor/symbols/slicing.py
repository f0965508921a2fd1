"""Where dumps are sliced: in processes of their own, and by the thread that wants it while none of these is free."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from socorro_processor.metrics import METRICS
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.index_store import IndexStore
from socorro_processor.symbols.searched_dumps import SearchedDumps
from socorro_processor.symbols.slicer import NotSliced, Slicer, Slices
from socorro_processor.symbols.slicing_process import TIME, ProcessKilled, ProcessLost, SlicingProcess
from socorro_processor.symbols.wanted import Wanted

logger = logging.getLogger(__name__)

PROCESSES = 2
"""More would mostly wait: the rest of a crash's Python takes longer than its slices, and is in one process."""
FEW = 4
"""Dumps for which no process is started: a command that processes a crash or two ends before it is ready."""
_PAUSE, _LONGEST_PAUSE = 10.0, 600.0
"""Seconds after the loss of a process until another one is started: longer and longer while none becomes ready."""
_REMEMBERED = 100


class Slicing:
    """Slices the dumps of some stores. May be used by several threads at once."""

    def __init__(
        self,
        stores: Sequence[str],
        indexes: IndexStore,
        *,
        timeout: float = TIME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``timeout``: seconds after which a process that slices a dump is given up."""
        self._stores = stores
        self._indexes = indexes
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._processes: list[SlicingProcess] = []
        self._starting: dict[SlicingProcess, float] = {}
        """And when they were started."""
        self._idle: list[SlicingProcess] = []
        self._dumps = SearchedDumps()
        self._searched: dict[Path, SlicingProcess | None] = {}
        """The process that searched a dump, and is best asked to slice it; None where it was lost."""
        self._pause = _PAUSE
        self._sliced_here = 0
        self._not_before = 0.0
        self._closed = False

    def slice(self, dump: Path, directory: str, version: str) -> tuple[Slices | NotSliced, float]:
        """As ``Slicer.attempt``, for that version of the stackwalker."""
        with self._lock:
            was_searched = dump in self._searched
            searcher = self._searched.pop(dump, None)
        if was_searched and searcher is None:
            return NotSliced("process", "one was lost in its search"), 0.0
        try:
            with self._process(searcher) as process:
                if process is not None:
                    return process.slice(dump, directory, version)
        except ProcessKilled:
            # What it has begun would be in the way.
            shutil.rmtree(directory, ignore_errors=True)
            Path(directory).mkdir(0o700, exist_ok=True)
        except ProcessLost as error:
            # Not here instead: the dump might do to this process what it did to that one.
            return NotSliced("process", str(error)), 0.0
        return self._slice_here(dump, directory, version)

    def needed(self, dump: Path) -> list[Wanted]:
        """The symbol files that a dump needs, which is to be sliced next. Raises NotUnderstood."""
        try:
            with self._process() as process:
                if process is not None:
                    needed = process.needed(dump)
                    self._remember(dump, process)
                    return needed
        except ProcessKilled:
            pass
        except ProcessLost as error:
            self._remember(dump, None)
            raise NotUnderstood(f"the process that searched it was lost: {error}") from error
        return self._dumps.needed(dump)

    def close(self) -> None:
        """End the processes. No slices may be in use any more."""
        with self._lock:
            self._closed = True
            processes, self._processes = self._processes, []
        for process in processes:
            process.close(patience=0.0 if process in self._starting else 5.0)

    def _remember(self, dump: Path, searcher: SlicingProcess | None) -> None:
        with self._lock:
            if len(self._searched) >= _REMEMBERED:
                # Of dumps that were not sliced after all.
                self._searched.clear()
            self._searched[dump] = searcher

    def _slice_here(self, dump: Path, directory: str, version: str) -> tuple[Slices | NotSliced, float]:
        with self._lock:
            self._sliced_here += 1
            if self._sliced_here > FEW:
                self._start_another()
        slicer = Slicer(self._stores, self._indexes, version, only_worthwhile=True)
        return slicer.attempt(dump, Path(directory), self._dumps)

    def _start_another(self) -> None:
        if self._closed or self._starting or len(self._processes) == PROCESSES or self._clock() < self._not_before:
            return
        try:
            process = SlicingProcess(self._stores, self._indexes, self._timeout)
        except (OSError, MemoryError) as error:
            self._not_before = self._clock() + self._pause
            logger.warning("dumps are sliced in the processor, no process for it can be started: %s", error)
            return
        self._processes.append(process)
        self._starting[process] = self._clock()

    @contextmanager
    def _process(self, best: SlicingProcess | None = None) -> Iterator[SlicingProcess | None]:
        """A process that has nothing to do; None where there is none."""
        process = self._take_idle(best)
        try:
            yield process
        except NotUnderstood:
            self._give_back(process)
            raise
        except BaseException:
            # Also where an answer was not read to its end.
            if process is not None:
                self._lose(process)
            raise
        self._give_back(process)

    def _take_idle(self, best: SlicingProcess | None = None) -> SlicingProcess | None:
        """A process that is ready and has nothing to do."""
        taken, lost = None, []
        with self._lock:
            for process, started in list(self._starting.items()):
                if process.has_said_something():
                    del self._starting[process]
                    try:
                        process.take_first_message()
                        self._idle.append(process)
                        self._pause = _PAUSE
                    except (ProcessLost, MemoryError):
                        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
                        lost.append(process)
                elif self._clock() > started + self._timeout:
                    del self._starting[process]
                    lost.append(process)
            if best in self._idle:
                self._idle.remove(best)
                self._idle.append(best)
            while self._idle and taken is None:
                process = self._idle.pop()
                if process.has_said_something():
                    lost.append(process)
                else:
                    taken = process
        for process in lost:
            self._lose(process)
        return taken

    def _give_back(self, process: SlicingProcess | None) -> None:
        if process is not None:
            with self._lock:
                self._idle.append(process)

    def _lose(self, process: SlicingProcess) -> None:
        """Do without one that has ended, or does not answer."""
        with self._lock:
            if process not in self._processes:
                return  # closed meanwhile
            self._processes.remove(process)
            self._not_before = self._clock() + self._pause
        METRICS.increment("slicing.process_lost")
        logger.warning("lost the process %d, which sliced dumps; another one is started when it is wanted", process.pid)
        process.close(patience=0.0)
