"""Builds the indexes that walks have missed, one after the other, in the background."""

from __future__ import annotations

import logging
import queue
import subprocess
import threading

from socorro_processor.metrics import METRICS
from socorro_processor.symbols import index_process
from socorro_processor.symbols.index_process import NotIndexed
from socorro_processor.symbols.index_store import IndexStore, SymbolFile

logger = logging.getLogger(__name__)

_MAXIMUM_WAITING = 1_000
_MAXIMUM_FAILED = 10_000


class IndexBuilder:
    """May be asked by several threads at once; never makes one wait."""

    def __init__(self, indexes: IndexStore) -> None:
        self._indexes = indexes
        self._wanted: queue.Queue[tuple[SymbolFile, str, str] | None] = queue.Queue(_MAXIMUM_WAITING)
        self._lock = threading.Lock()
        self._asked: set[SymbolFile] = set()
        """Waiting, or without success: these are not tried again by this process."""
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def want(self, file: SymbolFile, stackwalker: str, version: str) -> None:
        """Have the index of a symbol file built. With too many waiting nothing is done: it will be asked for again."""
        with self._lock:
            if self._closed or file in self._asked or len(self._asked) >= _MAXIMUM_FAILED:
                return
            try:
                self._wanted.put_nowait((file, stackwalker, version))
            except queue.Full:
                return
            self._asked.add(file)
            if self._thread is None:
                self._thread = threading.Thread(target=self._build_all, name="symbol-index", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Until all that was wanted is built, or could not be."""
        self._wanted.join()

    def close(self) -> None:
        """Also ends what is being built."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                index_process.kill(self._process)
        if self._thread is not None:
            while True:  # room for the end, and nothing before it
                try:
                    self._wanted.get_nowait()
                except queue.Empty:
                    break
            self._wanted.put(None)
            self._thread.join()

    def _build_all(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            try:
                self._build(*wanted)
            finally:
                self._wanted.task_done()

    def _build(self, file: SymbolFile, stackwalker: str, version: str) -> None:
        try:
            with METRICS.timer("symbols.indexing"):
                with self._lock:
                    if self._closed:
                        return
                    process = index_process.start(file.path, self._indexes.path(file), stackwalker, version)
                    self._process = process
                index_process.finish(process)
        except (NotIndexed, OSError) as error:
            if not self._closed:
                METRICS.increment("symbols.index_failed")
                logger.warning("no index of %s, it is used in full: %s", file.path, error)
            return
        finally:
            with self._lock:
                self._process = None
        METRICS.increment("symbols.indexed")
        logger.info("indexed %s", file.path)
        with self._lock:
            self._asked.discard(file)
