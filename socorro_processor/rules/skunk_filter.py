"""The rule that admits only one kind of crash to the classifiers of the skunk works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import as_text
from socorro_processor.rules.json_dump import section

_OLDEST_VERSION = 17
_OLDEST_BUILDS = {18: date(2012, 10, 23)}
_OLDEST_BUILD = date(2012, 10, 17)
"""The first day whose builds have the functions that the classifiers look for."""

_NO_PLUGIN_HANG = "not a plugin hang"
_MAJOR = re.compile(r"[0-9]{1,9}", re.ASCII)
_BUILD_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)


class DontConsiderTheseFilter(Rule):
    """Reject all crashes except hangs of plugins of Firefox 17 and later whose dumps were all walked.

    The rule set ends with the first action that succeeds, and the action of this rule is to reject the crash. Reads
    ``raw.PluginHang``, ``raw.ProductName``, ``raw.Version``, ``raw.BuildID``, ``json_dump``, ``success``,
    ``additional_minidumps`` and the dumps named there; notes why it rejects the hang of a plugin.
    """

    def predicate(self, crash: Crash) -> bool:
        return next(_reasons(crash), None) is not None

    def action(self, crash: Crash) -> bool:
        reason = next(_reasons(crash))
        if reason != _NO_PLUGIN_HANG:  # the reason for nearly all crashes
            crash.note(f"not for the skunk classifiers: {reason}")
        return True


def _reasons(crash: Crash) -> Iterator[str]:
    """Yield the reasons to reject ``crash``, if there are any."""
    # Anything but 0 has always counted here, even a text that is not a number.
    if crash.raw.get("PluginHang") in (None, "", "0", 0):
        yield _NO_PLUGIN_HANG
    if (product := crash.raw.get("ProductName")) != "Firefox":
        yield f"product {_quote(product)} is not Firefox"
    version = as_text(crash.raw.get("Version"))
    major = _major(version)
    if not version:
        yield "Version is missing"
    elif major is None:
        yield f"bad Version {_quote(version)}"
    elif major < _OLDEST_VERSION:
        yield f"version {_quote(version)} is older than {_OLDEST_VERSION}"
    build_id = as_text(crash.raw.get("BuildID"))
    build = _build_date(build_id)
    oldest = _OLDEST_BUILDS.get(major or 0, _OLDEST_BUILD)
    if build is None:
        yield f"bad BuildID {_quote(build_id)}"
    elif build < oldest:
        yield f"build of {build}, before {oldest}"
    if not crash.processed.get("json_dump"):
        yield "there is no json_dump"
    architecture = section(crash, "system_info").get("cpu_arch")
    if not architecture:
        yield "the architecture is not known"
    elif architecture == "amd64":
        yield "the architecture is amd64"
    if crash.processed.get("success") is not True:
        yield "the main dump was not walked with success"
    for name in _additional_minidumps(crash):
        dump = crash.processed.get(name)
        if not isinstance(dump, dict):
            yield f"the dump {name} is missing"
        elif dump.get("success") is not True:
            yield f"the dump {name} was not walked with success"


def _major(version: str | None) -> int | None:
    match = _MAJOR.match(version) if version else None
    return int(match[0]) if match else None


def _build_date(build_id: str | None) -> date | None:
    match = _BUILD_DATE.match(build_id) if build_id else None
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _additional_minidumps(crash: Crash) -> list[str]:
    names = crash.processed.get("additional_minidumps")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _quote(value: object) -> str:
    return repr(value[:100]) if isinstance(value, str) else f"of type {type(value).__name__}"
