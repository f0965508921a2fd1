"""The report of a processed crash, for an engineer to read at a glance.

    print_report(processed_crash, Console())

What a processed crash holds are strangers' words, of any type and length: all that is printed goes
through ``plain``, and what is not as it should be is left out. On a terminal stacks are cut to its width, and prose
is wrapped; in a pipe only the middle of a very long stack is left out, and the same crash always gives the same text.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.text import Text

from socorro_processor.cli.layout import LONGEST_LINE, field, joined, section
from socorro_processor.cli.other_fields import other_fields
from socorro_processor.cli.stack import WalkedDump
from socorro_processor.cli.symbol_places import SymbolPlaces
from socorro_processor.cli.untrusted import hex_of, list_of, mapping_of, mappings_of, moment_of, plain, text_of
from socorro_processor.rules.dates_and_times import CRASH_DATE_UNKNOWN, CRASH_TIME_MISSING

_NO_PLACES = SymbolPlaces()
_EMPTY_SIGNATURES = {
    "EMPTY: crash failed to process": "processing ended half-way; the notes say where",
    "EMPTY: no crashing thread identified": "the stackwalker named no crashing thread to make a signature of",
    "EMPTY: no frame data available": "the crashing thread has no frame to make a signature of",
}
# These signatures are made of thread 0, whichever thread crashed.
_HANGS = ("shutdownhang |", "chromehang |")
_NEAR_NULL = re.compile("0x[0-9a-f]{1,5}")
"""Offsets that are taken for those of a null pointer: with a larger one the other register is as likely wrong."""
_UNKNOWN_ADDRESSES = ("0xffffffffffffffff", "0x0")
"""Windows reports the first, Linux the second, where an x86-64 address was not canonical: the processor does not say
which one. Some programs that write minidumps write the second whatever the address is."""
_SENT_SIGNAL = re.compile(r"SIGABRT\b.*|SIG\w+ / SI_(?:USER|QUEUE|TKILL)", re.DOTALL)
"""The reason where a process has sent the signal, mostly to itself: it has no address."""
_NOT_ACCESSED = "crashing_access_not_found_in_memory_accesses"
_MAXIMUM_ACCESSES = 3
_UNKNOWN_TIME = "not known: the annotations have no CrashTime"
"""Shown for a minidump that was not submitted: the time of its processing, shown elsewhere, says nothing."""


def add_report_arguments(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--all-threads", action="store_true", help="every thread, not only the one that crashed")
    parser.add_argument("--modules", action="store_true", help="the modules: version, debug id, symbols")


def print_report(
    processed_crash: Mapping[str, Any],
    console: Console,
    *,
    all_threads: bool = False,
    modules: bool = False,
    file: str = "",
    places: SymbolPlaces = _NO_PLACES,
    annotations: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Print the report: where wished, with all threads and with the modules.

    ``file`` is the minidump of a crash that is in no store, ``annotations`` those that were named beside it.
    """
    width = max(console.width, 40) if console.is_terminal else None
    for line in _Report(processed_crash, width, all_threads, modules, file, places, annotations).lines():
        if width is not None:
            line.truncate(LONGEST_LINE, overflow="ellipsis")
        console.print(line, soft_wrap=True)


@dataclass(frozen=True)
class _Report:
    crash: Mapping[str, Any]
    width: int | None  # of the terminal; None in a pipe
    all_threads: bool
    with_modules: bool
    file: str
    places: SymbolPlaces
    annotations: Mapping[str, Any]

    def lines(self) -> Iterator[Text]:
        yield from self._head()
        java_stack = self.crash.get("java_stack_trace")
        if isinstance(java_stack, str) and java_stack:
            yield from section("Java stack", (line.expandtabs(4) for line in java_stack.splitlines()), None)
        if not java_stack or mapping_of(self.crash, "json_dump"):
            yield Text()
            yield from self._dump(self.crash, hang=text_of(self.crash, "signature").startswith(_HANGS))
        for name in list_of(self.crash, "additional_minidumps"):
            yield Text(f"\nDump {plain(name)}", "bold")
            yield from self._dump(mapping_of(self.crash, name))
        yield from section("Other", other_fields(self.crash), self.width)
        notes = self._notes()
        if self.file and not self.annotations:
            notes = [note for note in notes if note not in (CRASH_TIME_MISSING, CRASH_DATE_UNKNOWN)]
        yield from section("Notes", notes, self.width)

    def _notes(self) -> list[Any]:
        notes = self.crash.get("processor_notes")
        return notes.split("; ") if isinstance(notes, str) else list_of(notes)

    def _head(self) -> Iterator[Text]:
        crash = self.crash
        signature = text_of(crash, "signature")
        yield from field("crash", text_of(crash, "uuid") or "(without an id)")
        if self.file:
            yield from field("minidump", f"{plain(self.file)} (not saved)")
        yield from field("signature", signature or "(none)", "bold")
        for beginning, meaning in _EMPTY_SIGNATURES.items():
            if signature.startswith(beginning):
                yield from field("", meaning, "yellow", self.width)
        original = text_of(crash, "original_signature")
        if original not in ("", signature):
            yield from field("made from", original)
        build, os_name, os_pretty_name, status = (
            text_of(crash, key) for key in ("build", "os_name", "os_pretty_version", "mdsw_status_string")
        )
        name = joined(" ", text_of(crash, "product"), text_of(crash, "version"))
        pretty = os_pretty_name not in ("", os_name) and f"({os_pretty_name})"
        fields = {
            "product": joined(", ", name, text_of(crash, "release_channel"), build and f"build {build}"),
            "process": text_of(crash, "process_type"),
            "system": joined(" ", os_name, text_of(crash, "os_version"), pretty),
            "CPU": joined(", ", text_of(crash, "cpu_name"), text_of(crash, "cpu_info")),
            "reason": text_of(crash, "reason"),
            "address": _address(crash),
            "instruction": text_of(crash, "json_dump", "crash_info", "instruction"),
            "assertion": text_of(crash, "json_dump", "crash_info", "assertion"),
            "abort message": text_of(crash, "abort_message") or text_of(crash, "AbortMessage"),
            "crash reason": _in_one_line(crash.get("moz_crash_reason") or self.annotations.get("MozCrashReason")),
            "classified": _classified(crash),
            "app notes": _in_one_line(crash.get("app_notes")),
            "crashed": _UNKNOWN_TIME if self.file and CRASH_TIME_MISSING in self._notes() else _crashed(crash),
            "submitted": "" if self.file else _submitted(crash),
            "processed": _processed(crash),
        }
        for label, value in fields.items():
            if value:
                yield from field(label, value, "red" if label == "reason" else "", self.width)
        failures = joined(
            "; ",
            crash.get("success") is not True and "not all rules were run, the notes say why",
            status not in ("", "OK") and f"the stackwalker says {status}",
        )
        result, style = (f"failed: {failures}", "bold red") if failures else ("success", "")
        yield from field("result", result, style, self.width)

    def _dump(self, dump: Mapping[str, Any], *, hang: bool = False) -> Iterator[Text]:
        """Yield the lines on a dump: ``dump`` is the crash itself, or what it has of a further dump."""
        crash_id = text_of(self.crash, "uuid") or "CRASH_ID"
        json_dump = mapping_of(dump, "json_dump")
        if not json_dump:
            status = text_of(dump, "mdsw_status_string") or "no status: there was no dump, or it was not walked"
            yield Text(f"No stack: there is no output of the stackwalker ({status}).", "yellow")
            if not self.file:
                yield Text(f"To look at the dump itself: socorro fetch {crash_id} DIRECTORY")
            return
        places = self.places
        advice = places.advice_for_file(self.file) if self.file else places.advice_for_crash(crash_id)
        walked = WalkedDump(json_dump, advice, self.width)
        yield from walked.crashing_thread()
        if self.all_threads:
            yield from walked.other_threads()
        elif hang:
            yield from walked.other_threads(only=0)
        yield from walked.modules() if self.with_modules else walked.modules_in_short()


