"""Whoever asks for a page, and may see some of what it could show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.requests import Request

from socorro_processor.web.permissions import EVERYTHING, Permission

NOBODY = ""


@dataclass(frozen=True)
class Viewer:
    """A person or a program, and its permissions."""

    permissions: frozenset[Permission] = frozenset({"public"})
    name: str = NOBODY
    """For the audit log; empty if it is not known."""
    csrf_token: str = ""
    """For the forms of the page."""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def sees_protected(self) -> bool:
        return self.may("protected")

    @property
    def gets_dumps(self) -> bool:
        return self.may("dumps")

    @property
    def acts(self) -> bool:
        return self.may("actions")

    @property
    def uploads(self) -> bool:
        return self.may("uploads")


ALL = Viewer(EVERYTHING)
"""The viewer for whom everything is open."""


def audit_fields(page: str, viewer: str) -> dict[str, str]:
    """Return who did something on a page, for the audit log; ``viewer`` is a name, or empty."""
    return {"page": page, **({"viewer": viewer} if viewer else {})}


def viewer_of(request: Request) -> Viewer:
    """Return the viewer that the gate has found."""
    viewer: Viewer = request.state.viewer
    return replace(viewer, csrf_token=getattr(request.state, "csrf_token", ""))
