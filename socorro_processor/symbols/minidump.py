"""What a minidump says of itself that decides which symbols its stacks can need: a strict, quick reader.

A stackwalker looks up an address only if the dump holds it: in a register or in a word of a stack. So all
that it may look up is known beforehand::

    minidump = read(path)
    needed = minidump.pointed_into(minidump.candidates())  # modules

A dump comes from a stranger: counts, sizes and offsets are limited, and whatever is not as it should be
raises NotUnderstood. Only little-endian dumps of x86, amd64, arm and arm64 are read. Of the file no
more than a few megabytes are in memory at a time.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

from socorro_processor.symbols.address_search import AMD64, ARM, ARM64, X86, Addresses, AddressSearch, Cpu
from socorro_processor.symbols.code_view import names
from socorro_processor.symbols.dump_file import DumpFile, NotUnderstood, ReadAhead, limit
from socorro_processor.symbols.store import can_have_symbols

MAXIMUM_STREAMS = 4_096
MAXIMUM_MODULES = 16_384
MAXIMUM_THREADS = 16_384
MAXIMUM_REGIONS = 1 << 18
MAXIMUM_NAME = 1 << 15
"""Bytes of a module's name, and of its CodeView record."""
MAXIMUM_NAMES = 8 << 20
"""Bytes of all of them together: thousands of modules may point to one long name."""
MAXIMUM_CONTEXT = 1 << 16
MAXIMUM_CONTEXTS = 16 << 20
MEMORY_IN_FULL = 64 << 20
"""Of a dump with more memory in it only the regions with a thread's stack are looked at: no others are walked."""
MAXIMUM_MEMORY = 256 << 20

_CHUNK = 1 << 20
_GAP = 4 << 10
"""Bytes of the file between two pieces of memory that are looked at too, rather than skipped."""
_THREAD_LIST, _MODULE_LIST, _MEMORY_LIST, _EXCEPTION, _SYSTEM_INFO, _MEMORY64_LIST = 3, 4, 5, 6, 7, 9
_READ = frozenset((_THREAD_LIST, _MODULE_LIST, _MEMORY_LIST, _EXCEPTION, _SYSTEM_INFO, _MEMORY64_LIST))
_CPUS = {0: X86, 10: X86, 9: AMD64, 5: ARM, 12: ARM64, 0x8003: ARM64}
_WINDOWS = frozenset((0, 1, 2, 3))
_APPLE = frozenset((0x8101, 0x8102))


class Module(NamedTuple):
    """A file that was mapped: a program or a library.

    ``debug_file``, ``debug_id`` and ``code_id`` are as the stackwalker prints them, empty where there is none.
    """

    base: int
    size: int
    name: str
    debug_file: str
    debug_id: str
    code_id: str

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.size

    @property
    def can_have_symbols(self) -> bool:
        """True where a symbol store could have a file for it: it has a name, and an id that is not all zeros."""
        return can_have_symbols(self.debug_file, self.debug_id)


class Region(NamedTuple):
    """Memory of the process, and where it stands in the file."""

    address: int
    size: int
    at: int


@dataclass(frozen=True)
class Minidump:
    """What was read of a minidump."""

    path: Path
    cpu: str
    modules: tuple[Module, ...]
    """In the order of the dump."""
    _cpu: Cpu
    _regions: NDArray[Any]
    _contexts: tuple[bytes, ...]
    _exception_address: int | None
    _found: list[Addresses] = field(default_factory=list, compare=False)

    def candidates(self) -> Addresses:
        """Every address in a module that the stackwalker may look up: sorted, each once.

        Each pointer-sized word of stacks and other memory, at every address, for a stack pointer may be odd;
        each word of a context; the address of the exception; also what lies just before them, where a call
        would stand.
        ARM's bit for Thumb and arm64's pointer authentication are taken off. Reads the file, the first time.
        Raises NotUnderstood.
        """
        if not self._found:
            self._found.append(self._search())
        return self._found[0]

    def _search(self) -> Addresses:
        if not self.modules:
            return numpy.empty(0, numpy.uint64)
        search = AddressSearch(self._cpu, [(module.base, module.end - 1) for module in self.modules])
        for context in self._contexts:
            search.look_at(context)
        if self._exception_address is not None:
            search.look_at(self._exception_address.to_bytes(8, "little"))
        with DumpFile(self.path) as file:
            for start, size in _pieces_of_file(self._regions):
                # Chunks overlap by a word that reaches from the one into the other.
                for offset in range(0, size, _CHUNK):
                    length = min(_CHUNK + self._cpu.pointer_size - 1, size - offset)
                    search.look_at(file.read(start + offset, length, "memory"))
        return search.found()

    def pointed_into(self, candidates: Addresses) -> list[Module]:
        """The modules that hold any of these sorted addresses."""
        bases = numpy.array([module.base for module in self.modules], numpy.uint64)
        lasts = numpy.array([module.end - 1 for module in self.modules], numpy.uint64)
        holds = numpy.searchsorted(candidates, bases, "left") < numpy.searchsorted(candidates, lasts, "right")
        return [module for module, held in zip(self.modules, holds, strict=True) if held]


