"""The bucket with symbols is on the server of the crashes' bucket, where nothing else is said of it.

So an option of ``resource.symbols.s3`` that no source sets has the value of the same one in ``resource.boto``, and the
secret in ``secrets.symbols`` that of ``secrets.boto``: not the bucket's name, its prefix, or how long it is waited for.
Where ``resource.symbols.s3.endpoint_url`` names another server, that one is told none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from socorro_processor.configuration.sources import Source

_CRASHES, _SYMBOLS = "resource.boto", "resource.symbols.s3"
_ENDPOINT = "endpoint_url"
_SERVER = ("region", "calling_format", "verify_certificate", "ca_bundle")
_KEYS = (
    (f"{_SYMBOLS}.access_key", f"{_CRASHES}.access_key"),
    ("secrets.symbols.secret_access_key", "secrets.boto.secret_access_key"),
)


def with_symbols_beside_crashes(sources: Sequence[Source]) -> list[Source]:
    """Return the sources, and before them, so that each goes over it, one with what the symbols' bucket is not told."""
    return [Source(dict(_borrowed(sources))), *sources]


def _borrowed(sources: Sequence[Source]) -> Iterator[tuple[str, Any]]:
    own, crashes = (_last(sources, f"{section}.{_ENDPOINT}") for section in (_SYMBOLS, _CRASHES))
    if own is not None and own != (crashes or ""):
        return
    pairs = [(f"{_SYMBOLS}.{name}", f"{_CRASHES}.{name}") for name in (_ENDPOINT, *_SERVER)]
    # One key with the secret of another opens nothing.
    if all(_last(sources, key) is None for key, _ in _KEYS):
        pairs += _KEYS
    for key, lender in pairs:
        if _last(sources, key) is None and (value := _last(sources, lender)) is not None:
            yield key, value


def _last(sources: Sequence[Source], key: str) -> Any:
    """Return the value of the last source that sets it; None if none does."""
    return next((source[key] for source in reversed(sources) if key in source), None)
