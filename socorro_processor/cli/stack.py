"""A dump as the stackwalker saw it: the stack of the thread that crashed, other threads, the modules.

    dump = WalkedDump(processed_crash["json_dump"], ["Once a symbol store has them: ..."], width=None)
    for line in dump.crashing_thread():
        console.print(line)

A frame says how it was found: one that was guessed may be none of the crash's, and is marked as doubtful.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from socorro_processor.cli.layout import Row, excerpt, joined, table, titles
from socorro_processor.cli.untrusted import hex_of, list_of, mapping_of, mappings_of, plain, text_of, value_of
from socorro_processor.stackwalk.deep_stacks import is_cut, is_cut_mark

# The part of a terminal's width that a column takes at most; 0 for the one that takes the rest.
_SOURCE_SHARE = 0.25
_FRAME_SHARES = (0.1, 0.1, 0, _SOURCE_SHARE, 0.2)
_MODULE_SHARES = (0, 0.2, 0.45, 0.1)
_MODULE_TITLES = titles(("module", "version", "debug id", "symbols"))

_NARROW = 100  # cells of a terminal below which the module of a frame gives way to its source
_NAMED_MODULES = 5
_LONGEST_ROUND = 8  # rows of a round of a recursion that is folded
_SHOWN_ROUNDS = 2
_FUNCTION = 2  # its column

# How a frame was found, where the stackwalker's own word is too long or says too little.
_FOUND = {"frame_pointer": "fp", "scan": "scan?", "cfi_scan": "scan?", "none": "?"}
_SYMBOLS = {"missing_symbols": "missing", "corrupt_symbols": "corrupt", "loaded_symbols": "yes"}
_CORRUPT_FILE = "there is a symbol file, but it is corrupt: the stackwalker rejects it"
# hg:hg.mozilla.org/mozilla-central:dom/media/Decoder.cpp:4f1c0a
_IN_REPOSITORY = re.compile(r"(?:git|hg|s3|svn):[^:]*:([^:]*)(?::.*)?", re.DOTALL)


class WalkedDump:
    """A dump as the stackwalker printed it, to be shown as lines of a report."""

    def __init__(self, json_dump: Mapping[str, Any], advice: Iterable[str], width: int | None) -> None:
        """``advice``: lines on what to do where symbols are missing; ``width`` is that of the terminal, or None."""
        self._advice = advice
        self._width = width
        self._modules = mappings_of(json_dump, "modules")
        self._by_name = {text_of(module, "filename"): module for module in self._modules}
        self._threads = [thread if isinstance(thread, Mapping) else {} for thread in list_of(json_dump, "threads")]
        self._number, self._crashing = _crashing_thread(json_dump, self._threads)

    def crashing_thread(self) -> Iterator[Text]:
        """Yield its stack, and which symbols that lacks; or that there is none."""
        if self._crashing:
            yield from self._thread(joined(" ", "Crashing thread", plain(self._number)), self._crashing)
            yield from self._missing_symbols()
        else:
            there = f"{len(self._threads)} threads; --all-threads shows them" if self._threads else "no threads"
            yield Text(f"No crashing thread: the stackwalker named none, in a dump of {there}.", "yellow")

    def other_threads(self, only: int | None = None) -> Iterator[Text]:
        """Yield the stack of each thread but the crashing one; with ``only``, of the one of them with that number."""
        for index, thread in enumerate(self._threads):
            if only in (None, index) and not (self._crashing and index == self._number):
                yield Text()
                yield from self._thread(f"Thread {index}", thread)

    def modules_in_short(self) -> Iterator[Text]:
        """Yield how many there are, and for how many the stackwalker had symbols, or looked for them in vain."""
        if self._modules:
            found = Counter(_symbols(module) for module in self._modules)
            counts = [f"{found[word]} {word}" for word in ("missing", "corrupt") if found[word]]
            asked_for = len(self._modules) - found["no"]
            symbols = ", ".join([f"{found['yes']} of {asked_for} asked for", *counts])
            yield Text(f"\n{len(self._modules)} modules, symbols: {symbols} (--modules shows them)", "dim")

    def modules(self) -> Iterator[Text]:
        yield Text("\nModules (symbols: no where no frame asked for them)", "bold")
        yield from table([_MODULE_TITLES, *map(_module_row, self._modules)], _MODULE_SHARES, self._width)

    def _thread(self, title: str, thread: Mapping[str, Any]) -> Iterator[Text]:
        frames = _frames(thread)
        count = f"{len(frames) or 'no'} frame{'' if len(frames) == 1 else 's'}"
        if thread.get("frames_truncated") is True or is_cut(thread):
            total = text_of(thread, "total_frames") or text_of(thread, "frame_count")
            count += f" of {total or 'more'}: the stack is truncated"
        yield Text.assemble((joined(", ", title, text_of(thread, "thread_name")), "bold"), f": {count}")
        rows = [row for index, frame in enumerate(frames) for row in self._frame_rows(index, frame)]
        yield from excerpt(list(table(list(_folded(rows)), _FRAME_SHARES, self._width)))
        if guessed := sum(_found(frame) == "scan?" for frame in frames):
            guess = f"scan?: doubtful, guessed by scanning the stack ({guessed} of {len(frames)} frames)"
            yield Text(guess, "yellow")

    def _frame_rows(self, index: int, frame: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the frame, and above it what is inlined in it: innermost first, as the stackwalker gives them."""
        number = frame.get("frame")
        label = f"{number if isinstance(number, int) and 0 <= number < 10**6 else index:>3}"
        module = text_of(frame, "module")
        missing = self._lack_of_symbols(frame)
        for part, found in (*((inline, "inlined") for inline in mappings_of(frame, "inlines")), (frame, _found(frame))):
            style = {"scan?": "yellow", "inlined": "cyan"}.get(found, "")
            source = _source(part, self._width) or (missing if part is frame else "")
            row = [(label, "dim"), (found, style), (_function(part), "dim" if style else ""), (source, "blue")]
            if self._width is None or self._width >= _NARROW:
                row.append((module, "dim"))
            elif not source:
                row[-1] = (module, "dim")
            yield row

    def _missing_symbols(self) -> Iterator[Text]:
        """Yield the symbols that the crashing thread lacks, under the names that they would have in a symbol store."""
        frames = _frames(self._crashing)
        lacking = dict.fromkeys(text_of(frame, "module") for frame in frames if self._lack_of_symbols(frame))
        if not lacking:
            return
        modules = {text_of(frame, "module") for frame in frames} - {""}
        yield Text(f"No symbols for {len(lacking)} of {len(modules)} modules of this stack:", "yellow")
        for name in list(lacking)[:_NAMED_MODULES]:
            module = self._by_name.get(name, {})
            debug_file, debug_id = text_of(module, "debug_file") or name, text_of(module, "debug_id")
            line = f"  {debug_file}/{debug_id}" if debug_id.strip("0") else f"  {debug_file} (without a debug id)"
            yield Text(f"{line}: {_CORRUPT_FILE}" if _symbols(module) == "corrupt" else line)
        if len(lacking) > _NAMED_MODULES:
            yield Text(f"  and {len(lacking) - _NAMED_MODULES} more")
        yield from map(Text, self._advice)

    def _lack_of_symbols(self, frame: Mapping[str, Any]) -> str:
        """Return in a word why there is no function, empty where there are symbols for the frame's module."""
        name = text_of(frame, "module")
        symbols = _symbols(self._by_name.get(name, {}))
        if not name or not (frame.get("missing_symbols") is True or symbols in ("missing", "corrupt")):
            return ""
        return "corrupt symbols" if symbols == "corrupt" else "no symbols"


