"""Rules that take facts about the crash from the stackwalker's JSON."""

from __future__ import annotations

import math
import re

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import crashing_thread, objects_in, section, thread_of

_ADDRESS = re.compile(r"0[xX]([0-9a-fA-F]+)")


class CrashedThreadRule(Rule):
    """Say which thread crashed: null if it is not known, which is noted.

    Reads ``json_dump.crash_info``, ``json_dump.crashing_thread``, ``json_dump.threads``; writes ``crashing_thread``,
    ``crashing_thread_name``.
    """

    fields = frozenset(("crashing_thread", "crashing_thread_name"))

    def action(self, crash: Crash) -> bool:
        thread = crashing_thread(crash)
        if thread is None:
            crash.note("the stackwalker did not say which thread crashed")
        crash.processed["crashing_thread"] = thread
        names = () if thread is None else (section(crash, "crashing_thread"), thread_of(crash, thread))
        crash.processed["crashing_thread_name"] = next(
            (name for each in names if (name := _text(each.get("thread_name")).strip())), None
        )
        return True


class AddressRule(Rule):
    """Say which address the crash is about.

    If the stackwalker found that a pointer was null, it is all zeros, whatever was added to the pointer; if the
    processor had reported zero for an address that is not canonical, it is the real one. Reads
    ``json_dump.crash_info``; writes ``address``.
    """

    def predicate(self, crash: Crash) -> bool:
        return bool(self._address(crash))

    def action(self, crash: Crash) -> bool:
        crash.processed["address"] = self._address(crash)
        return True

    def _address(self, crash: Crash) -> str:
        crash_info = section(crash, "crash_info")
        address = _text(crash_info.get("address")).strip()
        adjusted = crash_info.get("adjusted_address")
        if not isinstance(adjusted, dict):
            return address
        if adjusted.get("kind") == "null-pointer":
            wide = _ADDRESS.fullmatch(address) or _ADDRESS.fullmatch(_text(adjusted.get("offset")).strip())
            return f"0x{'0' * len(wide[1])}" if wide else address
        if adjusted.get("kind") == "non-canonical":
            return _text(adjusted.get("address")).strip() or address
        return address


class HardwareHintsRule(Rule):
    """Say what hints at bad hardware, or at a buffer that was overrun.

    Reads ``json_dump.crash_info``; writes ``possible_bit_flips_max_confidence``, and ``has_guard_page_access`` if it
    is true.
    """

    def action(self, crash: Crash) -> bool:
        crash_info = section(crash, "crash_info")
        confidences = [
            confidence
            for flip in objects_in(crash_info.get("possible_bit_flips"))
            if isinstance(confidence := flip.get("confidence"), int | float)
            and not isinstance(confidence, bool)
            and math.isfinite(confidence * 100)
        ]
        if confidences:
            crash.processed["possible_bit_flips_max_confidence"] = round(max(confidences) * 100)
        if any(access.get("is_likely_guard_page") is True for access in objects_in(crash_info.get("memory_accesses"))):
            crash.processed["has_guard_page_access"] = True
        return True


class MacBootArgsRule(Rule):
    """Say of a Mac whether it was booted with arguments, which are protected.

    Reads ``os_name``, ``mac_boot_args``; writes ``has_mac_boot_args``.
    """

    def predicate(self, crash: Crash) -> bool:
        return "mac_boot_args" in crash.processed or crash.processed.get("os_name") == "Mac OS X"

    def action(self, crash: Crash) -> bool:
        crash.processed["has_mac_boot_args"] = "mac_boot_args" in crash.processed
        return True


def _text(value: object) -> str:
    return value.replace("\0", "") if isinstance(value, str) else ""