def read(path: Path) -> Minidump:
    """Raises NotUnderstood, whatever is wrong."""
    with DumpFile(path) as file:
        streams = _streams(file)
        cpu, platform = _system_info(file, streams)
        modules = _modules(file, streams, platform)
        stacks, contexts, exception_address = _threads(file, streams)
        memory = numpy.concatenate([_memory_list(file, streams), _memory64_list(file, streams)])
        regions = numpy.concatenate([stacks, memory])
        if int(regions["size"].sum()) > MEMORY_IN_FULL:
            regions = numpy.concatenate([stacks, _with_a_stack(memory, stacks, contexts, cpu)])
        if int(regions["size"].sum()) > MAXIMUM_MEMORY:
            raise NotUnderstood(f"stacks of more than {MAXIMUM_MEMORY >> 20} MB in all")
        return Minidump(path, cpu.name, modules, cpu, regions, contexts, exception_address)


_Streams = dict[int, tuple[int, int]]
"""Size and place, by kind."""


def _streams(file: DumpFile) -> _Streams:
    signature, version, count, at = struct.unpack("<4s3I", file.read(0, 16, "header"))
    if signature != b"MDMP" or version & 0xFFFF != 0xA793:
        raise NotUnderstood("no little-endian minidump")
    limit(count, MAXIMUM_STREAMS, "streams")
    streams: _Streams = {}
    for kind, size, place in struct.iter_unpack("<3I", file.read(at, 12 * count, "directory")):
        if kind in _READ:
            if streams.setdefault(kind, (size, place)) != (size, place):
                raise NotUnderstood(f"two streams of kind {kind}")
            if not 0 <= place <= file.size - size:
                raise NotUnderstood(f"stream {kind}: {size} bytes at {place} of a file of {file.size}")
    return streams


def _system_info(file: DumpFile, streams: _Streams) -> tuple[Cpu, int]:
    """Also the number of the operating system."""
    if _SYSTEM_INFO not in streams:
        raise NotUnderstood("no system info")
    size, at = streams[_SYSTEM_INFO]
    if size < 24:
        raise NotUnderstood(f"system info of {size} bytes")
    architecture, platform = struct.unpack("<H18xI", file.read(at, 24, "system info"))
    if architecture not in _CPUS:
        raise NotUnderstood(f"processor architecture {architecture:#x}")
    return _CPUS[architecture], platform


def _list(file: DumpFile, streams: _Streams, kind: int, entry: int, maximum: int, what: str) -> bytes:
    """The entries of a list that begins with their number; some writers put padding behind that."""
    if kind not in streams:
        return b""
    size, at = streams[kind]
    if size < 4:
        raise NotUnderstood(f"{what}: {size} bytes")
    (count,) = struct.unpack("<I", file.read(at, 4, what))
    limit(count, maximum, what)
    padding = size - 4 - count * entry
    if padding not in (0, 4):
        raise NotUnderstood(f"{what}: {count} of {entry} bytes each in {size}")
    return file.read(at + 4 + padding, count * entry, what)


def _modules(file: DumpFile, streams: _Streams, platform: int) -> tuple[Module, ...]:
    modules = []
    left = MAXIMUM_NAMES
    # Some writers put all names in one place and all records in another.
    names_ahead, records_ahead = ReadAhead(file, "name"), ReadAhead(file, "CodeView record")
    raw = _list(file, streams, _MODULE_LIST, 108, MAXIMUM_MODULES, "modules")
    for base, size, stamp, name_at, record_size, record_at in struct.iter_unpack("<QI4xII52xII24x", raw):
        if size == 0 or base + size > 1 << 64:
            continue  # as the stackwalker does
        (name_size,) = struct.unpack("<I", names_ahead.read(name_at, 4))
        limit(name_size, MAXIMUM_NAME, "bytes of a name")
        limit(record_size, MAXIMUM_NAME, "bytes of a CodeView record")
        left -= name_size + record_size
        if left < 0:
            raise NotUnderstood(f"names of modules of more than {MAXIMUM_NAMES} bytes in all")
        try:
            name = codecs.utf_16_le_decode(names_ahead.read(name_at + 4, name_size), "strict", True)[0]
        except UnicodeDecodeError as error:
            raise NotUnderstood(f"name of a module: {error.reason}") from error
        record = records_ahead.read(record_at, record_size) if record_size else b""
        try:
            known = names(record, name, f"{stamp:08x}{size:x}" if platform in _WINDOWS else "", platform in _APPLE)
        except ValueError as error:
            raise NotUnderstood(f"CodeView record: {error}") from error
        modules.append(Module(base, size, name, *known))
    return tuple(modules)


_REGION = numpy.dtype([("address", "<u8"), ("size", "<u8"), ("at", "<u8")])


