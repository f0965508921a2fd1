"""A dump as the stackwalker saw it: the crashing thread's stack, other threads, the modules.

    dump = WalkedDump(processed_crash["json_dump"])
    for frame in folded(dump.crashing_thread.frames):
        print(frame)

Each frame tells how it was found. A guessed frame may not belong to the stack, and is marked as doubtful.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

from socorro_processor.kernel_modules import is_of_kernel
from socorro_processor.signature.normal_form.function import placeholder_module
from socorro_processor.stackwalk.deep_stacks import is_cut, is_cut_mark
from socorro_processor.untrusted import hex_of, joined, list_of, mapping_of, mappings_of, plain, text_of, value_of

_NAMED_MODULES = 5  # unloaded modules of a frame
_LONGEST_ROUND = 8  # frames of a round of a recursion that is folded
_SHOWN_ROUNDS = 2

GUESSED, INLINED = "scan?", "inlined"
NO_SYMBOLS, CORRUPT_SYMBOLS = "no symbols", "corrupt symbols"
NO_NAME = "no name"
"""The symbols of its module were found, and name no function there."""
OF_KERNEL = "of the kernel"
"""Nobody has symbols of its module."""
# Words for how a frame was found, if the stackwalker's own is too long or unclear.
_TRUST = {"frame_pointer": "fp", "scan": GUESSED, "cfi_scan": GUESSED, "none": "?"}
_MAXIMUM_REGISTERS = 200
_OF_MODULE = ("filename", "version", "debug_file", "debug_id", "code_id", "base_addr", "end_addr")
_TO_BE_MENDED = (NO_SYMBOLS, CORRUPT_SYMBOLS)
_SYMBOLS = {"missing_symbols": "missing", "corrupt_symbols": "corrupt", "loaded_symbols": "yes"}
# hg:hg.mozilla.org/mozilla-central:dom/media/Decoder.cpp:4f1c0a
_IN_REPOSITORY = re.compile(r"(?:git|hg|s3|svn):[^:]*:([^:]*)(?::.*)?", re.DOTALL)


class Frame(NamedTuple):
    """A frame, or a function inlined in the next frame."""

    number: int
    trust: str
    """How the frame was found; ``GUESSED`` if it may not be one, ``INLINED`` for an inlined function."""
    function: str
    """The function or, if no symbols name it, the place in the module as signatures have it: ``libc.so.6@0x891f4``."""
    source: str
    """``file:line``; the file is a path in its repository, or the last three parts of another path."""
    module: str
    symbol_problem: str
    """Why the function has no name, in words: ``NO_SYMBOLS``, ``CORRUPT_SYMBOLS``, ``NO_NAME``, ``OF_KERNEL``; empty
    if it has one, or nothing is known of it."""
    path: str = ""
    """The source file as the symbols name it."""
    line: str = ""

    @property
    def is_place(self) -> bool:
        """True if no symbols name the function, and ``function`` is a place in the module."""
        return bool(self.module) and self.function.startswith(f"{self.module}@")

    @property
    def shown(self) -> tuple[str, ...]:
        """All that a reader compares frames by: everything except the number, and the path behind ``source``."""
        return self[1:6]


class Fold(NamedTuple):
    """The rounds of a recursion that were left out of a stack."""

    frames: int
    """The frames of one round."""
    times: int

    def __str__(self) -> str:
        what = "this line" if self.frames == 1 else f"these {self.frames} lines"
        return f"... {what} {self.times} times more ..."


@dataclass(frozen=True)
class Thread:
    number: str
    name: str
    frames: tuple[Frame, ...]
    """The frames, each after the functions inlined in it, innermost first."""
    is_truncated: bool
    total: str
    """The number of frames before the stack was truncated; empty if it is not known."""
    registers: tuple[tuple[str, str], ...] = ()
    """The registers of the topmost frame, by name, in the stackwalker's order."""

    @property
    def guessed(self) -> int:
        return sum(frame.trust == GUESSED for frame in self.frames)

    @property
    def count(self) -> int:
        """The number of frames, without inlined functions."""
        return sum(frame.trust != INLINED for frame in self.frames)


class Module(NamedTuple):
    name: str
    version: str
    debug_file: str
    debug_id: str
    symbols: str
    """``yes``, ``missing`` or ``corrupt``; ``no`` if no frame asked for them, or nobody has them."""
    code_id: str = ""
    begin: str = ""
    """The address of its first byte."""
    end: str = ""
    """The address behind its last byte."""


