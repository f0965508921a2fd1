"""Rules that look up versions: the released version of a beta, and the name of an operating system."""

from __future__ import annotations

import re

from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.annotations import integer
from socorro_processor.rules.reference_rule import ReferenceRule

_MAJOR_MINOR = re.compile(r"\s*([0-9]{1,9})\s*\.\s*([0-9]{1,9})\s*(?:\..*)?", re.ASCII | re.DOTALL)


class BetaVersionRule(ReferenceRule):
    """Give a beta build its real version: it calls itself 48.0, and was released as 48.0b10.

    Reads ``product``, ``release_channel``, ``build``; writes ``version``; notes an unknown build. Its version then
    ends in ``b0``, and can be corrected when the crash is processed again.
    """

    def predicate(self, crash: Crash) -> bool:
        return _text(crash, "release_channel").lower() == "beta"

    def action(self, crash: Crash) -> bool:
        product, version = _text(crash, "product"), _text(crash, "version")
        build_id = integer(crash.processed.get("build"))
        released = None if build_id is None else self.reference.released_version(product, version, "beta", build_id)
        if released is None:
            crash.note("the release channel is beta, but this build is not known: b0 was added to the version")
        crash.processed["version"] = f"{version}b0" if released is None else released
        return True


class OSPrettyVersionRule(ReferenceRule):
    """Name the operating system as people do: ``Windows 7``, ``OS X 10.11``.

    Reads ``os_name``, ``os_version``; writes ``os_pretty_version``: None if the system is not known.
    """

    def action(self, crash: Crash) -> bool:
        name = crash.processed.get("os_name")
        match = _MAJOR_MINOR.fullmatch(_text(crash, "os_version"))
        if not isinstance(name, str):
            crash.processed["os_pretty_version"] = None
        elif match is None:
            crash.processed["os_pretty_version"] = name
        else:
            crash.processed["os_pretty_version"] = self._pretty(name, int(match[1]), int(match[2]))
        return True

    def _pretty(self, name: str, major: int, minor: int) -> str:
        if name.lower().startswith("windows"):
            return self.reference.windows_name(major, minor) or "Windows Unknown"
        if name == "Mac OS X":
            return f"OS X {major}.{minor}" if major == 10 and minor < 20 else "OS X Unknown"
        return name


def _text(crash: Crash, field: str) -> str:
    value = crash.processed.get(field)
    return value if isinstance(value, str) else ""
