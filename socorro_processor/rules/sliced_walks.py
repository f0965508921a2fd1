"""Stackwalks with slices of the symbol files, wherever they say the same as with the files themselves.

Whatever goes wrong with slices, the walk is made with the full symbol files, and ``slicing.full`` counts
it by its reason.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

from socorro_processor.errors import SocorroError
from socorro_processor.metrics import METRICS
from socorro_processor.stackwalk.command import Outcome
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.result import StackwalkResult
from socorro_processor.stackwalk.stackwalker import Stackwalker
from socorro_processor.symbols import minidump
from socorro_processor.symbols.index import FileState
from socorro_processor.symbols.index_builder import IndexBuilder
from socorro_processor.symbols.index_directory import IndexRequest, ask_the_manager
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.memory_directory import MemoryDirectory, remove_abandoned
from socorro_processor.symbols.slicer import NotSliced, NotSlicedReason, Slices
from socorro_processor.symbols.slicing import Slicing
from socorro_processor.symbols.store import symbol_path
from socorro_processor.symbols.verdict import VERSIONS, version_of
from socorro_processor.symbols.wanted import Wanted

logger = logging.getLogger(__name__)

Walk = Callable[[Mapping[str, Sequence[str]], Mapping[str, str]], tuple[Outcome, StackwalkResult]]
"""Walks the dump, with these values of a stackwalker's command line in place of others, and more in its environment."""
States = dict[Path, FileState | None]
"""Of symbol files; None of those that are not there."""

_ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=33554432"}
"""Huge pages, where the system has them, for the few tens of megabytes that a walk with slices needs.

A walk with full files asks for hundreds of megabytes, for which the kernel may have to make room first.
"""


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


