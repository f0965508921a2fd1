"""JSON, in and out, that no stranger's input can break."""

from __future__ import annotations

from collections.abc import Callable

Note = Callable[[str], None]
"""Told, in words for the reader of a crash, what had to be mended or left out."""


def ignore(text: str) -> None:
    """The Note of those who need none."""
