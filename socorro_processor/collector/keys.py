"""Keys that clients send: some may choose crash ids, and some products take crashes only with a key."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping


def is_one_of(key: str, keys: Iterable[str]) -> bool:
    """Return True if ``key`` is one of ``keys``. The time that it takes does not tell how much of it is right."""
    sent = key.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(sent, each.encode("utf-8", "surrogatepass")) for each in keys]
    return bool(sent) and True in matches


def read_product_keys(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read a JSON object of products and their keys. Raises ValueError, which shows no key."""
    expected = 'a JSON object of products and lists of keys, such as {"Browser": ["secret"]}'
    try:
        table = json.loads(text or "{}")
    except ValueError:
        raise ValueError(expected) from None
    if not isinstance(table, dict):
        raise ValueError(expected)
    for keys in table.values():
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
            raise ValueError(expected)
    return {product: tuple(keys) for product, keys in table.items()}