def _address(crash: Mapping[str, Any]) -> str:
    """Return the address that the system reported, and the one accessed where the system could not know it.

    Empty where the signal has none.
    """
    if _SENT_SIGNAL.fullmatch(text_of(crash, "reason")):
        return ""
    address = hex_of(crash, "address")
    crash_info = mapping_of(crash, "json_dump", "crash_info")
    adjusted = mapping_of(crash_info, "adjusted_address")
    kind, actual, offset = (hex_of(adjusted, key) for key in ("kind", "address", "offset"))
    if kind == "non-canonical" and actual not in ("", address):
        return f"{address} (of an access to {actual}, not a canonical address)"
    if kind == "null-pointer" and _NEAR_NULL.fullmatch(offset):
        return f"{address} (null pointer, offset {offset})"
    if address in _UNKNOWN_ADDRESSES or _NOT_ACCESSED in list_of(crash_info, "crash_inconsistencies"):
        accessed = [hex_of(access, "address") for access in mappings_of(crash_info, "memory_accesses")]
        if any(accessed) and address not in accessed:
            return f"{address} (of an access to {' or '.join(accessed[:_MAXIMUM_ACCESSES])})"
    return address


def _classified(crash: Mapping[str, Any]) -> str:
    """Return what each kind of classifier found."""
    kinds = mapping_of(crash, "classifications")
    found = {kind: text_of(kinds, kind, "classification") or text_of(kinds, kind, "category") for kind in kinds}
    return ", ".join(f"{plain(kind)}: {name}" for kind, name in found.items() if name)


def _in_one_line(value: object) -> str:
    return plain(" | ".join(filter(None, map(str.strip, value.splitlines()))) if isinstance(value, str) else value)


def _crashed(crash: Mapping[str, Any]) -> str:
    moment, seconds = moment_of(crash, "client_crash_date"), crash.get("crash_time")
    if isinstance(seconds, int) and 0 <= seconds < 2**37:
        moment = datetime.fromtimestamp(seconds, UTC).isoformat()
    # Both are 0 where the client sent no times: nothing crashes in the second of its installation.
    are_known = crash.get("install_age") != 0
    up, installed = (_duration(crash.get(key)) if are_known else "" for key in ("uptime", "install_age"))
    return joined(", ", moment, up and f"{up} after its start", installed and f"{installed} after its installation")


def _submitted(crash: Mapping[str, Any]) -> str:
    return moment_of(crash, "submitted_timestamp") or moment_of(crash, "date_processed")


def _processed(crash: Mapping[str, Any]) -> str:
    version, attempt = (text_of(crash, "processing", key) for key in ("processor_version", "attempt"))
    return joined(
        ", ",
        moment_of(crash, "completed_datetime") or moment_of(crash, "started_datetime"),
        version and f"by version {version}",
        attempt not in ("", "1") and f"attempt {attempt}",
        *(
            f"{plain(step)} {seconds:.3f} s"
            for step, seconds in mapping_of(crash, "processing", "durations").items()
            if isinstance(seconds, (int, float)) and 0 <= seconds < 1e9
        ),
    )


def _duration(seconds: object) -> str:
    if not isinstance(seconds, int) or not 0 <= seconds < 2**37:
        return ""
    return str(timedelta(seconds=seconds)).replace(",", "")
