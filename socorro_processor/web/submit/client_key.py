"""The key that a client sends with a crash, wherever it puts it. ``collector.keys`` says what keys are for.

``Authorization: Bearer KEY``, ``?key=KEY``, or as clients of Sentry do: ``?sentry_key=KEY``, and
``X-Sentry-Auth: Sentry sentry_version=7, sentry_key=KEY``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers

SENTRY_KEY = "sentry_key"
KEYS = ("key", SENTRY_KEY)
"""The parameters of an address that have a key. The first of them that is there counts."""
_SENTRY_AUTH = "x-sentry-auth"
_IN_SENTRY_AUTH = re.compile(rf"(?:^sentry\s+|,\s*){SENTRY_KEY}\s*=\s*([^\s,]+)", re.IGNORECASE)


def key_of(headers: Headers, query: Sequence[tuple[str, str]]) -> str:
    """Return the key in the headers or the parameters of an address; empty if there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    sent = dict(query)
    if in_address := next((sent[name] for name in KEYS if sent.get(name)), ""):
        return in_address
    match = _IN_SENTRY_AUTH.search(headers.get(_SENTRY_AUTH, ""))
    return match[1] if match else ""


def has_sentry_key(headers: Headers, query: Sequence[tuple[str, str]]) -> bool:
    """Return True if the client sends a key where only clients of Sentry do."""
    return _SENTRY_AUTH in headers or any(name == SENTRY_KEY for name, _ in query)
