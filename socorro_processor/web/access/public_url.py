"""The address of the server, as people write it: links, cookies and checks of a request's origin follow it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class PublicURL:
    """The beginning of this server's addresses, as people write it."""

    scheme: str
    host: str
    """With the port, if it has one; in lower case."""

    @classmethod
    def read(cls, text: str) -> PublicURL | None:
        """Read ``https://crashes.example.com``; None if it is empty. Raises ValueError."""
        if not text.strip():
            return None
        parts = urlsplit(text.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError("an address without a path, such as https://crashes.example.com")
        return cls(parts.scheme, parts.netloc.rpartition("@")[2].lower())
