"""The content of a processed crash's report: facts, stacks, modules, notes, in the order in which they are read.

    report = CrashReport(processed_crash)
    for fact in report.facts():
        print(fact.label, fact.value)

A processed crash may contain anything, so all text in a report is ``plain``, and values of the wrong type are left
out. The layout is left to whoever prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from socorro_processor.report.other_fields import other_fields
from socorro_processor.report.sent_signals import is_sent_signal
from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.report.walk_statuses import walk_problem, was_without_dump
from socorro_processor.report.walked_dump import WalkedDump
from socorro_processor.rules.dates_and_times import CRASH_DATE_UNKNOWN, CRASH_TIME_MISSING
from socorro_processor.untrusted import hex_of, joined, list_of, mapping_of, mappings_of, moment_of, plain, text_of

_NO_PLACES = SymbolPlaces()
_EMPTY_SIGNATURES = {
    "EMPTY: crash failed to process": "processing ended half-way; the notes say where",
    "EMPTY: no crashing thread identified": "the stackwalker named no crashing thread for a signature",
    "EMPTY: no frame data available": "the crashing thread has no frame for a signature",
}
_NOTHING_TO_SIGN = "there is no stack to make a signature from"
# These signatures are made from thread 0, whichever thread crashed.
_HANG_PREFIXES = ("shutdownhang |", "chromehang |")
_NEAR_NULL = re.compile("0x[0-9a-f]{1,5}")
"""The offsets from a null pointer. With a larger one, the other register is as likely to be wrong."""
_UNKNOWN_ADDRESSES = ("0xffffffffffffffff", "0x0")
"""For a non-canonical x86-64 address Windows reports the first, Linux the second, because the CPU does not tell the
address. Some programs that write minidumps always write the second."""
_NOT_ACCESSED = "crashing_access_not_found_in_memory_accesses"
_MAXIMUM_ACCESSES = 3
_UNKNOWN_TIME = "not known: the annotations have no CrashTime"
"""The time of the crash for a minidump that was not submitted: the time of its processing would be wrong."""


class Fact(NamedTuple):
    label: str
    """Empty if the fact belongs to the one before it."""
    value: str
    kind: Literal["", "title", "reason", "remark", "failure"] = ""


class ReportedDump(NamedTuple):
    name: str | None
    """None for the main dump."""
    walked: WalkedDump | None
    """None if there is no output of the stackwalker."""
    problem: str
    """Why the walk failed; empty if it did not, or nothing is known of it."""
    without_dump: bool = False
    """True if the crash came without this dump."""
    is_hang: bool = False
    """True if the signature is made from thread 0, whichever thread crashed."""


class CrashReport:
    def __init__(
        self,
        crash: Mapping[str, Any],
        *,
        file: str = "",
        places: SymbolPlaces = _NO_PLACES,
        annotations: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """``file`` is the minidump of a crash that is in no store, ``annotations`` are those given with it."""
        self.crash = crash
        self.crash_id = text_of(crash, "uuid")
        self.file = plain(file)
        self.signature = text_of(crash, "signature")
        """Empty if there is none."""
        self._annotations = annotations
        self.advice = places.advice_for_file(file) if file else places.advice_for_crash(self.crash_id or "CRASH_ID")
        """How to get symbols that the crash lacks."""
        self.is_on_server = bool(places.server)
        status = text_of(crash, "mdsw_status_string")
        self._without_dump = was_without_dump(status, self._notes())
        self._walk_problem = walk_problem(status, without_dump=self._without_dump)

    def facts(self) -> Iterator[Fact]:
        """Yield the facts about the crash as a whole."""
        crash = self.crash
        yield Fact("crash", self.crash_id or "(without an id)")
        if self.file:
            yield Fact("minidump", f"{self.file} (not saved)")
        yield Fact("signature", self.signature or "(none)", "title")
        for beginning, meaning in _EMPTY_SIGNATURES.items():
            if self.signature.startswith(beginning):
                yield Fact("", _NOTHING_TO_SIGN if self._walk_problem else meaning, "remark")
        original = text_of(crash, "original_signature")
        if original not in ("", self.signature):
            yield Fact("made from", original)
        earlier = text_of(crash, "earlier_signature")
        if earlier not in ("", self.signature):
            yield Fact("changed from", earlier)
        build, os_name, os_pretty_name = (text_of(crash, key) for key in ("build", "os_name", "os_pretty_version"))
        name = joined(" ", text_of(crash, "product"), text_of(crash, "version"))
        pretty = os_pretty_name not in ("", os_name) and f"({os_pretty_name})"
        facts = {
            "product": joined(", ", name, text_of(crash, "release_channel"), build and f"build {build}"),
            "process": text_of(crash, "process_type"),
            "system": joined(" ", os_name, text_of(crash, "os_version"), pretty),
            "CPU": joined(", ", text_of(crash, "cpu_arch") or text_of(crash, "cpu_name"), text_of(crash, "cpu_info")),
            "reason": text_of(crash, "reason"),
            "address": _address(crash),
            "instruction": text_of(crash, "json_dump", "crash_info", "instruction"),
            "assertion": text_of(crash, "json_dump", "crash_info", "assertion"),
            "abort message": text_of(crash, "abort_message") or text_of(crash, "AbortMessage"),
            "crash reason": _in_one_line(crash.get("moz_crash_reason") or self._annotations.get("MozCrashReason")),
            "classified": _classified(crash),
            "app notes": _in_one_line(crash.get("app_notes")),
            "crashed": _UNKNOWN_TIME if self.file and CRASH_TIME_MISSING in self._notes() else _crashed(crash),
            "submitted": "" if self.file else _submitted(crash),
            "processed": _processed(crash),
        }
        for label, value in facts.items():
            if value:
                yield Fact(label, value, "reason" if label == "reason" else "")
        failures = joined(
            "; ",
            self._walk_problem,
            crash.get("success") is not True and "not all rules ran, and the notes say why",
        )
        yield Fact("result", f"failed: {failures}", "failure") if failures else Fact("result", "success")

    def java_stack(self) -> list[str]:
        stack = self.crash.get("java_stack_trace")
        return [plain(line.expandtabs(4)) for line in stack.splitlines()] if isinstance(stack, str) else []

    def dumps(self) -> Iterator[ReportedDump]:
        """Yield the main dump, unless the crash is only one of Java, and further dumps."""
        if not self.crash.get("java_stack_trace") or mapping_of(self.crash, "json_dump"):
            main = _dump(None, self.crash, without_dump=self._without_dump)
            yield main._replace(is_hang=self.signature.startswith(_HANG_PREFIXES))
        for name in list_of(self.crash, "additional_minidumps"):
            yield _dump(plain(name), mapping_of(self.crash, name))

    def other_fields(self) -> tuple[list[tuple[str, str]], int]:
        """Return the first fields that an operator's own rules wrote, sorted, and the number of the others."""
        return other_fields(self.crash)

    def notes(self) -> list[str]:
        """Return the processor's notes, except those that every minidump without annotations has."""
        notes = self._notes()
        if self.file and not self._annotations:
            notes = [note for note in notes if note not in (CRASH_TIME_MISSING, CRASH_DATE_UNKNOWN)]
        return list(filter(None, map(plain, notes)))

    def _notes(self) -> list[Any]:
        notes = self.crash.get("processor_notes")
        return notes.split("; ") if isinstance(notes, str) else list_of(notes)


