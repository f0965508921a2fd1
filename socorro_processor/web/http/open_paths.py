"""The addresses that are open to any client: crashes come from anywhere, and probes know no names."""

from __future__ import annotations

SUBMIT_PATHS = ("/submit", "/submit/")
PROBE_PATHS = ("/healthz", "/readyz", "/metrics", "/__version__", "/__heartbeat__", "/__lbheartbeat__")
PROGRAM_PATHS = ("/symbols",)
"""The addresses at which programs may change something without a form of a page: builds upload symbols."""


def is_open(path: str) -> bool:
    """Return True if a request for the path is answered whatever its Host, Origin and headers are."""
    return path in SUBMIT_PATHS or path in PROBE_PATHS


def takes_key(path: str) -> bool:
    """Return True if a token may stand in the address, as the clients that upload symbols have it."""
    return path in PROGRAM_PATHS
