"""Slices: of each symbol file only what one dump can need, so that the stackwalker need not read the rest.

A stackwalker looks up only addresses that are in the dump (``minidump.candidates``). For each of them a
slice holds what the whole file would answer with: the FUNC that covers it, with its lines and inlined
calls; or else the PUBLIC before it, and the FUNC that a PUBLIC does not reach beyond; the STACK CFI and
STACK WIN that cover it; the FILE and INLINE_ORIGIN that those FUNC name. So the answers are the same.

A symbol file without an index, or one that is not understood, is linked in whole.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import numpy

from socorro_processor.errors import SocorroError
from socorro_processor.regular_file import write_all
from socorro_processor.symbols.address_search import Addresses
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.index import FileState, UnusableIndex
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.minidump import Minidump, Module
from socorro_processor.symbols.record_selection import STUB, slice_of
from socorro_processor.symbols.records import NotSliceable
from socorro_processor.symbols.searched_dumps import SearchedDumps

MAXIMUM_SLICES = 256 << 20
"""Bytes of all slices of a dump; the symbol files beyond are linked in whole."""
_CORRUPT = b"corrupt\n"
"""The stackwalker takes nothing of this file."""


class CannotSlice(SocorroError):
    """The stores are not as they are expected to be: the full files have to be used."""


class NotWorthwhile(CannotSlice):
    """The symbol files are smaller than the dump: to read them takes no longer than to search it."""


NotSlicedReason = Literal["small", "slicing", "memory", "process"]


@dataclass(frozen=True)
class NotSliced:
    """Why there are no slices of a dump."""

    reason: NotSlicedReason
    """By which it is counted."""
    why: str
    failed: bool = False
    """It is a fault of the slicer, and ``why`` says where."""


class SliceFiles:
    """The files of one dump's slices, which are removed by their names: in a third of the time of a search."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files: list[str] = []
        self._directories = [str(directory)]

    def new_path(self, relative: str) -> str:
        """The path of a file that is about to be made, with the directories that it needs."""
        path = str(self.directory)
        *parents, name = relative.split("/")
        for parent in parents:
            path = f"{path}/{parent}"
            with suppress(FileExistsError):
                os.mkdir(path)  # noqa: PTH102
                self._directories.append(path)
        self._files.append(f"{path}/{name}")
        return self._files[-1]

    def remove(self) -> None:
        """Remove them, and their directory. What fails is left."""
        try:
            for file in self._files:
                os.unlink(file)  # noqa: PTH108
            for directory in reversed(self._directories):
                os.rmdir(directory)  # noqa: PTH106
        except OSError:
            shutil.rmtree(self.directory, ignore_errors=True)


@dataclass
class Slices:
    """The slices of one dump."""

    directory: Path
    """A store of symbols for the stackwalker, instead of all others."""
    candidates: Addresses
    remove: Callable[[], None]
    """Removes them, with their directory."""
    sliced: int = 0
    """Files of which there is a slice."""
    whole: int = 0
    """Files that are linked in whole."""
    size: int = 0
    """Bytes of all slices."""
    without_index: list[SymbolFile] = field(default_factory=list)
    modules: set[int] = field(default_factory=set)
    """Where those begin for which there is a file here."""

    def were_seen_by(self, json_dump: Mapping[str, Any]) -> bool:
        """Whether a stackwalker's JSON lacks no symbols that are here, as where a sandbox hides them."""
        try:
            lacking = [module for module in json_dump.get("modules") or () if module.get("missing_symbols")]
            return self.modules.isdisjoint(int(module["base_addr"], 16) for module in lacking)
        except (AttributeError, KeyError, TypeError, ValueError):
            return False

    def hold_all_of(self, json_dump: Mapping[str, Any]) -> bool:
        """Whether the address of every frame in a stackwalker's JSON was a candidate.

        Else the walk may have asked for something that was not in the slices.
        """
        try:
            frames = chain.from_iterable(thread.get("frames") or () for thread in json_dump.get("threads") or ())
            # There are up to tens of thousands. A set, for many threads wait at the same place.
            offsets = set(map(itemgetter("offset"), filter(itemgetter("module"), frames)))
            asked = numpy.array([int(offset, 16) for offset in offsets], numpy.uint64)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return False
        places = numpy.searchsorted(self.candidates, asked)
        found = numpy.concatenate([self.candidates, numpy.zeros(1, numpy.uint64)])[places]
        return bool((found == asked).all())


