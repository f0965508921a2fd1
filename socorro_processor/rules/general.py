"""Rules for crashes of any product: the id of the crash, and the machine on which it happened."""

from __future__ import annotations

from typing import Any

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import section


class IdentifierRule(Rule):
    """Write the crash id. Reads ``raw.uuid``; writes ``crash_id``, ``uuid``."""

    def action(self, crash: Crash) -> bool:
        crash.processed["crash_id"] = crash.processed["uuid"] = crash.raw["uuid"]
        return True


class CPUInfoRule(Rule):
    """Describe the processor.

    Reads ``json_dump.system_info``; writes ``cpu_name``, ``cpu_info``; fails with a note if that is missing.
    """

    def action(self, crash: Crash) -> bool:
        system_info = section(crash, "system_info")
        cpu_info = system_info.get("cpu_info", "")
        if "cpu_info" in system_info and system_info.get("cpu_count") is not None:
            # For some ARM processors only the count is known: "None | 8".
            cpu_info = f"{cpu_info} | {system_info['cpu_count']}"
        crash.processed["cpu_info"] = cpu_info or ""
        crash.processed["cpu_name"] = system_info.get("cpu_arch") or ""
        return _is_known(system_info, crash, "processor")


class OSInfoRule(Rule):
    """Name the operating system.

    Reads ``json_dump.system_info``; writes ``os_name``, ``os_version``; fails with a note if that is missing.
    """

    def action(self, crash: Crash) -> bool:
        system_info = section(crash, "system_info")
        for key, source in (("os_name", "os"), ("os_version", "os_ver")):
            value = system_info.get(source)
            crash.processed[key] = value.strip() if isinstance(value, str) else ""
        return _is_known(system_info, crash, "operating system")


def _is_known(system_info: dict[str, Any], crash: Crash, what: str) -> bool:
    if not system_info:
        crash.note(f"the stackwalker did not say which {what} it was")
    return bool(system_info)
