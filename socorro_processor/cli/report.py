"""The report of a processed crash, for an engineer to read at a glance.

    print_report(processed_crash, Console())

What a processed crash holds are strangers' words, of any type and length: all that is printed goes
through ``plain``, and what is not as it should be is left out. On a terminal long lines are cut;
in a pipe only the middle of a very long stack is, and the same crash always gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

Row = list[tuple[str, str]]
"""The cells of a line, each with its style."""

# The part of a terminal's width that a column takes at most; 0 for the one that takes the rest.
_SOURCE_SHARE = 0.25
_FRAME_SHARES = (0.1, 0.1, 0, _SOURCE_SHARE, 0.2)
_MODULE_SHARES = (0, 0.2, 0.45, 0.1)
_MODULE_TITLES = [(title, "dim") for title in ("module", "version", "debug id", "symbols")]

_PADDED = 64  # cells to which a column is filled up in a pipe; what is longer shifts what follows it
_NARROW = 100  # cells of a terminal below which the module of a frame gives way to its source
_LONGEST_LINE = 2000  # cells of any line on a terminal
_FIRST, _LAST = 80, 20  # lines that are shown of a stack, or of the notes, that has more of them
_NAMED_MODULES = 5

# How a frame was found, where the stackwalker's own word is too long or says too little.
_FOUND = {"frame_pointer": "fp", "scan": "scan?", "cfi_scan": "scan?", "none": "?"}
_SYMBOLS = {"missing_symbols": "missing", "corrupt_symbols": "corrupt", "loaded_symbols": "yes"}
_EMPTY_SIGNATURES = {
    "EMPTY: crash failed to process": "processing ended half-way; the notes say where",
    "EMPTY: no crashing thread identified": "the stackwalker named no crashing thread to make a signature of",
    "EMPTY: no frame data available": "the crashing thread has no frame to make a signature of",
}
# These signatures are made of thread 0, whichever thread crashed.
_HANGS = ("shutdownhang |", "chromehang |")
# hg:hg.mozilla.org/mozilla-central:dom/media/Decoder.cpp:4f1c0a
_IN_REPOSITORY = re.compile(r"(?:git|hg|s3|svn):[^:]*:([^:]*)(?::.*)?", re.DOTALL)


def print_report(
    processed_crash: Mapping[str, Any], console: Console, *, all_threads: bool = False, modules: bool = False
) -> None:
    """Print the report: where wished, with all threads and with the modules."""
    width = max(console.width, 40) if console.is_terminal else None
    for line in _Report(processed_crash, width, all_threads, modules).lines():
        if width is not None:
            line.truncate(_LONGEST_LINE, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def plain(value: object) -> str:
    """``value`` on one line that is safe to print.

    What is no printable character is shown as in ``\\x1b``: control characters, with which escape
    sequences begin, line ends, marks that turn the direction of writing, lone surrogates.
    """
    if isinstance(value, str):
        if value.isprintable():
            return value
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    if isinstance(value, int) and not -(2**64) < value < 2**64:
        return hex(value)
    if isinstance(value, (int, float, date)):
        return str(value)
    return "" if value is None else f"({type(value).__name__})"


@dataclass(frozen=True)
class _Report:
    crash: Mapping[str, Any]
    width: int | None  # of the terminal; None in a pipe
    all_threads: bool
    with_modules: bool

    def lines(self) -> Iterator[Text]:
        yield from self._head()
        java_stack = self.crash.get("java_stack_trace")
        if isinstance(java_stack, str) and java_stack:
            yield from _section("Java stack", java_stack.splitlines())
        if not java_stack or _mapping(self.crash, "json_dump"):
            yield Text()
            yield from self._dump(self.crash)
        for name in _list(self.crash, "additional_minidumps"):
            yield Text(f"\nDump {plain(name)}", "bold")
            yield from self._dump(_mapping(self.crash, name))
        notes = self.crash.get("processor_notes")
        yield from _section("Notes", notes.split("; ") if isinstance(notes, str) else _list(notes))

    def _head(self) -> Iterator[Text]:
        crash = self.crash
        signature = _text(crash, "signature")
        yield _field("crash", _text(crash, "uuid") or "(without an id)")
        yield _field("signature", signature or "(none)", "bold")
        for beginning, meaning in _EMPTY_SIGNATURES.items():
            if signature.startswith(beginning):
                yield _field("", meaning, "yellow")
        original, build, os_name, os_pretty_name, status = (
            _text(crash, key)
            for key in ("original_signature", "build", "os_name", "os_pretty_version", "mdsw_status_string")
        )
        name = _joined(" ", _text(crash, "product"), _text(crash, "version"))
        pretty = os_pretty_name not in ("", os_name) and f"({os_pretty_name})"
        fields = {
            "made from": original if original != signature else "",
            "product": _joined(", ", name, _text(crash, "release_channel"), build and f"build {build}"),
            "process": _text(crash, "process_type"),
            "system": _joined(" ", os_name, _text(crash, "os_version"), pretty),
            "CPU": _joined(", ", _text(crash, "cpu_name"), _text(crash, "cpu_info")),
            "reason": _text(crash, "reason"),
            "address": _address(crash),
            "instruction": _text(crash, "json_dump", "crash_info", "instruction"),
            "assertion": _text(crash, "json_dump", "crash_info", "assertion"),
            "abort message": _text(crash, "abort_message") or _text(crash, "AbortMessage"),
            "app notes": _text(crash, "app_notes"),
            "crashed": _crashed(crash),
            "submitted": _text(crash, "submitted_timestamp") or _text(crash, "date_processed"),
            "processed": _processed(crash),
        }
        yield from (
            _field(label, value, "red" if label == "reason" else "") for label, value in fields.items() if value
        )
        failures = _joined(
            "; ",
            crash.get("success") is not True and "not all rules were run, the notes say why",
            status not in ("", "OK") and f"the stackwalker says {status}",
        )
        yield _field("result", f"failed: {failures}" if failures else "success", "bold red" if failures else "")

    def _dump(self, dump: Mapping[str, Any]) -> Iterator[Text]:
        """What the stackwalker said of a dump: ``dump`` is the crash itself, or what it has of a further dump."""
        json_dump = _mapping(dump, "json_dump")
        crash_id = _text(self.crash, "uuid") or "CRASH_ID"
        if not json_dump:
            status = _text(dump, "mdsw_status_string") or "no status: there was no dump, or it was not walked"
            yield Text(f"No stack: nothing is there of the stackwalker's ({status}).", "yellow")
            yield Text(f"To look at the dump itself: socorro fetch {crash_id} DIRECTORY")
            return
        threads = [thread if isinstance(thread, Mapping) else {} for thread in _list(json_dump, "threads")]
        modules = _mappings(json_dump, "modules")
        symbolless = {_text(module, "filename"): module for module in modules if module.get("missing_symbols") is True}
        number, crashing = _crashing_thread(json_dump, threads)
        if crashing:
            yield from self._thread(_joined(" ", "Crashing thread", plain(number)), crashing, symbolless)
            yield from _missing_symbols(crashing, symbolless, crash_id)
        else:
            there = f"{len(threads)} threads; --all-threads shows them" if threads else "no threads"
            yield Text(f"No crashing thread: the stackwalker named none, in a dump of {there}.", "yellow")
        hang = dump is self.crash and _text(dump, "signature").startswith(_HANGS)
        for index, thread in enumerate(threads):
            if (self.all_threads or (hang and index == 0)) and not (crashing and index == number):
                yield Text()
                yield from self._thread(f"Thread {index}", thread, symbolless)
        if self.with_modules:
            yield Text("\nModules (symbols: no where no frame asked for them)", "bold")
            rows = [_MODULE_TITLES, *map(_module_row, modules)]
            yield from _table(rows, _MODULE_SHARES, self.width)

    def _thread(self, title: str, thread: Mapping[str, Any], symbolless: Mapping[str, object]) -> Iterator[Text]:
        frames = _mappings(thread, "frames")
        count = f"{len(frames) or 'no'} frame{'' if len(frames) == 1 else 's'}"
        if thread.get("frames_truncated") is True:
            count += f" of {_text(thread, 'total_frames') or 'more'}: the stack is truncated"
        yield Text.assemble((_joined(", ", title, _text(thread, "thread_name")), "bold"), f": {count}")
        rows = [row for index, frame in enumerate(frames) for row in _frame_rows(index, frame, symbolless, self.width)]
        yield from _excerpt(list(_table(rows, _FRAME_SHARES, self.width)))
        if guessed := sum(_found(frame) == "scan?" for frame in frames):
            guess = f"scan?: doubtful, guessed by scanning the stack ({guessed} of {len(frames)} frames)"
            yield Text(guess, "yellow")


def _crashing_thread(
    json_dump: Mapping[str, Any], threads: list[Mapping[str, Any]]
) -> tuple[object, Mapping[str, Any]]:
    number = _value(json_dump, "crash_info", "crashing_thread")
    if not isinstance(number, int):
        number = _value(json_dump, "crashing_thread", "threads_index")
    in_list = threads[number] if isinstance(number, int) and 0 <= number < len(threads) else {}
    return number, _mapping(json_dump, "crashing_thread") or in_list


def _frame_rows(
    index: int, frame: Mapping[str, Any], symbolless: Mapping[str, object], width: int | None
) -> Iterator[Row]:
    """The frame, and above it what is inlined in it: innermost first, as the stackwalker gives them."""
    number = frame.get("frame")
    label = f"{number if isinstance(number, int) and 0 <= number < 10**6 else index:>3}"
    module = _text(frame, "module")
    for part, found in (*((inline, "inlined") for inline in _mappings(frame, "inlines")), (frame, _found(frame))):
        style = {"scan?": "yellow", "inlined": "cyan"}.get(found, "")
        source = _source(part, width) or ("no symbols" if part is frame and _lacks_symbols(frame, symbolless) else "")
        row = [(label, "dim"), (found, style), (_function(part), "dim" if style else ""), (source, "blue")]
        if width is None or width >= _NARROW:
            row.append((module, "dim"))
        elif not source:
            row[-1] = (module, "dim")
        yield row


def _found(frame: Mapping[str, Any]) -> str:
    trust = _text(frame, "trust")
    return _FOUND.get(trust, trust[:9])


def _function(frame: Mapping[str, Any]) -> str:
    if function := _text(frame, "function"):
        return function
    if module := _text(frame, "module"):
        return _joined(" + ", module, _short_hex(_text(frame, "module_offset")))
    unloaded = [_text(module, "module") for module in _mappings(frame, "unloaded_modules")]
    where = f"unloaded: {', '.join(unloaded[:_NAMED_MODULES])}" if unloaded else "in no module"
    return f"{_short_hex(_text(frame, 'offset')) or '?'} ({where})"


def _source(frame: Mapping[str, Any], width: int | None) -> str:
    """``file:line``: of a file in a repository its path there, of another the last three parts of its path.

    On a terminal as many of its last parts as there is room for.
    """
    path = _text(frame, "file")
    in_repository = _IN_REPOSITORY.fullmatch(path)
    parts = [part for part in re.split(r"[/\\]", in_repository[1] if in_repository else path) if part not in ("", ".")]
    kept = parts[-20:] if in_repository and ".." not in parts else parts[-3:]
    source = _joined(":", "/".join(kept), _text(frame, "line")) if kept else ""
    while width is not None and cell_len(source) > int(width * _SOURCE_SHARE) and "/" in source:
        source = source.partition("/")[2]
    return source


def _lacks_symbols(frame: Mapping[str, Any], symbolless: Mapping[str, object]) -> bool:
    module = _text(frame, "module")
    return bool(module) and (frame.get("missing_symbols") is True or module in symbolless)


def _missing_symbols(
    thread: Mapping[str, Any], symbolless: Mapping[str, Mapping[str, Any]], crash_id: str
) -> Iterator[Text]:
    """Which symbols this stack lacks, under the names that they would have in a symbol store."""
    frames = _mappings(thread, "frames")
    names = []
    for name in dict.fromkeys(_text(frame, "module") for frame in frames if _lacks_symbols(frame, symbolless)):
        module = symbolless.get(name, {})
        names.append(_joined("/", _text(module, "debug_file") or name, _text(module, "debug_id")))
    if names:
        more = f" and {len(names) - _NAMED_MODULES} more" if len(names) > _NAMED_MODULES else ""
        todo = f"Put them into the symbol store, then: socorro process {crash_id}"
        yield Text(f"No symbols for {', '.join(names[:_NAMED_MODULES])}{more}. {todo}", "yellow")


def _module_row(module: Mapping[str, Any]) -> Row:
    symbols = next((word for key, word in _SYMBOLS.items() if module.get(key) is True), "no")
    cells = [_text(module, key) or "-" for key in ("filename", "version", "debug_id")]
    return [*((cell, "") for cell in cells), (symbols, "" if symbols in ("yes", "no") else "yellow")]


def _address(crash: Mapping[str, Any]) -> str:
    address = _short_hex(_text(crash, "address"))
    adjusted = _mapping(crash, "json_dump", "crash_info", "adjusted_address")
    if adjusted.get("kind") == "null-pointer":
        return f"{address} (null pointer, offset {_short_hex(_text(adjusted, 'offset'))})"
    return address


def _crashed(crash: Mapping[str, Any]) -> str:
    moment, seconds = _text(crash, "client_crash_date"), crash.get("crash_time")
    if isinstance(seconds, int) and 0 <= seconds < 2**37:
        moment = datetime.fromtimestamp(seconds, UTC).isoformat()
    up, installed = (_duration(crash.get(key)) for key in ("uptime", "install_age"))
    return _joined(", ", moment, up and f"{up} after its start", installed and f"{installed} after its installation")


def _processed(crash: Mapping[str, Any]) -> str:
    version, attempt = (_text(crash, "processing", key) for key in ("processor_version", "attempt"))
    return _joined(
        ", ",
        _text(crash, "completed_datetime") or _text(crash, "started_datetime"),
        version and f"by version {version}",
        attempt not in ("", "1") and f"attempt {attempt}",
        *(
            f"{plain(step)} {seconds:.3f} s"
            for step, seconds in _mapping(crash, "processing", "durations").items()
            if isinstance(seconds, (int, float)) and 0 <= seconds < 1e9
        ),
    )


def _duration(seconds: object) -> str:
    if not isinstance(seconds, int) or not 0 <= seconds < 2**37:
        return ""
    return str(timedelta(seconds=seconds)).replace(",", "")


def _short_hex(text: str) -> str:
    return hex(int(text, 16)) if re.fullmatch("0x[0-9a-fA-F]{1,32}", text) else text


def _joined(separator: str, *parts: str | bool) -> str:
    """The parts that there are."""
    return separator.join(part for part in parts if isinstance(part, str) and part)


def _field(label: str, value: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<13} ", "dim"), (value, style))


def _section(title: str, contents: list[Any]) -> Iterator[Text]:
    if lines := [Text(f"  {line}") for line in map(plain, contents) if line]:
        yield Text(f"\n{title}", "bold")
        yield from _excerpt(lines)


def _excerpt(lines: list[Text]) -> Iterator[Text]:
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 0:
        lines[_FIRST:-_LAST] = [Text(f"... {left_out} more lines, which --json has ...", "dim")]
    yield from lines


def _table(rows: list[Row], shares: tuple[float, ...], width: int | None) -> Iterator[Text]:
    """Rows as lines of columns. Nothing is cut in a pipe."""
    widths = [max(cell_len(cell) for cell, _ in column) for column in zip(*rows, strict=True)]
    if width is None:
        widths = [min(natural, _PADDED) for natural in widths]
    elif widths:
        rest = shares.index(0)
        widths = [min(natural, int(width * (share or 1))) for natural, share in zip(widths, shares, strict=False)]
        others = sum(widths) - widths[rest] + 2 * (len(widths) - 1)
        widths[rest] = min(widths[rest], max(10, width - others))
    for row in rows:
        line = Text()
        for (cell, style), cells in zip(row, widths, strict=True):
            too_long = width is not None and cell_len(cell) > cells
            shown = set_cell_size(cell, cells - 1) + "…" if too_long else cell
            line.append(shown, style)
            line.append(" " * (cells - cell_len(shown) + 2))
        line.rstrip()
        yield line


def _value(mapping: object, *keys: Any) -> Any:
    for key in keys:
        mapping = mapping.get(key) if isinstance(mapping, Mapping) and isinstance(key, str) else None
    return mapping


def _text(mapping: object, *keys: Any) -> str:
    return plain(_value(mapping, *keys)).strip()


def _mapping(mapping: object, *keys: Any) -> Mapping[str, Any]:
    value = _value(mapping, *keys)
    return value if isinstance(value, Mapping) else {}


def _list(mapping: object, *keys: Any) -> list[Any]:
    value = _value(mapping, *keys)
    return value if isinstance(value, list) else []


def _mappings(mapping: object, *keys: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(mapping, *keys) if isinstance(item, Mapping)]
