"""Symbol files of a server that is asked by HTTP or HTTPS: ``URL/xul.pdb/83CF.../xul.sym``."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Generator
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from socorro_processor.machine.request_deadline import Deadline, DeadlineConnection, Deadlines
from socorro_processor.symbols.source import SourceAway, SymbolsNotThere

MAXIMUM_REDIRECTS = 5

_CHUNK = 1 << 18
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NOT_THERE = frozenset((401, 403, 404, 410))
"""Servers in front of a bucket that may not be listed say 403 of what is not in it."""
_LEAST_SPEED = 1_000
"""Bytes a second. What comes slower is as good as nothing."""
_SMALL = 1 << 16
"""The page of an error is read up to this size, so that its connection can be used again."""


class _Connection(DeadlineConnection, HTTPConnection):
    """HTTP."""


class _TLSConnection(DeadlineConnection, HTTPSConnection):
    """HTTPS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class HTTPSource:
    """Connections are pooled and kept; nothing is tried twice: a source that is away is asked again later.

    The header of the answer, with all redirects, has to be there after the time for a connection and for a read; what
    follows has to come at a kilobyte a second at least, and in all before ``download_timeout``.

    Redirects are followed to ``http`` and ``https`` only, never from ``https`` to ``http``. A proxy is
    used as the environment variables ``https_proxy``, ``http_proxy`` and ``no_proxy`` say, authorities
    are those of the system or of ``SSL_CERT_FILE``.
    """

    def __init__(
        self, url: str, *, connection_timeout: float, read_timeout: float, download_timeout: float, connections: int
    ) -> None:
        """``url`` is one that ``parse_url`` read."""
        self.name = url
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connection_timeout, read=read_timeout),
            # What is compressed is known by its content: symbol servers do not always say so.
            "headers": {"Accept-Encoding": "gzip, zstd", "User-Agent": "socorro-processor"},
        }
        self._answer_time = connection_timeout + read_timeout
        self._read_timeout = read_timeout
        self._download_timeout = download_timeout
        self._deadlines = Deadlines()
        self._direct = _guarded(urllib3.PoolManager(**self._options))
        self._proxies: dict[str, urllib3.PoolManager] = {}

    def chunks(self, path: str) -> Generator[bytes]:
        with self._deadlines.within(self._download_timeout) as deadline:
            try:
                response = self._answer(f"{self.name}/{quote(path)}", deadline)
                try:
                    yield from self._body(response, deadline)
                finally:
                    # Close the connection of a response that was not read to its end; others are back in the pool.
                    response.close()
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                said = deadline.reason or " ".join(str(error).split())[:300] or type(error).__name__
                raise SourceAway(f"{self.name}: {said}") from error

    def close(self) -> None:
        self._deadlines.close("the processor ends")
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _answer(self, url: str, deadline: Deadline) -> urllib3.BaseHTTPResponse:
        """An answer with a body that may be the file."""
        deadline.step(self._answer_time, f"did not answer within {self._answer_time:g} s")
        for _ in range(1 + MAXIMUM_REDIRECTS):
            with deadline.here():
                response = self._pool(url).request(
                    "GET", url, redirect=False, preload_content=False, decode_content=False
                )
            if response.status == 200:
                return response
            _end(response)
            if response.status in _NOT_THERE:
                raise SymbolsNotThere(f"{self.name} answers {response.status}")
            if response.status not in _REDIRECTS:
                raise SourceAway(f"{self.name} answers {response.status}")
            url = _redirected(url, response.headers.get("Location", ""), self.name)
        raise SourceAway(f"{self.name} redirects more than {MAXIMUM_REDIRECTS} times")

    def _body(self, response: urllib3.BaseHTTPResponse, deadline: Deadline) -> Generator[bytes]:
        length = response.headers.get("Content-Length", "")
        received = 0
        begun = time.monotonic()
        deadline.step(self._read_timeout, f"sent nothing of the file within {self._read_timeout:g} s")
        # One receive at a time, so that a server that sends little by little cannot hold us in here.
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            allowed = begun + self._read_timeout + received / _LEAST_SPEED - time.monotonic()
            deadline.step(allowed, f"sent less than {_LEAST_SPEED} bytes a second")
            yield chunk
        if deadline.reason:
            # Where no length was told, a connection that was cut looks like the end of the file.
            raise SourceAway(f"{self.name}: {deadline.reason}")
        if length.isdecimal() and received != int(length):
            raise SourceAway(f"{self.name} sent {received} of {int(length)} bytes")

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = urllib.request.getproxies().get(parts.scheme)
        if not proxy or urllib.request.proxy_bypass(parts.netloc):
            return self._direct
        return self._proxies.setdefault(proxy, _guarded(urllib3.ProxyManager(proxy, **self._options)))


def _guarded(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


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
