"""Get symbol files from the sources into the symbol cache.

    supplier = SymbolSupplier(config, cache)
    supplied = supplier.supply([SymbolFileID.of("xul.pdb", "83CF4DC03621B778E931FC713889E8F10")])

It never fails: the result of ``supply`` says which files did not come, and why.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, Seconds, WholeNumber, sections, size
from socorro_processor.errors import ConfigurationError, raise_if_of_this_machine
from socorro_processor.machine.writable_directory import check_writable
from socorro_processor.monitoring.circuit_breaker import CircuitBreaker
from socorro_processor.monitoring.log import stack_of
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbol_path import symbol_path
from socorro_processor.symbols.directory_source import DirectorySource
from socorro_processor.symbols.download import DownloadLimits, receive
from socorro_processor.symbols.download_threads import DownloadThreads
from socorro_processor.symbols.known_missing import KnownMissing
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.s3_options import s3_options
from socorro_processor.symbols.source import SourceAway, SymbolsNotThere, SymbolSource, WrongSymbolFile
from socorro_processor.symbols.staging import Staging
from socorro_processor.symbols.supply_result import CACHED, FETCHED, MISSING, SupplyResult

logger = logging.getLogger(__name__)

S3 = "s3"
"""The name of the bucket in the list of sources."""

PAUSES = (5.0, 15.0, 60.0, 300.0)
"""Seconds to leave a source alone after it was away once, twice, ..."""

ENDED = "the processor ends"
"""The reason why no more files come."""

_ABSENT_FILE = symbol_path("socorro-doctor", "0" * 33)
_OUTCOMES = (CACHED, FETCHED, MISSING, "failed")
_CLOSING_TIMEOUT = 2.0
"""Seconds for downloads to end, once their connections are cut."""


def parse_sources(text: str) -> tuple[str, ...]:
    """Read a list of sources. Raises ValueError."""
    sources = tuple(each.strip() for each in text.split(",") if each.strip())
    if not any("://" in each for each in sources):
        return sources
    # Imported only here and where a source is made: most commands need no HTTP, and would start a tenth slower.
    from socorro_processor.symbols.http_source import parse_url

    return tuple(parse_url(each) if "://" in each else each for each in sources)


def rules_with_symbols(section: DotDict) -> Iterator[DotDict]:
    """Yield the options of each rule that gets symbols."""
    return (rule for rule in sections(section) if "symbol_cache_path" in rule and "symbols" in rule)


class SymbolSupplier(RequiredConfig):
    """Gets symbol files from the sources, in their order, into the cache. One for all threads of a process.

    - It gets several files at a time, and each only once, however many threads and processes want it.
    - It remembers for ``negative_ttl`` what a source does not have, and leaves a source that is away alone for a while.
    - It renames a file into the cache once it is whole and checked.
    """

    required_config = Namespace()
    required_config.add_option(
        "sources",
        default="",
        doc="the sources of symbol files, tried in this order, separated by commas: addresses (https://HOST/PATH), "
        f"{S3} for the bucket below, directories (empty: no symbol files are fetched)",
        from_string_converter=parse_sources,
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "staging_path",
        default="",
        doc="the directory for incomplete symbol files, outside the cache but on its file system (empty: the cache's "
        "path with .staging appended)",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "number_of_downloads",
        default=8,
        doc="how many files are downloaded at a time",
        from_string_converter=WholeNumber(1, 100),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "maximum_symbol_size",
        default="4G",
        doc="the largest symbol file, in bytes, decompressed (k, M, G)",
        from_string_converter=size,
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "maximum_files",
        default=500,
        doc="how many files are fetched for one dump at most",
        from_string_converter=WholeNumber(1),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "connection_timeout",
        default=3.0,
        doc="seconds to connect to a symbol server",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "read_timeout",
        default=10.0,
        doc="seconds that a symbol server may send nothing; together with connection_timeout, the limit for the whole "
        "header of its answer",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "download_timeout",
        default=300.0,
        doc="seconds to download one file, connection included",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "supply_timeout",
        default=60.0,
        doc="seconds after which a crash goes on without the files that have not come; later crashes get them",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "negative_ttl",
        default=3600.0,
        doc="seconds until a source is asked again for a file that it did not have",
        from_string_converter=Seconds(),
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "failures_allowed",
        default=3,
        doc="failures in a row after which a source counts as away, and is left alone for a while",
        from_string_converter=WholeNumber(1),
        reference_value_from="resource.symbols",
    )
    required_config.namespace(S3)
    required_config[S3] = s3_options()

    def __init__(
        self,
        config: DotDict,
        cache: str,
        also_in: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``cache`` is the directory of the symbol cache; files in one of ``also_in`` are not fetched.

        Raises ConfigurationError.
        """
        if not cache:
            raise ConfigurationError("symbols.sources without a symbol_cache_path: set the directory of the cache")
        self._cache = Path(cache).absolute()
        staging = Path(config.staging_path or f"{self._cache}.staging").absolute()
        if staging.is_relative_to(self._cache):
            raise ConfigurationError(
                f"staging_path {staging} is in the symbol cache, where files count and may be removed"
            )
        self.directories = (str(self._cache), *also_in)
        """The directories that are searched for a file: the cache, then the others."""
        self._limits = DownloadLimits(config.maximum_symbol_size, config.download_timeout)
        self.maximum_files: int = config.maximum_files
        """For one dump."""
        self.timeout: float = config.supply_timeout
        """Seconds that a dump waits for files."""
        self._sources = [
            (source, CircuitBreaker(PAUSES, failures=config.failures_allowed, clock=clock))
            for source in map(partial(_source, config), config.sources)
        ]
        self._configured: tuple[str, ...] = config.sources
        self._staging = Staging(staging, self._cache)
        self._missing = KnownMissing(staging / "missing", config.negative_ttl)
        self._lock = threading.Lock()
        self._cleaning = threading.Lock()
        self._downloads: dict[str, Future[str]] = {}
        self._closed = threading.Event()
        self._pool = DownloadThreads(config.number_of_downloads)
        for outcome in _OUTCOMES:
            METRICS.expect("symbols.supplied", outcome=outcome)
        self._is_clean = False
        try:
            check_writable(staging)
        except OSError as error:
            raise_if_of_this_machine(error, f"looking into {staging}")
            raise ConfigurationError(f"staging_path: cannot use {staging}: {error.strerror}") from error

    @staticmethod
    def is_wanted(config: DotDict) -> bool:
        """Return True if a source is configured."""
        return bool(config.sources)

    def supply(
        self,
        wanted: Sequence[SymbolFileID],
        timeout: float | None = None,
        progress: Callable[[SymbolFileID], object] = lambda _: None,
    ) -> SupplyResult:
        """Get the files that are not there. Return within ``timeout`` seconds, by default ``supply_timeout``.

        ``progress`` is called for each file whose result is known.
        """
        self._clean()
        results: dict[SymbolFileID, str] = {}
        futures: dict[Future[str], SymbolFileID] = {}
        with METRICS.timer("symbols.supply"):
            for number, each in enumerate(wanted):
                if number >= self.maximum_files:
                    results[each] = f"more than {self.maximum_files} files"
                    continue
                results[each] = CACHED if self._is_there(each.path) else self._reason_not_to_ask(each.path)
                if results[each]:
                    progress(each)
                else:
                    futures[self._get_once(each)] = each
            seconds = self.timeout if timeout is None else timeout
            for each, result in self._done(futures, seconds):
                results[each] = result
                progress(each)
        supplied = SupplyResult(results)
        count_supplied(supplied)
        return supplied

    def supply_all(self, wanted: Sequence[SymbolFileID], progress: Callable[[SymbolFileID], object]) -> SupplyResult:
        """Get any number of files, however long it takes."""
        results: dict[SymbolFileID, str] = {}
        for start in range(0, len(wanted), self.maximum_files):
            some = wanted[start : start + self.maximum_files]
            results |= self.supply(some, len(some) * self._limits.seconds, progress).results
        return SupplyResult(results)

    def ask(self, wanted: SymbolFileID, came: Callable[[str], object]) -> str | None:
        """Return the result for a file as in ``supply``, or None if it is on its way; this does not wait for it.

        After None, any thread calls ``came`` with the result, maybe this one before it returns.
        """
        if result := CACHED if self._is_there(wanted.path) else self._reason_not_to_ask(wanted.path):
            return result
        try:
            future = self._get_once(wanted)
        except RuntimeError as error:
            return str(error)
        future.add_done_callback(lambda done: came(_result(done)))
        return None

    def has(self, wanted: SymbolFileID) -> bool:
        """Return True if the file is in the cache or in one of the other directories."""
        return self._is_there(wanted.path)

    def forget(self, path: str) -> None:
        """Ask for this file again even if it was missing: it may have come."""
        for source, _ in self._sources:
            self._missing.forget(source.name, path)

    def check(self, configured: str) -> str:
        """Ask a source for a file that it does not have, and return its name. Raises SourceAway."""
        source, _ = self._sources[self._configured.index(configured)]
        with suppress(SymbolsNotThere), closing(source.chunks(_ABSENT_FILE)) as chunks:
            next(chunks, b"")
        return source.name

    def close(self, seconds: float = _CLOSING_TIMEOUT) -> None:
        """Close the supplier. Downloads that do not end within ``seconds`` are abandoned."""
        self._closed.set()
        for source, _ in self._sources:
            source.close()
        if not self._pool.close(seconds):
            logger.warning("a download of symbols does not end, it is abandoned")

    def _clean(self) -> None:
        """Before the first download, remove what killed processes left; if that fails, before the next."""
        with self._cleaning, suppress(OSError):
            if not self._is_clean:
                self._staging.clean()
                self._is_clean = True

    def _done(self, futures: Mapping[Future[str], SymbolFileID], seconds: float) -> Iterator[tuple[SymbolFileID, str]]:
        end = time.monotonic() + seconds
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, max(0.0, end - time.monotonic()), "FIRST_COMPLETED")
            for future in done or waiting:
                yield futures[future], _result(future) if done else not_done_after(seconds)
            if not done:
                return

    def _is_there(self, path: str) -> bool:
        for directory in self.directories:
            try:
                status = os.stat(f"{directory}/{path}")  # noqa: PTH116 - ten times as quick as Path's
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                return True
        return False

    def _reason_not_to_ask(self, path: str) -> str:
        """Return why no source can be asked for a file now; empty if one can."""
        reason = MISSING
        for source, breaker in self._sources:
            if self._missing.knows(source.name, path):
                continue
            if breaker.may_try_now:
                return ""
            reason = breaker.reason if reason == MISSING else reason
        return reason

    def _get_once(self, wanted: SymbolFileID) -> Future[str]:
        with self._lock:
            if future := self._downloads.get(wanted.path):
                return future
            future = self._downloads[wanted.path] = self._pool.submit(partial(self._get, wanted))
        # Without the lock, because the callback takes it, and runs at once if the future is done.
        future.add_done_callback(lambda _: self._forget_download(wanted.path))
        return future

    def _forget_download(self, path: str) -> None:
        with self._lock:
            self._downloads.pop(path, None)

    def _get(self, wanted: SymbolFileID) -> str:
        """Return CACHED, FETCHED, MISSING, or the reason why the file did not come."""
        self._clean()
        try:
            with self._staging.alone(wanted.path, self._limits.seconds, self._closed.is_set) as alone:
                if self._closed.is_set():
                    return ENDED
                if not alone:
                    return "another process takes too long to download it"
                if self._is_there(wanted.path):  # it came while we waited
                    return CACHED
                return self._from_sources(wanted)
        except OSError as error:
            logger.error("cannot write symbols below %s: %s", self._cache, error)
            return f"cannot write below the symbol cache: {error.strerror}"
        except Exception as error:
            # A crash must not fail for lack of symbols.
            logger.error("cannot get %s: %s", wanted.path, stack_of(error))
            return type(error).__name__

    def _from_sources(self, wanted: SymbolFileID) -> str:
        result = MISSING
        for source, breaker in self._sources:
            if self._missing.knows(source.name, wanted.path):
                continue
            if not breaker.may_try():
                result = breaker.reason
                continue
            try:
                with METRICS.timer("symbols.download"):
                    self._download(source, wanted)
            except SymbolsNotThere as error:
                if isinstance(error, WrongSymbolFile):
                    logger.warning("%s at %s: %s", wanted.path, source.name, error)
                self._missing.remember(source.name, wanted.path)
                _note_success(source, breaker)
            except SourceAway as error:
                if self._closed.is_set():
                    return ENDED
                result = str(error)
                METRICS.increment("symbols.source_failed")
                if pause := breaker.note_failure(result):
                    logger.warning("symbol source away, asked again in %g s: %s", pause, error)
            else:
                _note_success(source, breaker)
                return FETCHED
        return result

    def _download(self, source: SymbolSource, wanted: SymbolFileID) -> None:
        with closing(source.chunks(wanted.path)) as chunks:
            # Begin no file before the source has sent something.
            first = next(chunks, b"")
            self._staging.write(
                wanted.path,
                lambda file: receive(chain((first,), chunks), file, wanted, self._limits, self._closed.is_set),
            )


def count_supplied(supplied: SupplyResult) -> None:
    """Count the results in the metrics."""
    for outcome in _OUTCOMES:
        if number := len(getattr(supplied, outcome)):
            METRICS.increment("symbols.supplied", number, outcome=outcome)


def not_done_after(seconds: float) -> str:
    """Return the reason why a file has not come in time."""
    return f"not done after {seconds:g} s"


def _result(future: Future[str]) -> str:
    return ENDED if future.cancelled() else future.result()


def _source(config: DotDict, text: str) -> SymbolSource:
    if text == S3:
        # Imported late, because few need it and the SDK takes a quarter of a second.
        from socorro_processor.symbols.s3_source import S3Source

        return S3Source(config[S3], config.download_timeout)
    if "://" in text:
        from socorro_processor.symbols.http_source import HTTPSource

        return HTTPSource(
            text,
            connection_timeout=config.connection_timeout,
            read_timeout=config.read_timeout,
            download_timeout=config.download_timeout,
            connections=config.number_of_downloads,
        )
    return DirectorySource(Path(text).absolute())


def _note_success(source: SymbolSource, breaker: CircuitBreaker) -> None:
    if breaker.note_success():
        logger.info("symbol source %s answers again", source.name)
