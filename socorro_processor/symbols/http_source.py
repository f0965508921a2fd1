"""Symbol files on an HTTP or HTTPS server: ``URL/xul.pdb/83CF.../xul.sym``."""

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
"""A server for a bucket that may not be listed answers 403 if it does not have an object."""
_LEAST_SPEED = 1_000
"""Bytes a second."""
_LARGEST_ERROR_PAGE = 1 << 16
"""Bytes. An error page is read up to this size, so that its connection can be used again."""


class _Connection(DeadlineConnection, HTTPConnection):
    """HTTP."""


class _TLSConnection(DeadlineConnection, HTTPSConnection):
    """HTTPS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class HTTPSource:
    """A symbol server. It keeps connections in a pool, and makes no second attempt: the supplier asks again later.

    The header of the answer, with all redirects, must come within ``connection_timeout`` plus ``read_timeout``; the
    body at one kilobyte a second or faster; all within ``download_timeout``.

    It follows redirects to ``http`` and ``https`` only, never from ``https`` to ``http``. The environment variables
    ``https_proxy``, ``http_proxy`` and ``no_proxy`` name a proxy; certificate authorities are those of the system
    or of ``SSL_CERT_FILE``.
    """

    def __init__(
        self, url: str, *, connection_timeout: float, read_timeout: float, download_timeout: float, connections: int
    ) -> None:
        """``url`` is from ``parse_url``."""
        self.name = url
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connection_timeout, read=read_timeout),
            # Compression is known by the content: symbol servers do not always declare it.
            "headers": {"Accept-Encoding": "gzip, zstd", "User-Agent": "socorro-processor"},
        }
        self._answer_time = connection_timeout + read_timeout
        self._read_timeout = read_timeout
        self._download_timeout = download_timeout
        self._deadlines = Deadlines()
        self._direct = _with_deadlines(urllib3.PoolManager(**self._options))
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
                reason = deadline.reason or " ".join(str(error).split())[:300] or type(error).__name__
                raise SourceAway(f"{self.name}: {reason}") from error

    def close(self) -> None:
        self._deadlines.close("the processor ends")
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _answer(self, url: str, deadline: Deadline) -> urllib3.BaseHTTPResponse:
        """Return a response whose body may be the file."""
        deadline.step(self._answer_time, f"did not answer within {self._answer_time:g} s")
        for _ in range(1 + MAXIMUM_REDIRECTS):
            with deadline.here():
                response = self._pool(url).request(
                    "GET", url, redirect=False, preload_content=False, decode_content=False
                )
            if response.status == 200:
                return response
            _finish(response)
            if response.status in _NOT_THERE:
                raise SymbolsNotThere(f"{self.name} answers {response.status}")
            if response.status not in _REDIRECTS:
                raise SourceAway(f"{self.name} answers {response.status}")
            url = _redirect_target(url, response.headers.get("Location", ""), self.name)
        raise SourceAway(f"{self.name} redirects more than {MAXIMUM_REDIRECTS} times")

    def _body(self, response: urllib3.BaseHTTPResponse, deadline: Deadline) -> Generator[bytes]:
        length = response.headers.get("Content-Length", "")
        received = 0
        start = time.monotonic()
        deadline.step(self._read_timeout, f"sent nothing of the file within {self._read_timeout:g} s")
        # One receive at a time, so that a slow server cannot keep us in a read.
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            allowed = start + self._read_timeout + received / _LEAST_SPEED - time.monotonic()
            deadline.step(allowed, f"sent less than {_LEAST_SPEED} bytes a second")
            yield chunk
        if deadline.reason:
            # Without a length, a connection that was cut looks like the end of the file.
            raise SourceAway(f"{self.name}: {deadline.reason}")
        if length.isdecimal() and received != int(length):
            raise SourceAway(f"{self.name} sent {received} of {int(length)} bytes")

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = urllib.request.getproxies().get(parts.scheme)
        if not proxy or urllib.request.proxy_bypass(parts.netloc):
            return self._direct
        return self._proxies.setdefault(proxy, _with_deadlines(urllib3.ProxyManager(proxy, **self._options)))


def _with_deadlines(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


def parse_url(text: str) -> str:
    """Read the address of a symbol server. Raises ValueError."""
    url = text.strip().rstrip("/")
    parts = urlsplit(url)
    # What is before an @ or after a ? may be a secret, and messages would show it.
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in url or parts.query or parts.fragment:
        raise ValueError("http://HOST/PATH or https://HOST/PATH was expected, without user, password and query")
    return url


def _redirect_target(url: str, location: str, name: str) -> str:
    target = urljoin(url, location)
    allowed = ("https",) if url.startswith("https:") else ("http", "https")
    if not location or urlsplit(target).scheme not in allowed:
        scheme = urlsplit(target).scheme[:20]
        raise SourceAway(f"{name} redirects to {scheme!r}, which may only be {' or '.join(allowed)}")
    return target


def _finish(response: urllib3.BaseHTTPResponse) -> None:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= _LARGEST_ERROR_PAGE:
        response.drain_conn()
    else:
        response.close()
