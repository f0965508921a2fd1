"""The addresses of a crash's page, and of what hangs on it."""

from __future__ import annotations

import re

from socorro_processor.crash_id import check_crash_id

_PREFIX = re.compile("(?:bp-)?")


def crash_id_in(word: str) -> str:
    """Return the crash id in a part of an address: bare or after ``bp-``, in any case. Raises InvalidCrashID."""
    return check_crash_id(_PREFIX.sub("", word.strip().lower(), count=1))


def report_path(crash_id: str, form: str = "") -> str:
    """Return the address of a crash's page, or of another form of it: ``.txt``, ``.md``, ``.json``, ``/raw.json``."""
    return f"/report/{crash_id}{form}"


def dump_path(crash_id: str, name: str) -> str:
    """Return the address of a dump or an attachment, whose name ``check_dump_name`` allows."""
    return f"/report/{crash_id}/dump/{name}"
