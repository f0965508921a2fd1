"""The addresses that are open to any client: crashes come from anywhere, and probes know no names."""

from __future__ import annotations

import re

SUBMIT_PATHS = ("/submit", "/submit/")
PROJECT = "[0-9]{1,20}"
"""The number of a project, in the address to which Sentry's native client posts its crashes. No other address below
``/api/`` begins with a digit, so that none is open by chance."""
PROBE_PATHS = ("/healthz", "/readyz", "/metrics", "/__version__", "/__heartbeat__", "/__lbheartbeat__")
PROGRAM_PATHS = ("/symbols",)
"""The addresses at which programs may change something without a form of a page: builds upload symbols."""

_MINIDUMP = re.compile(f"/api/{PROJECT}/minidump/?")


def takes_crashes(path: str) -> bool:
    """Return True if crashes are posted to the path: ``/submit`` or ``/api/1/minidump``, each also with a slash."""
    return path in SUBMIT_PATHS or _MINIDUMP.fullmatch(path) is not None


def is_open(path: str) -> bool:
    """Return True if a request for the path is answered whatever its Host, Origin and headers are."""
    return takes_crashes(path) or path in PROBE_PATHS


def takes_key(path: str) -> bool:
    """Return True if a token may stand in the address, as the clients that upload symbols have it."""
    return path in PROGRAM_PATHS
