"""The order of versions: numbers by their size, and what is released before or after a version in its place.

sorted(["2.10", "2.3", "2.3b1"], key=version_key) == ["2.3b1", "2.3", "2.10"]
"""

from __future__ import annotations

import re

VersionKey = tuple[tuple[int, int, str], ...]

UNKNOWN_VERSIONS = ("", "unknown")
"""The texts that name no version, in lower case."""

_PARTS = re.compile(r"[0-9]+|[a-z]+")
_BEFORE = frozenset(
    ("a", "alpha", "b", "beta", "c", "canary", "dev", "m", "nightly", "pre", "preview", "rc", "snapshot")
)
"""Words of versions that come before the release: 2.3b1 before 2.3."""

_BEFORE_END, _END, _AFTER_END, _NUMBER = range(4)
_ORDER_OF_WORDS = {"dev": 0, "snapshot": 0, "nightly": 0, "canary": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2}
_OTHER_WORDS = 3


def version_key(version: str | None) -> VersionKey:
    """Return the key by which versions are sorted, the oldest first; unknown versions come before all others."""
    if is_unknown(version):
        return ()
    assert version is not None
    return (*(_part(each) for each in _PARTS.findall(version.lower())), (_END, 0, ""), (_END, 0, version))


def is_unknown(version: str | None) -> bool:
    """Return True if a crash with this version could be of any."""
    return version is None or version.strip().lower() in UNKNOWN_VERSIONS


def _part(text: str) -> tuple[int, int, str]:
    if text[0].isdigit():
        return _NUMBER, int(text), ""
    return (_BEFORE_END if text in _BEFORE else _AFTER_END), _ORDER_OF_WORDS.get(text, _OTHER_WORDS), text