class Slicer:
    """Slices the symbol files of some stores. May be used by several threads at once."""

    def __init__(
        self, stores: Sequence[str], indexes: IndexStore, stackwalker: str, *, only_worthwhile: bool = False
    ) -> None:
        """``stores`` are searched in this order, as the stackwalker does, of the version ``stackwalker``."""
        self._stores = [Path(store).absolute() for store in stores]
        self._indexes = indexes
        self._stackwalker = stackwalker
        self._only_worthwhile = only_worthwhile

    def attempt(self, dump: Path, directory: Path, dumps: SearchedDumps) -> tuple[Slices | NotSliced, float]:
        """Write the slices for a dump into an empty directory, if that can be done; and the CPU seconds it took."""
        started = time.thread_time()
        result: Slices | NotSliced
        try:
            result = self.slice(dumps.read(dump), directory)
        except NotWorthwhile as error:
            result = NotSliced("small", str(error))
        except (NotUnderstood, CannotSlice, OSError) as error:
            result = NotSliced("slicing", str(error))
        except MemoryError:
            result = NotSliced("memory", "")
        except Exception:
            # It reads what strangers send: no fault of it may cost a crash.
            result = NotSliced("slicing", traceback.format_exc(), failed=True)
        return result, time.thread_time() - started

    def slice(self, dump: Minidump, directory: Path) -> Slices:
        """Write the slices for a dump into an empty directory.

        Raises CannotSlice, NotUnderstood (of the dump), OSError (of the directory).
        """
        if any(store.is_file() for store in self._stores):
            raise CannotSlice("a symbol file in place of a directory of symbols")
        found = list(self._found(dump.modules))
        if self._only_worthwhile and sum(size for _, size, _ in found) < dump.path.stat().st_size:
            raise NotWorthwhile("the symbol files are smaller than the dump")
        files = SliceFiles(directory)
        slices = Slices(directory, dump.candidates(), files.remove)
        spans = _spans_of_candidates(dump.modules, slices.candidates)
        stub = files.new_path("stub")
        _write(stub, STUB)
        for file, _, modules in found:
            pieces = [
                slices.candidates[first:behind] - numpy.uint64(dump.modules[number].base)
                for number in modules
                for first, behind in [spans[number]]
            ]
            addresses = pieces[0] if len(pieces) == 1 else numpy.sort(numpy.concatenate(pieces))
            target = files.new_path(file.relative)
            slices.modules.update(dump.modules[number].base for number in modules)
            if not len(addresses):
                os.link(stub, target)
                continue
            data = self._slice(file, addresses, slices)
            if data is None:
                os.symlink(file.path, target)  # noqa: PTH211
                slices.whole += 1
            else:
                _write(target, data)
                slices.sliced += 1
                slices.size += len(data)
        return slices

    def _found(self, modules: Sequence[Module]) -> Iterator[tuple[SymbolFile, int, list[int]]]:
        """Each symbol file that there is, its size, and the modules that it belongs to, by their numbers."""
        for relative, numbers in _by_symbol_file(modules).items():
            for store in self._stores:
                try:
                    # As a text, here and below: there are hundreds, and a Path costs more than the call.
                    status = os.stat(f"{store}/{relative}")  # noqa: PTH116
                except (OSError, ValueError):
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield SymbolFile(store, relative), status.st_size, numbers
                    break

    def _slice(self, file: SymbolFile, addresses: Addresses, slices: Slices) -> bytes | None:
        """The slice of a file; None where it has to be used whole."""
        try:
            # Also where nothing is read: who watches the cache sees that the file is in use.
            descriptor = os.open(f"{file.root}/{file.relative}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            state = FileState.of(os.fstat(descriptor))
            index = self._indexes.get(file, state, self._stackwalker)
            if index.unsliceable:
                return None
            if index.corrupt:
                return _CORRUPT
            limit = min(state.size // 2 + 4096, MAXIMUM_SLICES - slices.size)
            data = slice_of(index, addresses, partial(os.pread, descriptor), limit)
            return data if FileState.of(os.fstat(descriptor)) == state else None
        except UnusableIndex:
            slices.without_index.append(file)
            return None
        except (NotSliceable, OSError):
            return None
        finally:
            os.close(descriptor)


def _by_symbol_file(modules: Sequence[Module]) -> dict[str, list[int]]:
    """Modules (their numbers) by where the stackwalker looks for their symbols, below a store."""
    by_file: dict[str, list[int]] = {}
    for number, module in enumerate(modules):
        if not module.debug_id:
            continue
        name = (module.debug_file or module.name).replace("\\", "/").rpartition("/")[2]
        if name in ("", ".", "..") or "\0" in name:
            continue
        file = name[:-4] if name[-4:].lower() == ".pdb" else name
        by_file.setdefault(f"{name}/{module.debug_id}/{file}.sym", []).append(number)
    return by_file


def _spans_of_candidates(modules: Sequence[Module], candidates: Addresses) -> list[tuple[int, int]]:
    """Where among the sorted candidates those of each module begin and end."""
    bases = numpy.array([module.base for module in modules], numpy.uint64)
    lasts = numpy.array([module.end - 1 for module in modules], numpy.uint64)
    first, behind = numpy.searchsorted(candidates, bases), numpy.searchsorted(candidates, lasts, "right")
    return list(zip(first.tolist(), behind.tolist(), strict=True))


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)