def _dump(name: str | None, dump: Mapping[str, Any], *, without_dump: bool = False) -> ReportedDump:
    """Return a dump; ``dump`` is the crash itself, or its entry for a further dump."""
    json_dump = mapping_of(dump, "json_dump")
    problem = walk_problem(text_of(dump, "mdsw_status_string"), without_dump=without_dump)
    return ReportedDump(name, WalkedDump(json_dump) if json_dump else None, problem, without_dump)


def _address(crash: Mapping[str, Any]) -> str:
    """Return the address that the system reported, with the accessed one if the system could not know it.

    Empty if the signal has no address.
    """
    if is_sent_signal(text_of(crash, "reason")):
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
    names = {kind: text_of(kinds, kind, "classification") or text_of(kinds, kind, "category") for kind in kinds}
    return ", ".join(f"{plain(kind)}: {name}" for kind, name in names.items() if name)


def _in_one_line(value: object) -> str:
    return plain(" | ".join(filter(None, map(str.strip, value.splitlines()))) if isinstance(value, str) else value)


def _crashed(crash: Mapping[str, Any]) -> str:
    moment, seconds = moment_of(crash, "client_crash_date"), crash.get("crash_time")
    if isinstance(seconds, int) and 0 <= seconds < 2**37:
        moment = datetime.fromtimestamp(seconds, UTC).isoformat()
    # Both are 0 if the client sent no times: nothing crashes in the second of its installation.
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
