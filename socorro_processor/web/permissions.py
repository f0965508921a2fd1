"""Permissions: what a viewer of the server may see and do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Permission = Literal["public", "protected", "dumps", "actions", "uploads"]

PERMISSIONS: Mapping[Permission, str] = {
    "public": "see pages, without protected fields",
    "protected": "see protected fields, such as comments of users and their addresses",
    "dumps": "download minidumps and attachments",
    "actions": "process crashes again, put back or reject those in the queues",
    "uploads": "add symbols",
}
"""The permissions, with a line for people. None includes another."""

EVERYTHING = frozenset(PERMISSIONS)


def read_permissions(words: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions that are named; ``all`` stands for each of them. Raises ValueError."""
    known = get_args(Permission)
    found: set[Permission] = set()
    for word in words:
        if word == "all":
            found |= EVERYTHING
        elif word in known:
            found.add(word)  # type: ignore[arg-type]
        else:
            raise ValueError(f"{word[:50]!r} is not a permission: they are {', '.join(known)}, and all")
    return frozenset(found)


def in_order(permissions: Iterable[Permission]) -> list[Permission]:
    """Return the permissions in the order of the table."""
    held = set(permissions)
    return [each for each in PERMISSIONS if each in held]