def _threads(file: DumpFile, streams: _Streams) -> tuple[NDArray[Any], tuple[bytes, ...], int | None]:
    """Stacks, contexts, and the address of the exception."""
    stacks: list[Region] = []
    places = []
    raw = _list(file, streams, _THREAD_LIST, 48, MAXIMUM_THREADS, "threads")
    for start, size, at, context_size, context_at in struct.iter_unpack("<24xQ4I", raw):
        # Neither has to be there: of a thread that could not be read only the id is.
        if size and at:
            stacks.append(Region(start, size, at))
        places.append((context_size, context_at))
    address = None
    if _EXCEPTION in streams:
        size, at = streams[_EXCEPTION]
        if size < 168:
            raise NotUnderstood(f"exception of {size} bytes")
        address, *place = struct.unpack("<24xQ128xII", file.read(at, 168, "exception"))
        places.append((place[0], place[1]))
    contexts = []
    limit(sum(size for size, _ in places), MAXIMUM_CONTEXTS, "bytes of contexts")
    for size, at in dict.fromkeys(places):
        limit(size, MAXIMUM_CONTEXT, "bytes of a context")
        if size:
            contexts.append(file.read(at, size, "context"))
    return _checked(file, numpy.array(stacks, _REGION)), tuple(contexts), address


def _memory_list(file: DumpFile, streams: _Streams) -> NDArray[Any]:
    raw = _list(file, streams, _MEMORY_LIST, 16, MAXIMUM_REGIONS, "memory regions")
    entries = numpy.frombuffer(raw, numpy.dtype([("address", "<u8"), ("size", "<u4"), ("at", "<u4")]))
    return _checked(file, entries.astype(_REGION))


def _memory64_list(file: DumpFile, streams: _Streams) -> NDArray[Any]:
    """Of a dump of all memory: the regions stand one behind the other."""
    if _MEMORY64_LIST not in streams:
        return numpy.empty(0, _REGION)
    size, at = streams[_MEMORY64_LIST]
    if size < 16:
        raise NotUnderstood(f"64-bit memory regions: {size} bytes")
    count, base = struct.unpack("<QQ", file.read(at, 16, "64-bit memory regions"))
    limit(count, MAXIMUM_REGIONS, "64-bit memory regions")
    if size != 16 + 16 * count:
        raise NotUnderstood(f"64-bit memory regions: {count} in {size} bytes")
    raw = file.read(at + 16, 16 * count, "64-bit memory regions")
    entries = numpy.frombuffer(raw, numpy.dtype([("address", "<u8"), ("size", "<u8")]))
    regions = numpy.empty(count, _REGION)
    regions["address"], regions["size"] = entries["address"], entries["size"]
    # One of them alone beyond the file makes the sum wrong, maybe small: each is looked at by itself first.
    if base > file.size or (regions["size"] > file.size).any():
        raise NotUnderstood("64-bit memory regions: beyond the file")
    regions["at"] = base + numpy.cumsum(regions["size"]) - regions["size"]
    return _checked(file, regions)


def _checked(file: DumpFile, regions: NDArray[Any]) -> NDArray[Any]:
    """These, but for empty ones, if all are within the file."""
    size = numpy.uint64(file.size)
    if ((regions["at"] > size) | (regions["size"] > size - numpy.minimum(regions["at"], size))).any():
        raise NotUnderstood("memory beyond the end of the file")
    return regions[regions["size"] > 0]


def _with_a_stack(memory: NDArray[Any], stacks: NDArray[Any], contexts: Iterable[bytes], cpu: Cpu) -> NDArray[Any]:
    """Those of the regions that hold the beginning of a thread's stack, or what its stack pointer points to."""
    end = cpu.stack_pointer + cpu.pointer_size
    pointers = [int.from_bytes(each[cpu.stack_pointer : end], "little") for each in contexts if len(each) >= end]
    points = numpy.sort(numpy.concatenate([stacks["address"], numpy.array(pointers, numpy.uint64)]))
    last = memory["address"] + (memory["size"] - numpy.uint64(1))
    holds = numpy.searchsorted(points, memory["address"], "left") < numpy.searchsorted(points, last, "right")
    # One that reaches beyond the last address is nonsense; the stackwalker may take it in some way or other.
    return memory[holds | (last < memory["address"])]


def _pieces_of_file(regions: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Where in the file memory begins, and how far it goes: each piece once, however many regions share it."""
    starts, ends = regions["at"].astype(numpy.int64), (regions["at"] + regions["size"]).astype(numpy.int64)
    if not len(starts):
        return
    order = numpy.argsort(starts, kind="stable")
    begin, reach = starts[order], numpy.maximum.accumulate(ends[order])
    first = numpy.flatnonzero(numpy.concatenate([[True], begin[1:] > reach[:-1] + _GAP]))
    last = numpy.concatenate([first[1:] - 1, [len(begin) - 1]])
    yield from zip(begin[first].tolist(), (reach[last] - begin[first]).tolist(), strict=True)
