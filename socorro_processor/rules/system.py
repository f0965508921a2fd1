"""The rule that says on which system and processor the program ran."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from socorro_processor.fields import FIELDS_BY_NAME, Field
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.json_dump import section
from socorro_processor.rules.reference_rule import ReferenceRule
from socorro_processor.rules.sent_annotations import first_sent

_IN_DUMP: Mapping[str, Field] = {
    field.json_dump.removeprefix("system_info."): field
    for field in map(FIELDS_BY_NAME.__getitem__, ("cpu_arch", "cpu_info", "os_name", "os_version"))
}
"""Fields by their names in ``json_dump.system_info``."""
_SYSTEMS: Mapping[str, str] = {
    "android": "Android",
    "darwin": "Mac OS X",
    "ios": "iOS",
    "linux": "Linux",
    "mac": "Mac OS X",
    "macos": "Mac OS X",
    "os x": "Mac OS X",
    "win32": "Windows NT",
    "win64": "Windows NT",
    "windows": "Windows NT",
}
"""Names of clients, in small letters, and the stackwalker's."""
_ARCHITECTURES: Mapping[str, str] = {
    "aarch64": "arm64",
    "arm64-v8a": "arm64",
    "armeabi-v7a": "arm",
    "ia32": "x86",
    "x64": "amd64",
    "x86_64": "amd64",
}
_UNKNOWN = "unknown"
_ANDROID_VERSIONS = FIELDS_BY_NAME["android_version"].annotations
_NUMBERS = re.compile(r"\s*([0-9]{1,9})(?:\s*\.\s*([0-9]{1,9}))?(?:\s*\.\s*([0-9]{1,9}))?", re.ASCII)
_WINDOWS_11 = 22000
"""The first build of Windows 11, which calls itself 10.0."""


class SystemRule(ReferenceRule):
    """Name the system and its processor. The dump comes before the annotations, unless it does not know.

    Reads ``json_dump.system_info``, ``json_dump.lsb_release`` and the annotations of its fields; writes ``os_name``,
    ``os_version``, ``os_pretty_version``, ``cpu_arch``, ``cpu_info``.
    """

    fields = frozenset(field.name for field in _IN_DUMP.values())

    def action(self, crash: Crash) -> bool:
        system_info = section(crash, "system_info")
        known = {
            field.name: _known(system_info.get(key)) or first_sent(crash, field.annotations)
            for key, field in _IN_DUMP.items()
        }
        android = first_sent(crash, _ANDROID_VERSIONS)
        system = _SYSTEMS.get((known["os_name"] or "").lower(), known["os_name"]) or ("Android" if android else None)
        if system == "Android" and android:
            # The dump's version is that of the kernel.
            level = _NUMBERS.match(android)
            known["os_version"] = level[1] if level else android
        known["os_name"] = system
        known["cpu_arch"] = _ARCHITECTURES.get((known["cpu_arch"] or "").lower(), known["cpu_arch"])
        for field in _IN_DUMP.values():
            crash.processed[field.name] = known[field.name] or field.default
        crash.processed["os_pretty_version"] = self._pretty(
            crash, crash.processed["os_name"], known["os_version"] or ""
        )
        return True

    def _pretty(self, crash: Crash, system: str, version: str) -> str:
        """Return system and version as people name them."""
        if system == "Linux":
            return _distribution(crash) or system
        match = _NUMBERS.match(version)
        numbers = [int(number) for number in match.groups() if number is not None] if match else []
        if system.lower().startswith("windows"):
            return self._windows(numbers) if len(numbers) > 1 else system
        if system == "Mac OS X":
            return _mac(*numbers[:2]) if numbers else system
        if system == "iOS":
            return f"iOS {numbers[0]}" if numbers else system
        if system == "Android":
            level = _NUMBERS.match(first_sent(crash, _ANDROID_VERSIONS) or "")
            return f"Android {int(level[1])}" if level else system
        return system

    def _windows(self, numbers: list[int]) -> str:
        major, minor, build = (*numbers, 0)[:3]
        if (major, minor) == (10, 0) and build >= _WINDOWS_11:
            return "Windows 11"
        return self.reference.windows_name(major, minor) or "Windows Unknown"


def _mac(major: int, minor: int = -1) -> str:
    """Return the name of a Mac's system; to programs that are older than it, it shows a version of old."""
    if (major, minor) == (10, 16):
        return "macOS 11"
    if major == 16:
        return "macOS 26"
    if major > 10:
        return f"macOS {major}"
    return f"OS X {major}.{minor}" if major == 10 and 0 <= minor < 20 else "OS X Unknown"


def _distribution(crash: Crash) -> str | None:
    """Return the distribution of Linux; None if it is not known."""
    release = section(crash, "lsb_release")
    in_dump = _known(release.get("description")) or " ".join(
        filter(None, (_known(release.get(key)) for key in ("id", "release")))
    )
    return in_dump or first_sent(crash, FIELDS_BY_NAME["os_pretty_version"].annotations)


def _known(value: Any) -> str | None:
    """Return a text of the stackwalker; None if it says that it does not know."""
    text = value.replace("\0", "").strip() if isinstance(value, str) else ""
    return None if text.lower() == _UNKNOWN else text or None
