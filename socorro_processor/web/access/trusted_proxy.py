"""A proxy that knows who asks, and says so in a header: believed only if it comes from the proxy's networks."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError
from socorro_processor.untrusted import plain
from socorro_processor.web.access.networks import Network
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.permissions import Permission, read_permissions

BY_PROXY = "the proxy"
"""How a viewer is known."""
_LONGEST_NAME = 100  # characters


@dataclass(frozen=True)
class TrustedProxy:
    networks: tuple[Network, ...]
    user_header: str
    permissions: frozenset[Permission]
    """The permissions of everyone whom the proxy names."""
    permissions_header: str
    """A header in which the proxy names further permissions, separated by commas; empty if it does not."""

    @classmethod
    def of(cls, config: DotDict) -> TrustedProxy | None:
        """Return that of a section ``web``; None if there is none. Raises ConfigurationError."""
        if not config.proxy_user_header and not config.proxy_networks:
            return None
        if not config.proxy_user_header or not config.proxy_networks:
            raise ConfigurationError(
                "web.proxy_user_header and web.proxy_networks need each other: a header is believed only if it comes "
                "from a network of the proxy"
            )
        return cls(
            config.proxy_networks, config.proxy_user_header, config.proxy_permissions, config.proxy_permissions_header
        )

    def viewer(self, client: str, headers: Headers) -> Viewer | None:
        """Return whom the proxy names; None if the client is no proxy of ours, or names nobody."""
        if not self.is_at(client) or not (name := _only(headers, self.user_header)):
            return None
        permissions = self.permissions
        if self.permissions_header:
            words = _only(headers, self.permissions_header).split(",")
            # With a word that is no permission, none of them counts.
            with suppress(ValueError):
                permissions |= read_permissions(word.strip() for word in words if word.strip())
        return Viewer(permissions, plain(name[:_LONGEST_NAME]), known_by=BY_PROXY)

    def is_at(self, client: str) -> bool:
        """Return True if the client's address is in one of the networks."""
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


def _only(headers: Headers, name: str) -> str:
    """Return the value of a header; empty if it comes twice: then one of them is not the proxy's."""
    values = headers.getlist(name)
    return values[0].strip() if len(values) == 1 else ""
