"""Whoever asks for a page, and may see some of what it could show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Viewer:
    """The permissions of whoever asks for a page."""

    sees_protected: bool = False
    gets_dumps: bool = False
    reprocesses: bool = False
    csrf_token: str = ""
    """For the forms of the page."""
