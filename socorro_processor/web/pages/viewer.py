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
    """Empty if it is not known."""
    known_by: str = ""
    """How it is known: the id of a token, or the proxy. Two viewers may have one name."""
    csrf_token: str = ""
    """For the forms of the page."""

    @property
    def whole_name(self) -> str:
        """The name and how it is known, for the audit log; empty if it is not known."""
        return f"{self.name} ({self.known_by})" if self.known_by else self.name

    @property
    def may_everything(self) -> bool:
        return self.permissions == EVERYTHING

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
    """Return who did something on a page, for the audit log; ``viewer`` is its whole name, or empty."""
    return {"page": page, **({"viewer": viewer} if viewer else {})}


def viewer_of(request: Request) -> Viewer:
    """Return the viewer that the gate has found, with the token for the forms of its page."""
    return replace(sharing_viewer_of(request), csrf_token=getattr(request.state, "csrf_token", ""))


def sharing_viewer_of(request: Request) -> Viewer:
    """Return the viewer that the gate has found, for a page that others may get, too: it has no token for forms."""
    viewer: Viewer = request.state.viewer
    return viewer