class WalkedDump:
    def __init__(self, json_dump: Mapping[str, Any]) -> None:
        self.modules = [_module(module) for module in mappings_of(json_dump, "modules")]
        self._by_name = {module.name: module for module in self.modules}
        self._threads = [thread if isinstance(thread, Mapping) else {} for thread in list_of(json_dump, "threads")]
        self._number, self._crashing = _crashing_thread(json_dump, self._threads)

    @property
    def thread_count(self) -> int:
        return len(self._threads)

    @cached_property
    def crashing_thread(self) -> Thread | None:
        """The thread that crashed; None if the stackwalker named none."""
        return self._thread(plain(self._number), self._crashing) if self._crashing else None

    def other_threads(self, maximum: int | None = None) -> Iterator[Thread]:
        """Yield each thread except the crashing one; with a ``maximum``, only the first ones."""
        for index, thread in enumerate(self._threads[:maximum]):
            if not (self._crashing and index == self._number):
                yield self._thread(str(index), thread)

    def modules_without_symbols(self) -> tuple[list[Module], int]:
        """Return the modules on the crashing thread's stack that lack symbols, and the number of all modules there."""
        frames = [frame for frame in (self.crashing_thread.frames if self.crashing_thread else ()) if frame.module]
        lacking = dict.fromkeys(frame.module for frame in frames if frame.symbol_problem in _TO_BE_MENDED)
        modules = [self._by_name.get(name, Module(name, "", "", "", "no")) for name in lacking]
        return modules, len({frame.module for frame in frames})

    def symbol_counts(self) -> Counter[str]:
        """Return the number of modules by the word in ``symbols``."""
        return Counter(module.symbols for module in self.modules)

    def _thread(self, number: str, thread: Mapping[str, Any]) -> Thread:
        frames = [frame for frame in mappings_of(thread, "frames") if not is_cut_mark(frame)]
        return Thread(
            number,
            text_of(thread, "thread_name"),
            tuple(part for index, frame in enumerate(frames) for part in self._frames(index, frame)),
            thread.get("frames_truncated") is True or is_cut(thread),
            text_of(thread, "total_frames") or text_of(thread, "frame_count"),
            _registers(frames[0]) if frames else (),
        )

    def _frames(self, index: int, frame: Mapping[str, Any]) -> Iterator[Frame]:
        """Yield the functions inlined in a frame, then the frame."""
        number = frame.get("frame")
        number = number if isinstance(number, int) and 0 <= number < 10**6 else index
        module = text_of(frame, "module")
        for inline in mappings_of(frame, "inlines"):
            yield Frame(number, INLINED, _function(inline), _source(inline), module, "", *_path_and_line(inline))
        trust = text_of(frame, "trust")
        trust = _TRUST.get(trust, trust[:9])
        problem = self._symbol_problem(frame, module)
        yield Frame(number, trust, _function(frame), _source(frame), module, problem, *_path_and_line(frame))

    def _symbol_problem(self, frame: Mapping[str, Any], name: str) -> str:
        if not name:
            return ""
        if is_of_kernel(name):
            return "" if text_of(frame, "function") else OF_KERNEL
        symbols = self._by_name[name].symbols if name in self._by_name else "no"
        if frame.get("missing_symbols") is True or symbols in ("missing", "corrupt"):
            return CORRUPT_SYMBOLS if symbols == "corrupt" else NO_SYMBOLS
        return NO_NAME if _has_placeholder(frame) else ""


def folded(frames: Sequence[Frame]) -> Iterator[Frame | Fold]:
    """Yield the frames; for a recursion the first rounds, the number of equal rounds left out, and the last one."""
    begin = 0
    while begin < len(frames):
        length, rounds = _recursion(frames, begin)
        left_out = rounds - _SHOWN_ROUNDS - 1
        if left_out < 2:
            yield frames[begin]
            begin += 1
            continue
        end = begin + length * rounds
        yield from frames[begin : begin + length * _SHOWN_ROUNDS]
        yield Fold(length, left_out)
        yield from frames[end - length : end]
        begin = end


def _recursion(frames: Sequence[Frame], begin: int) -> tuple[int, int]:
    """Return the length in frames of the shortest round that repeats often enough to fold, and its repetitions."""
    for length in range(1, _LONGEST_ROUND + 1):
        end = begin + length
        while end < len(frames) and frames[end].shown == frames[end - length].shown:
            end += 1
        if (rounds := (end - begin) // length) > _SHOWN_ROUNDS + 2:
            return length, rounds
    return 1, 1


def _crashing_thread(
    json_dump: Mapping[str, Any], threads: list[Mapping[str, Any]]
) -> tuple[object, Mapping[str, Any]]:
    """Return the crashing thread's number, which may be anything, and the thread, empty if none is known."""
    number = value_of(json_dump, "crash_info", "crashing_thread")
    if not isinstance(number, int):
        number = value_of(json_dump, "crashing_thread", "threads_index")
    in_list = threads[number] if isinstance(number, int) and 0 <= number < len(threads) else {}
    return number, mapping_of(json_dump, "crashing_thread") or in_list


def _function(frame: Mapping[str, Any]) -> str:
    module = text_of(frame, "module")
    if (function := text_of(frame, "function")) and not (module and _has_placeholder(frame)):
        return function
    if module:
        return joined("@", module, hex_of(frame, "module_offset"))
    unloaded = [text_of(module, "module") for module in mappings_of(frame, "unloaded_modules")]
    where = f"unloaded: {', '.join(unloaded[:_NAMED_MODULES])}" if unloaded else "in no module"
    return f"{hex_of(frame, 'offset') or '?'} ({where})"


def _has_placeholder(frame: Mapping[str, Any]) -> bool:
    """Return True if symbols have only a placeholder for the function, such as ``<unknown in libc.so.6>``."""
    function = frame.get("function")
    return isinstance(function, str) and placeholder_module(function) is not None


def _source(frame: Mapping[str, Any]) -> str:
    path = text_of(frame, "file")
    in_repository = _IN_REPOSITORY.fullmatch(path)
    parts = [part for part in re.split(r"[/\\]", in_repository[1] if in_repository else path) if part not in ("", ".")]
    kept = parts[-20:] if in_repository and ".." not in parts else parts[-3:]
    return joined(":", "/".join(kept), text_of(frame, "line")) if kept else ""


def _path_and_line(frame: Mapping[str, Any]) -> tuple[str, str]:
    return text_of(frame, "file"), text_of(frame, "line")


def _registers(frame: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    registers = mapping_of(frame, "registers")
    return tuple((plain(name), plain(value)) for name, value in islice(registers.items(), _MAXIMUM_REGISTERS))


def _module(module: Mapping[str, Any]) -> Module:
    symbols = next((word for key, word in _SYMBOLS.items() if module.get(key) is True), "no")
    name, version, file, debug_id, code_id, begin, end = (text_of(module, key) for key in _OF_MODULE)
    if symbols == "missing" and is_of_kernel(name):
        symbols = "no"
    return Module(name, version, file, debug_id, symbols, code_id, begin, end)
