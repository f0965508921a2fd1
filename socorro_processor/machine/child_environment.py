"""The part of the environment that child processes get: the rest may hold the passwords of every service.

The environment of a process can be read by all others of its user, a stackwalker that was taken over among them.
"""

from __future__ import annotations

import os

_NAMES = frozenset(("HOME", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"))
_BEGINNINGS = ("GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON")


def child_environment() -> dict[str, str]:
    """Return the part of this process's environment that Python and the system's libraries read."""
    return {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_BEGINNINGS)}
