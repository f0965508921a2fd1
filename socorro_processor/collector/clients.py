"""Recognise the program that sent an upload, for notes and metrics alone: nothing is taken or refused by it."""

from __future__ import annotations

from collections.abc import Collection

CLIENTS = ("firefox", "sentry", "electron", "crashpad", "breakpad-windows", "breakpad-macos", "breakpad-linux", "curl")
"""The names of clients that are known."""


def client_of(
    annotations: Collection[str], query: Collection[str], *, user_agent: str, report_id: str, has_extra: bool
) -> str:
    """Return one of CLIENTS; empty if nothing tells.

    ``annotations`` and ``query`` are names; ``has_extra``: annotations came as JSON.
    """
    agent = user_agent.lower()
    if "sentry_key" in query or "sentry[release]" in annotations:
        return "sentry"
    if "_productName" in annotations or ("process_type" in annotations and "platform" in annotations):
        return "electron"
    if report_id:
        return "crashpad"
    if has_extra:
        return "firefox"
    if agent.startswith("breakpad/1.0 (windows"):
        return "breakpad-windows"
    if "comments_" in annotations:
        return "breakpad-linux"
    if "cfnetwork" in agent or "darwin" in agent:
        return "breakpad-macos"
    if agent.startswith("curl/"):
        return "curl"
    return ""
