"""Symbol files of a server that is asked by HTTP or HTTPS: ``URL/xul.pdb/83CF.../xul.sym``."""

from __future__ import annotations

import urllib.request
from collections.abc import Generator
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from socorro_processor.symbols.source import SourceAway, SymbolsNotThere

MAXIMUM_REDIRECTS = 5

_CHUNK = 1 << 18
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NOT_THERE = frozenset((401, 403, 404, 410))
"""Servers in front of a bucket that may not be listed say 403 of what is not in it."""
_SMALL = 1 << 16
"""The page of an error is read up to this size, so that its connection can be used again."""


class HTTPSource:
    """Connections are pooled and kept; nothing is tried twice: a source that is away is asked again later.

    Redirects are followed to ``http`` and ``https`` only, never from ``https`` to ``http``. A proxy is
    used as the environment variables ``https_proxy``, ``http_proxy`` and ``no_proxy`` say, authorities
    are those of the system or of ``SSL_CERT_FILE``.
    """

    def __init__(self, url: str, *, connection_timeout: float, read_timeout: float, connections: int) -> None:
        """``url`` is one that ``parse_url`` read."""
        self.name = url
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connection_timeout, read=read_timeout),
            # What is compressed is known by its content: symbol servers do not always say so.
            "headers": {"Accept-Encoding": "gzip, zstd", "User-Agent": "socorro-processor"},
        }
        self._direct = urllib3.PoolManager(**self._options)
        self._proxies: dict[str, urllib3.ProxyManager] = {}

    def chunks(self, path: str) -> Generator[bytes]:
        try:
            response = self._answer(f"{self.name}/{quote(path)}")
            try:
                yield from self._body(response)
            finally:
                # Of one that was read to its end the connection is in the pool again: this ends all others.
                response.close()
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise SourceAway(f"{self.name}: {' '.join(str(error).split())[:300] or type(error).__name__}") from error

    def close(self) -> None:
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _answer(self, url: str) -> urllib3.BaseHTTPResponse:
        """An answer with a body that may be the file."""
        for _ in range(1 + MAXIMUM_REDIRECTS):
            response = self._pool(url).request("GET", url, redirect=False, preload_content=False, decode_content=False)
            if response.status == 200:
                return response
            _end(response)
            if response.status in _NOT_THERE:
                raise SymbolsNotThere(f"{self.name} answers {response.status}")
            if response.status not in _REDIRECTS:
                raise SourceAway(f"{self.name} answers {response.status}")
            url = _redirected(url, response.headers.get("Location", ""), self.name)
        raise SourceAway(f"{self.name} redirects more than {MAXIMUM_REDIRECTS} times")

    def _body(self, response: urllib3.BaseHTTPResponse) -> Generator[bytes]:
        length = response.headers.get("Content-Length", "")
        received = 0
        # One receive at a time, so that a server that sends little by little cannot hold us in here.
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            yield chunk
        if length.isdecimal() and received != int(length):
            raise SourceAway(f"{self.name} sent {received} of {int(length)} bytes")

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = urllib.request.getproxies().get(parts.scheme)
        if not proxy or urllib.request.proxy_bypass(parts.netloc):
            return self._direct
        return self._proxies.setdefault(proxy, urllib3.ProxyManager(proxy, **self._options))


def parse_url(text: str) -> str:
    """Read the address of a symbol server. Raises ValueError."""
    url = text.strip().rstrip("/")
    parts = urlsplit(url)
    # What stands before an @ or behind a ? may be a secret: it would come out in messages.
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in url or parts.query or parts.fragment:
        raise ValueError("http://HOST/PATH or https://HOST/PATH was expected, without user, password and query")
    return url


def _redirected(url: str, location: str, name: str) -> str:
    target = urljoin(url, location)
    allowed = ("https",) if url.startswith("https:") else ("http", "https")
    if not location or urlsplit(target).scheme not in allowed:
        scheme = urlsplit(target).scheme[:20]
        raise SourceAway(f"{name} redirects to {scheme!r}, only {' and '.join(allowed)} is followed")
    return target


def _end(response: urllib3.BaseHTTPResponse) -> None:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= _SMALL:
        response.drain_conn()
    else:
        response.close()
