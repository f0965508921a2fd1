"""Bounds on the body of a request, of which a server sees one piece after the other."""

from __future__ import annotations

BLOCK = 1 << 18
"""Bytes that an upload collects before a thread writes them."""
DRAINED = 64 << 20
"""Bytes that are read and dropped after a refusal, because a client that still sends does not see the answer."""
