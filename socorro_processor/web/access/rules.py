"""Who may what on this server: tokens, a trusted proxy, everyone; or all is open, to this machine only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError
from socorro_processor.web.access.public_url import PublicURL
from socorro_processor.web.access.tokens import Token, TokenFile
from socorro_processor.web.access.trusted_proxy import TrustedProxy
from socorro_processor.web.http.listening import is_loopback
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.permissions import Permission

SESSION_TIME = 7 * 86400
"""Seconds that a browser stays signed in."""


@dataclass(frozen=True)
class AccessRules:
    tokens: TokenFile
    everyone: frozenset[Permission] = frozenset()
    """The permissions of those who show nothing."""
    proxy: TrustedProxy | None = None
    public_url: PublicURL | None = None
    hosts: frozenset[str] = frozenset()
    """Further values of Host that are answered, without their ports."""
    is_open: bool = True
    """True if nothing says who may what: then everyone may everything, but only on this machine."""
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """It signs cookies."""

    @classmethod
    def of(cls, config: DotDict) -> AccessRules:
        """Return the rules of a section ``web``. Raises ConfigurationError."""
        tokens = TokenFile(Path(config.token_file))
        proxy = TrustedProxy.of(config)
        host = config.host.strip("[]").lower()
        hosts = config.hosts if host in ("", "0.0.0.0", "::") else config.hosts | {host}  # nosec B104
        is_open = not (tokens.tokens() or proxy or config.everyone)
        if is_open and config.public_url and not is_loopback(host_without_port(config.public_url.host)):
            raise ConfigurationError(
                f"web.public_url: others reach this server as {config.public_url.host}, and nothing says who may what. "
                "`socorro token add` makes a token first; docs/access.rst has other ways"
            )
        key = hashlib.sha256(config.session_key.encode()).digest() if config.session_key else secrets.token_bytes(32)
        return cls(
            tokens,
            config.everyone,
            proxy,
            config.public_url,
            hosts,
            is_open=is_open,
            key=key,
        )

    def answers_to(self, host: str) -> bool:
        """Return True if this server has this name, which may end with a port."""
        if self.public_url and self.public_url.is_at(host):
            return True
        name = host_without_port(host).lower().rstrip(".")
        return is_loopback(name) or name.strip("[]") in self.hosts

    def sign_in(self, word: str) -> str | None:
        """Return the cookie of a session for the holder of a token; None if it is not valid."""
        token = self.tokens.holder(word)
        if token is None:
            return None
        end = int(time.time()) + SESSION_TIME
        return f"{token.token_id}.{end}.{self._sign(token, end)}"

    def viewer_of_cookie(self, cookie: str) -> Viewer | None:
        """Return the holder of a session; None if it has ended, or its token is not valid any more."""
        token_id, _, rest = cookie.partition(".")
        end, _, signature = rest.partition(".")
        token = self.tokens.with_id(token_id)
        if token is None or not (end.isascii() and end.isdigit() and len(end) < 12) or int(end) < time.time():
            return None
        genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(token, int(end)).encode())
        return viewer_of_token(token) if genuine else None

    def _sign(self, token: Token, end: int) -> str:
        # With the hash: a session does not outlive its token in one that has the same id by chance.
        return hmac.digest(self.key, f"viewer {token.token_id} {token.hash} {end}".encode(), "sha256").hex()


def viewer_of_token(token: Token) -> Viewer:
    return Viewer(token.permissions, token.note, known_by=f"token {token.token_id}")


def host_without_port(host: str) -> str:
    """Return the name in a header ``Host``."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() and len(port) <= 5 else host