FullReason = Literal[NotSlicedReason, "stackwalker", "directory", "sandbox", "no_output", "hidden", "check"]
"""Why a dump is walked with the full symbol files after all."""


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
        self._slicing = Slicing(stores, indexes)
        self._share_to_verify = share_to_verify
        self._in_memory = in_memory
        self._lock = threading.Lock()
        self._memory: MemoryDirectory | None = None
        self._unknown: str | None = None
        for reason in get_args(FullReason):
            METRICS.expect("slicing.full", reason=reason)

    def clean_up(self) -> None:
        """Remove the slices of a killed process now: with the first new ones they would go too, and take memory until
        then."""
        if self._in_memory:
            with suppress(OSError):
                remove_abandoned()

    def needed_symbols(self, dump: Path) -> list[Wanted]:
        """The symbol files that a dump needs, which is to be walked next. Raises NotUnderstood."""
        return self._slicing.needed(dump)

    def walk(self, crash_id: str, dump: Path, directory: Path | None, walk: Walk) -> tuple[Outcome, StackwalkResult]:
        """Walk a dump. Raises what ``walk`` raises."""
        program, version = self._judge(directory)
        if version not in VERSIONS:
            return self._full(walk, "stackwalker")
        verify = random.random() < self._share_to_verify  # no secret  # nosec B311
        states = _states(self._possible_symbols(dump)) if verify else None
        try:
            new_directory = self._new_directory(directory)
        except OSError as error:
            logger.warning("no directory for slices, the symbol files are used in full: %s", error)
            return self._full(walk, "directory")
        slices: Slices | NotSliced | None = None
        try:
            slices = self._sliced(crash_id, dump, new_directory, version)
            if isinstance(slices, NotSliced):
                return self._full(walk, slices.reason)
            if slices.whole and not self._in_memory:
                # A sandbox need not show what a link leads to.
                return self._full(walk, "sandbox")
            outcome, result = walk(_in_place_of_symbols(new_directory), _ENVIRONMENT)
        finally:
            if isinstance(slices, Slices):
                slices.remove()
                self._want_indexes(slices.without_index, program, version)
            else:
                shutil.rmtree(new_directory, ignore_errors=True)
        full = None
        if not result.json_dump:
            if outcome.timed_out or outcome.output_too_large:
                return outcome, result
            full = self._full(walk, "no_output")
        elif not slices.were_seen_by(result.json_dump):
            full = self._full(walk, "hidden")
        elif not slices.hold_all_of(result.json_dump):
            full = self._full(walk, "check")
        elif states is None or (full := _verified(crash_id, walk, result, states)) is None:
            METRICS.increment("slicing.sliced")
        return full or (outcome, result)

    def _want_indexes(self, files: Iterable[SymbolFile], program: str, version: str) -> None:
        """Those of a symbol cache are its manager's, who counts what they come to."""
        for file in files:
            request = IndexRequest(file.relative, program, version)
            if not ask_the_manager(file.root, self._indexes.directory(file.root), request):
                self._builder.want(file, program, version)

    def wait_for_indexes(self) -> None:
        """Until the indexes that were missed so far have been built."""
        self._builder.wait()

    def close(self) -> None:
        self._builder.close()
        self._slicing.close()
        if self._memory is not None:
            self._memory.close()

    def _judge(self, crash_directory: Path | None) -> tuple[str, str]:
        """The stackwalker's path and version."""
        program, printed = self._stackwalker.version(crash_directory)
        version = version_of(printed)
        if version not in VERSIONS and printed != self._unknown:
            self._unknown = printed
            logger.warning(
                "slicing is off: it is known of minidump-stackwalk %s that slices make no difference, not of %r",
                " and ".join(sorted(VERSIONS)),
                printed.strip()[:100],
            )
        return program, version

    def _new_directory(self, crash_directory: Path | None) -> str:
        if not self._in_memory:
            return tempfile.mkdtemp(prefix="slices-", dir=crash_directory)
        with self._lock:
            if self._memory is None or not self._memory.path.is_dir():
                self._memory = MemoryDirectory()
            return self._memory.new()

    def _sliced(self, crash_id: str, dump: Path, directory: str, version: str) -> Slices | NotSliced:
        with METRICS.timer("slicing"):
            slices, seconds = self._slicing.slice(dump, directory, version)
        METRICS.duration("slicing.cpu", seconds)
        if isinstance(slices, NotSliced):
            if slices.failed:
                logger.error("%s: not sliced: %s", crash_id, slices.why)
                METRICS.increment("slicing.failed")
            else:
                logger.debug("%s: not sliced: %s", crash_id, slices.why)
            return slices
        METRICS.increment("slicing.files_sliced", slices.sliced)
        METRICS.increment("slicing.files_whole", slices.whole)
        return slices

    @staticmethod
    def _full(walk: Walk, reason: FullReason) -> tuple[Outcome, StackwalkResult]:
        METRICS.increment("slicing.full", reason=reason)
        return walk({}, {})

    def _possible_symbols(self, dump: Path) -> list[Path]:
        """Where the symbol files for the modules of a dump are, if there are any."""
        paths = []
        with suppress(SocorroError, OSError):
            for module in minidump.read(dump).modules:
                for store in self._stores:
                    # A name that is a trick names no file.
                    with suppress(ValueError):
                        paths.append(Path(store, symbol_path(module.debug_file or module.name, module.debug_id)))
        return paths


def _verified(
    crash_id: str, walk: Walk, sliced: StackwalkResult, states: States
) -> tuple[Outcome, StackwalkResult] | None:
    """The walk with full symbol files; None where that says nothing of the slices."""
    outcome, full = walk({}, {})
    # It may be killed, and files may have come or gone since they were sliced: then the slices are the better ones.
    if not full.json_dump or _states(states) != states:
        return None
    METRICS.increment("slicing.verified")
    if _comparable(full.json_dump) != _comparable(sliced.json_dump):
        METRICS.increment("slicing.differences")
        logger.error("%s: the stackwalk with slices differs from that with full symbol files", crash_id)
    return outcome, full


def _states(paths: Iterable[Path]) -> States:
    """Of these files, each that is there now."""
    states: States = {}
    for path in paths:
        states[path] = None
        with suppress(OSError, ValueError):
            states[path] = FileState.of(path.stat())
    return states


def _comparable(json_dump: Mapping[str, Any]) -> str:
    """Without what minidump-stackwalk prints otherwise each time: the order of the limits of the crashed process, and
    who signed a module that the raw crash says several signers of."""
    compared = {name: value for name, value in json_dump.items() if name != "proc_limits"}
    if isinstance(modules := compared.get("modules"), list):
        compared["modules"] = [
            {**module, "cert_subject": None} if isinstance(module, dict) else module for module in modules
        ]
    return json.dumps(compared, sort_keys=True)
