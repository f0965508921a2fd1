"""The part of the environment that child processes receive: the rest may contain the passwords of every service.

All processes of a user, even a hijacked stackwalker, can read each other's environment.
"""

from __future__ import annotations

import os

_NAMES = frozenset(("HOME", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"))
_PREFIXES = ("GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON")


def child_environment() -> dict[str, str]:
    """Return the part of this process's environment that Python and the system's libraries read."""
    return {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_PREFIXES)}
