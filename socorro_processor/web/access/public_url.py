"""The address of the server, as people write it: links, cookies and checks of a request's origin follow it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE)
_USUAL_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class PublicURL:
    """The beginning of this server's addresses, as people write it."""

    scheme: str
    host: str
    """With the port, unless that is the usual one; in lower case."""

    @classmethod
    def read(cls, text: str) -> PublicURL | None:
        """Read ``https://crashes.example.com``; None if it is empty. Raises ValueError."""
        if not text.strip():
            return None
        match = _ADDRESS.fullmatch(text.strip())
        if match is None:
            raise ValueError("an address without a path, such as https://crashes.example.com")
        scheme, host, port = match[1].lower(), match[2].lower(), match[3]
        return cls(scheme, (f"{host}:{int(port)}" if port else host).removesuffix(_USUAL_PORTS[scheme]))

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    def is_at(self, host: str) -> bool:
        """Return True if a header ``Host`` names it."""
        return host.lower().removesuffix(_USUAL_PORTS[self.scheme]) == self.host
