"""The options that say who may what, in the section ``web``."""

from __future__ import annotations

import re

from socorro_processor.configuration import Namespace, names
from socorro_processor.web.access.networks import read_networks
from socorro_processor.web.access.public_url import PublicURL
from socorro_processor.web.permissions import PERMISSIONS, Permission, read_permissions

_ALL = ", ".join(PERMISSIONS)
_HOST = re.compile(r"[a-z0-9._-]+|\[?[0-9a-f:.]+\]?", re.ASCII | re.IGNORECASE)
_HEADER = re.compile(r"[a-z0-9-]*", re.ASCII | re.IGNORECASE)
_SHORTEST_KEY = 20  # characters


def _permissions(text: str) -> frozenset[Permission]:
    return read_permissions(names(text))


def _file(text: str) -> str:
    if not text.strip():
        raise ValueError("the path of a file, such as socorro-data/tokens.json")
    return text


def _hosts(text: str) -> frozenset[str]:
    hosts = names(text)
    if not all(_HOST.fullmatch(each) for each in hosts):
        raise ValueError("names of hosts without ports, separated by commas, such as crashes, crashes.example.com")
    return frozenset(each.strip("[]").lower() for each in hosts)


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text.strip()):
        raise ValueError("the name of a header, such as X-Remote-User")
    return text.strip()


def _session_key(text: str) -> str:
    if 0 < len(text) < _SHORTEST_KEY:
        raise ValueError(f"at least {_SHORTEST_KEY} characters, such as those that `openssl rand -hex 32` prints")
    return text


required_config = Namespace()
required_config.add_option(
    "token_file",
    default="socorro-data/tokens.json",
    doc="the file of the tokens by which people and programs show who they are: socorro token makes them",
    from_string_converter=_file,
)
required_config.add_option(
    "everyone",
    default="",
    doc=f"the permissions of those who show nothing, separated by commas: {_ALL}",
    from_string_converter=_permissions,
)
required_config.add_option(
    "public_url",
    default="",
    doc="the address of the server as people write it, if a proxy stands before it: https://crashes.example.com",
    from_string_converter=PublicURL.read,
)
required_config.add_option(
    "hosts",
    default="",
    doc="further names of the server, separated by commas; requests to other names are not answered",
    from_string_converter=_hosts,
)
required_config.add_option(
    "proxy_user_header",
    default="",
    doc="the header in which a proxy before the server says who asks, such as X-Remote-User (empty: none does)",
    from_string_converter=_header,
)
required_config.add_option(
    "proxy_networks",
    default="",
    doc="the networks from which that header is believed, separated by commas: 127.0.0.1, 10.0.0.0/8",
    from_string_converter=read_networks,
)
required_config.add_option(
    "proxy_permissions",
    default="public",
    doc=f"the permissions of everyone whom the proxy names: {_ALL}, or all",
    from_string_converter=_permissions,
)
required_config.add_option(
    "proxy_permissions_header",
    default="",
    doc="a header in which the proxy names further permissions of who asks, separated by commas (empty: none)",
    from_string_converter=_header,
)
required_config.add_option(
    "session_key",
    default="",
    doc="the key that signs cookies: the same for all servers behind one address (empty: a new one at each start)",
    secret=True,
    from_string_converter=_session_key,
)
