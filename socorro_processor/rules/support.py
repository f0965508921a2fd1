"""Classifiers for the people who help users: they recognize crashes with a known remedy.

The first one that knows the crash ends the search, and writes its result to ``classifications.support``.
"""

from __future__ import annotations

import re

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import as_text
from socorro_processor.rules.classifications import classification, record_classification
from socorro_processor.rules.json_dump import modules, section
from socorro_processor.rules.toolkit_version import ToolkitVersion


class BitguardClassifier(Rule):
    """Find an adware that crashes browsers. Reads ``json_dump.modules``."""

    def action(self, crash: Crash) -> bool:
        if not any(module.get("filename") == "bitguard.dll" for module in modules(crash)):
            return False
        record_classification(crash, "support", classification("bitguard", self.version))
        return True


class OutOfDateClassifier(Rule):
    """Tell users of an old Firefox to update it, or that there is no newer one for their system.

    Reads ``raw.ProductName``, ``raw.Version``, ``json_dump.system_info``.
    """

    required_config = Namespace()
    required_config.add_option(
        "firefox_out_of_date_version",
        default="17",
        doc="the oldest version of Firefox that is not out of date",
    )

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self._oldest = ToolkitVersion(self.config.firefox_out_of_date_version)

    def predicate(self, crash: Crash) -> bool:
        version = as_text(crash.raw.get("Version"))
        return (
            crash.raw.get("ProductName") == "Firefox" and version is not None and ToolkitVersion(version) < self._oldest
        )

    def action(self, crash: Crash) -> bool:
        system_info = section(crash, "system_info")
        system = system_info.get("os")
        if not isinstance(system, str):
            return False
        advice = None
        if system.startswith("Windows"):
            advice = _windows(_version(system_info.get("os_ver")))
        elif system == "Mac OS X":
            advice = _mac(_version(system_info.get("os_ver")), system_info.get("cpu_arch"))
        record_classification(crash, "support", classification(advice or "update-firefox-latest-version", self.version))
        return True


_Version = tuple[int, int, int]
"""Major version, minor version, service pack."""
_WINDOWS_2000 = (5, 0)
_WINDOWS_XP_SERVICE_PACK_3 = (5, 1, 3)
_NUMBERS = re.compile(r"\s*([0-9]{1,9})\.([0-9]{1,9})", re.ASCII)
_SERVICE_PACK = re.compile(r"Service Pack ([0-9]{1,9})", re.ASCII)


def _version(text: object) -> _Version | None:
    """Read the version of a system (``5.1.2600 Service Pack 2``); None if it is not known."""
    if not isinstance(text, str) or not (numbers := _NUMBERS.match(text)):
        return None
    service_pack = _SERVICE_PACK.search(text[:1000])
    return int(numbers[1]), int(numbers[2]), int(service_pack[1]) if service_pack else 0


def _windows(version: _Version | None) -> str | None:
    if version is None:
        return None
    if version[:2] == _WINDOWS_2000:
        return "firefox-no-longer-works-windows-2000"
    if version < _WINDOWS_XP_SERVICE_PACK_3:
        return "firefox-no-longer-works-some-versions-windows-xp"
    return None


def _mac(version: _Version | None, cpu: object) -> str | None:
    if (isinstance(cpu, str) and cpu.startswith("ppc")) or (version and version[:2] < (10, 5)):
        return "firefox-no-longer-works-mac-os-10-4-or-powerpc"
    if version and version[:2] == (10, 5):
        return "firefox-no-longer-works-mac-os-x-10-5"
    return None