def _folded(rows: list[Row]) -> Iterator[Row]:
    """Yield the rows; of a recursion the first rounds, how many follow that are the same, and the last one."""
    begin = 0
    while begin < len(rows):
        length, rounds = _recursion(rows, begin)
        folded = rounds - _SHOWN_ROUNDS - 1
        if folded < 2:
            yield rows[begin]
            begin += 1
            continue
        end = begin + length * rounds
        yield from rows[begin : begin + length * _SHOWN_ROUNDS]
        what = "this line" if length == 1 else f"these {length} lines"
        again = (f"... {what} {folded} times more ...", "dim")
        yield [again if column == _FUNCTION else ("", "") for column in range(len(rows[begin]))]
        yield from rows[end - length : end]
        begin = end


def _recursion(rows: list[Row], begin: int) -> tuple[int, int]:
    """Return the rows of the shortest round that is repeated from here on often enough to be folded, and how often."""
    for length in range(1, _LONGEST_ROUND + 1):
        end = begin + length
        while end < len(rows) and rows[end][1:] == rows[end - length][1:]:
            end += 1
        if (rounds := (end - begin) // length) > _SHOWN_ROUNDS + 2:
            return length, rounds
    return 1, 1


def _crashing_thread(
    json_dump: Mapping[str, Any], threads: list[Mapping[str, Any]]
) -> tuple[object, Mapping[str, Any]]:
    """Return its number, which may be anything, and the thread, which is empty where none is known."""
    number = value_of(json_dump, "crash_info", "crashing_thread")
    if not isinstance(number, int):
        number = value_of(json_dump, "crashing_thread", "threads_index")
    in_list = threads[number] if isinstance(number, int) and 0 <= number < len(threads) else {}
    return number, mapping_of(json_dump, "crashing_thread") or in_list


def _frames(thread: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [frame for frame in mappings_of(thread, "frames") if not is_cut_mark(frame)]


def _found(frame: Mapping[str, Any]) -> str:
    trust = text_of(frame, "trust")
    return _FOUND.get(trust, trust[:9])


def _function(frame: Mapping[str, Any]) -> str:
    if function := text_of(frame, "function"):
        return function
    if module := text_of(frame, "module"):
        return joined(" + ", module, hex_of(frame, "module_offset"))
    unloaded = [text_of(module, "module") for module in mappings_of(frame, "unloaded_modules")]
    where = f"unloaded: {', '.join(unloaded[:_NAMED_MODULES])}" if unloaded else "in no module"
    return f"{hex_of(frame, 'offset') or '?'} ({where})"


def _source(frame: Mapping[str, Any], width: int | None) -> str:
    """``file:line``: of a file in a repository its path there, of another the last three parts of its path.

    On a terminal as much of its end as there is room for.
    """
    path = text_of(frame, "file")
    in_repository = _IN_REPOSITORY.fullmatch(path)
    parts = [part for part in re.split(r"[/\\]", in_repository[1] if in_repository else path) if part not in ("", ".")]
    kept = parts[-20:] if in_repository and ".." not in parts else parts[-3:]
    source = joined(":", "/".join(kept), text_of(frame, "line")) if kept else ""
    if width is None:
        return source
    room = int(width * _SOURCE_SHARE)
    while cell_len(source) > room and "/" in source:
        source = source.partition("/")[2]
    return source if cell_len(source) <= room else "…" + source[1 - room :]


def _symbols(module: Mapping[str, Any]) -> str:
    return next((word for key, word in _SYMBOLS.items() if module.get(key) is True), "no")


def _module_row(module: Mapping[str, Any]) -> Row:
    symbols = _symbols(module)
    cells = [text_of(module, key) or "-" for key in ("filename", "version", "debug_id")]
    return [*((cell, "") for cell in cells), (symbols, "" if symbols in ("yes", "no") else "yellow")]
