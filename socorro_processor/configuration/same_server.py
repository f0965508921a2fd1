"""Assume that the symbols' bucket is on the server of the crashes' bucket, unless the configuration says otherwise.

An option of ``resource.symbols.s3`` that no source sets has the value of the same option in ``resource.boto``, and the
secret in ``secrets.symbols`` that of ``secrets.boto``. This does not apply to the bucket's name, its prefix, and
timeouts. If ``resource.symbols.s3.endpoint_url`` names another server, nothing is copied.
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
    """Return the sources, preceded by a source with the copied values, which every other source overrides."""
    return [Source(dict(_copied_values(sources))), *sources]


def _copied_values(sources: Sequence[Source]) -> Iterator[tuple[str, Any]]:
    own, crashes = (_last(sources, f"{section}.{_ENDPOINT}") for section in (_SYMBOLS, _CRASHES))
    if own is not None and own != (crashes or ""):
        return
    pairs = [(f"{_SYMBOLS}.{name}", f"{_CRASHES}.{name}") for name in (_ENDPOINT, *_SERVER)]
    # An access key with the secret of another key is useless.
    if all(_last(sources, key) is None for key, _ in _KEYS):
        pairs += _KEYS
    for key, origin in pairs:
        if _last(sources, key) is None and (value := _last(sources, origin)) is not None:
            yield key, value


def _last(sources: Sequence[Source], key: str) -> Any:
    """Return the value of ``key`` in the last source that sets it; None if no source does."""
    return next((source[key] for source in reversed(sources) if key in source), None)
