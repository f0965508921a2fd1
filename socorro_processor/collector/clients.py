"""Recognise the program that sent an upload, for notes and metrics alone: nothing is taken or refused by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

CLIENTS = ("firefox", "sentry", "electron", "crashpad", "breakpad-windows", "breakpad-macos", "breakpad-linux", "curl")
"""The names of clients that are known."""

_AGENTS: Mapping[str, str] = {
    "crashpad/": "crashpad",
    "breakpad/1.0 (windows": "breakpad-windows",
    "breakpad/1.0 (linux": "breakpad-linux",
    "curl/": "curl",
}
"""The clients by how their User-Agent begins, in small letters."""


def client_of(
    annotations: Collection[str], *, user_agent: str, report_id: str, has_extra: bool, has_sentry_key: bool
) -> str:
    """Return one of CLIENTS; empty if nothing tells.

    ``annotations`` are names; ``has_extra``: annotations came as JSON; ``has_sentry_key``: a key came as clients of
    Sentry send it. What is built on Crashpad or Breakpad comes before these; the name of the dump's file comes last,
    because Breakpad and Firefox give it an id too.
    """
    agent = user_agent.lower()
    if has_sentry_key or "sentry[release]" in annotations:
        return "sentry"
    if "_productName" in annotations or ("process_type" in annotations and "platform" in annotations):
        return "electron"
    if has_extra:
        return "firefox"
    if by_agent := next((client for beginning, client in _AGENTS.items() if agent.startswith(beginning)), ""):
        return by_agent
    if "comments_" in annotations:
        return "breakpad-linux"
    if report_id:
        return "crashpad"
    return "breakpad-macos" if "cfnetwork" in agent or "darwin" in agent else ""
