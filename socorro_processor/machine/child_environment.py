"""What programs of this project are given of the environment: the rest may hold the passwords of every service.

The environment of a process can be read by all others of its user, a stackwalker that was taken over among them.
"""

from __future__ import annotations

import os

_NAMES = frozenset(("HOME", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"))
_BEGINNINGS = ("GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON")


def child_environment() -> dict[str, str]:
    """Of this process's environment what Python and the system's libraries go by."""
    return {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_BEGINNINGS)}
