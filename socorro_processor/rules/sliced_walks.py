"""Stackwalks with slices of the symbol files, wherever they say the same as with the files themselves.

Whatever goes wrong with slices, the walk is made with the full symbol files, and ``slicing.full`` counts
it by its reason.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from socorro_processor.metrics import METRICS
from socorro_processor.stackwalk.command import Outcome
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.result import StackwalkResult
from socorro_processor.stackwalk.stackwalker import Stackwalker
from socorro_processor.symbols import minidump
from socorro_processor.symbols.index_builder import IndexBuilder
from socorro_processor.symbols.index_directory import IndexRequest, ask_the_manager
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.memory_directory import MemoryDirectory
from socorro_processor.symbols.slicer import CannotSlice, Slicer, Slices
from socorro_processor.symbols.verdict import VERSIONS, version_of

logger = logging.getLogger(__name__)

Walk = Callable[[Mapping[str, Sequence[str]]], tuple[Outcome, StackwalkResult]]
"""Walks the dump, with these values of a stackwalker's command line in place of others."""


def searched_stores(command_line: CommandLine, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The directories of symbols that minidump-stackwalk searches with this command line, in order.

    None where it asks servers too, or where slices could not take the place of the directories.
    """
    arguments = ("command_pathname", "dump_file_pathname", "raw_crash_pathname")
    values = {**values, **{name: (f"{{{name}}}",) for name in arguments}}
    filled = command_line.fill(values)
    with_slices = command_line.fill({**values, **_in_place_of_symbols("slices")})
    if "--symbols-url" in filled or filled[-1:] != ["{dump_file_pathname}"] or _searched(with_slices) != ["slices"]:
        return []
    return _searched(filled)


def _searched(arguments: Sequence[str]) -> list[str]:
    return [path for switch, path in itertools.pairwise(arguments) if switch == "--symbols-path"]


def _in_place_of_symbols(directory: str) -> dict[str, Sequence[str]]:
    return {"symbols_path": (directory,), "symbol_cache_path": ()}


class SlicedWalks:
    """May be used by several threads at once."""

    def __init__(
        self,
        stackwalker: Stackwalker,
        stores: Sequence[str],
        indexes: IndexStore,
        *,
        share_to_verify: float = 0.0,
        in_memory: bool = True,
    ) -> None:
        """``stores`` are searched in this order. ``in_memory``: not where a sandbox may hide that directory."""
        self._stackwalker = stackwalker
        self._stores = stores
        self._indexes = indexes
        self._builder = IndexBuilder(indexes)
        self._share_to_verify = share_to_verify
        self._in_memory = in_memory
        self._lock = threading.Lock()
        self._memory: MemoryDirectory | None = None
        self._unknown: str | None = None

    def walk(self, crash_id: str, dump: Path, directory: Path | None, walk: Walk) -> tuple[Outcome, StackwalkResult]:
        """Walk a dump. Raises what ``walk`` raises."""
        program, version = self._judge()
        if version not in VERSIONS:
            return self._full(walk, "stackwalker")
        try:
            new_directory = self._new_directory(directory)
        except OSError as error:
            logger.warning("no directory for slices, the symbol files are used in full: %s", error)
            return self._full(walk, "directory")
        with new_directory as path:
            slices = self._sliced(crash_id, dump, Path(path), version)
            if slices is None:
                return self._full(walk, "slicing")
            outcome, result = walk(_in_place_of_symbols(path))
            full = None
            if not result.json_dump:
                if outcome.timed_out or outcome.output_too_large:
                    return outcome, result
                full = self._full(walk, "no_output")
            elif not slices.hold_all_of(result.json_dump):
                full = self._full(walk, "check")
            elif random.random() < self._share_to_verify:  # no secret  # nosec B311
                full = self._verified(crash_id, walk, result)
            else:
                METRICS.increment("slicing.sliced")
        for file in slices.without_index:
            self._want_index(file, program, version)
        return full or (outcome, result)

    def _want_index(self, file: SymbolFile, program: str, version: str) -> None:
        """Those of a symbol cache are its manager's, who counts what they come to."""
        request = IndexRequest(file.relative, program, version)
        if not ask_the_manager(file.root, self._indexes.directory(file.root), request):
            self._builder.want(file, program, version)

    def wait_for_indexes(self) -> None:
        """Until the indexes that were missed so far have been built."""
        self._builder.wait()

    def close(self) -> None:
        self._builder.close()
        if self._memory is not None:
            self._memory.close()

    def _judge(self) -> tuple[str, str]:
        """The stackwalker's path and version."""
        program, printed = self._stackwalker.version()
        version = version_of(printed)
        if version not in VERSIONS and printed != self._unknown:
            self._unknown = printed
            logger.warning(
                "slicing is off: it is known of minidump-stackwalk %s that slices make no difference, not of %r",
                " and ".join(sorted(VERSIONS)),
                printed.strip()[:100],
            )
        return program, version

    def _new_directory(self, crash_directory: Path | None) -> TemporaryDirectory[str]:
        if not self._in_memory:
            return TemporaryDirectory(prefix="slices-", dir=crash_directory, ignore_cleanup_errors=True)
        with self._lock:
            if self._memory is None or not self._memory.path.is_dir():
                self._memory = MemoryDirectory()
            return self._memory.new()

    def _sliced(self, crash_id: str, dump: Path, directory: Path, version: str) -> Slices | None:
        started = time.thread_time()
        try:
            with METRICS.timer("slicing"):
                slices = Slicer(self._stores, self._indexes, version).slice(minidump.read(dump), directory)
        except (minidump.NotUnderstood, CannotSlice, OSError) as error:
            logger.debug("%s: not sliced: %s", crash_id, error)
            return None
        except Exception:
            # It reads what strangers send: no fault of it may cost a crash.
            logger.exception("%s: not sliced", crash_id)
            METRICS.increment("slicing.failed")
            return None
        finally:
            METRICS.duration("slicing.cpu", time.thread_time() - started)
        METRICS.increment("slicing.files_sliced", slices.sliced)
        METRICS.increment("slicing.files_whole", slices.whole)
        return slices

    @staticmethod
    def _full(walk: Walk, reason: str) -> tuple[Outcome, StackwalkResult]:
        METRICS.increment("slicing.full", reason=reason)
        return walk({})

    @staticmethod
    def _verified(crash_id: str, walk: Walk, sliced: StackwalkResult) -> tuple[Outcome, StackwalkResult]:
        outcome, full = walk({})
        METRICS.increment("slicing.verified")
        if _comparable(full.json_dump) != _comparable(sliced.json_dump):
            METRICS.increment("slicing.differences")
            logger.error("%s: the stackwalk with slices differs from that with full symbol files", crash_id)
        return outcome, full


def _comparable(json_dump: Mapping[str, Any]) -> str:
    """Without the limits of the crashed process: minidump-stackwalk prints them in another order each time."""
    return json.dumps({name: value for name, value in json_dump.items() if name != "proc_limits"}, sort_keys=True)
