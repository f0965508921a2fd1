"""Make indexes of symbol files, one after the other, in the background."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbol_cache.index_directory import index_directory
from socorro_processor.symbol_cache.index_process import IndexProcess, NotIndexed
from socorro_processor.symbols.layout import FileState, SymbolFile

logger = logging.getLogger(__name__)

_MAXIMUM_WAITING = 10_000
_MAXIMUM_FAILED = 10_000
_RETRY_PAUSE = 300.0
"""Seconds until an index that could not be made is tried again: a disk may have been full."""


class IndexBuilder:
    """Makes indexes in a thread of its own. Any thread may ask for one, and does not wait."""

    def __init__(
        self,
        index_path: str = "",
        clock: Callable[[], float] = time.monotonic,
        tried: Callable[[SymbolFile], None] = lambda file: None,
    ) -> None:
        """``index_path`` is as in ``index_directory``. Another thread calls ``tried`` after each file."""
        self._index_path = index_path
        self._clock = clock
        self._tried = tried
        self._wanted: queue.Queue[tuple[SymbolFile, str] | None] = queue.Queue(_MAXIMUM_WAITING)
        self._lock = threading.Lock()
        self._asked: set[SymbolFile] = set()
        """Files whose index is wanted, or being made."""
        self._failed: dict[SymbolFile, tuple[float, FileState | None]] = {}
        """Files whose index could not be made: when it is tried again, and the state of the file until then."""
        self._thread: threading.Thread | None = None
        self._process: IndexProcess | None = None
        self._closed = False
        self._unwritable: set[Path] = set()

    def want(self, file: SymbolFile, stackwalker: str) -> None:
        """Have the index of a symbol file made.

        It does nothing if too many wait, or no thread can be started: later walks will ask again.
        """
        with self._lock:
            if self._closed or file in self._asked or self._has_failed(file) or not self._has_thread():
                return
            with suppress(queue.Full):
                self._wanted.put_nowait((file, stackwalker))
                self._asked.add(file)

    def wait(self) -> None:
        """Wait until each wanted index is made, or has failed."""
        self._wanted.join()

    def close(self) -> None:
        """End the thread, and the process that makes an index."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.end()
        if self._thread is not None:
            while True:  # make room for the None that ends the thread, and put it first
                try:
                    self._wanted.get_nowait()
                except queue.Empty:
                    break
            self._wanted.put(None)
            self._thread.join()

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._make_all, name="symbol-index", daemon=True)
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread
        return self._thread is not None

    def _make_all(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            try:
                self._make(*wanted)
            except Exception:
                # The thread must live on, or the next files would wait for ever.
                logger.exception("no index of %s", wanted[0].path)
            finally:
                with self._lock:
                    self._asked.discard(wanted[0])
                self._tried(wanted[0])
                self._wanted.task_done()

    def _make(self, file: SymbolFile, stackwalker: str) -> None:
        if (state := file.state()) is None:
            return
        try:
            index_directory(file.root, self._index_path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._cannot_be_written(file, error)
            self._fail(file, state)
            return
        try:
            with METRICS.timer("symbols.indexing"):
                with self._lock:
                    if self._closed:
                        return
                    process = self._process = IndexProcess(file.path, stackwalker, self._index_path)
                process.finish()
        except (NotIndexed, OSError) as error:
            if not self._closed:
                METRICS.increment("symbols.index_failed")
                logger.warning("no index of %s, it is read in full: %s", file.path, error)
                self._fail(file, state)
            return
        finally:
            with self._lock:
                self._process = None
        METRICS.increment("symbols.indexed")
        logger.info("indexed %s", file.path)

    def _has_failed(self, file: SymbolFile) -> bool:
        until, state = self._failed.get(file, (0.0, None))
        return self._clock() < until and file.state() == state

    def _fail(self, file: SymbolFile, state: FileState | None) -> None:
        with self._lock:
            if len(self._failed) >= _MAXIMUM_FAILED:
                self._failed.clear()
            self._failed[file] = self._clock() + _RETRY_PAUSE, state

    def _cannot_be_written(self, file: SymbolFile, error: OSError) -> None:
        METRICS.increment("symbols.index_failed")
        # Once for all symbol files of a store: there may be thousands.
        if file.root not in self._unwritable:
            self._unwritable.add(file.root)
            logger.warning(
                "the symbol files in %s are read in full, because their indexes cannot be written: %s; "
                "set symbol_index_path to a directory that can be written",
                file.root,
                error,
            )
