"""Make HTML from the packaged templates, in which text from a crash stays text.

    pages = Pages()
    html = pages.render("message.html", title="Not found", words=["There is no such crash."])

Every value is escaped, and a character that cannot be seen, or that changes the direction of writing, is shown as its
code. A name that a template does not get is an error, not an empty place.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup, escape

from socorro_processor import __version__
from socorro_processor.untrusted import plain
from socorro_processor.web.pages.line_breaks import breakable
from socorro_processor.web.pages.moments import moment_text, with_moments
from socorro_processor.web.pages.notices import Notice
from socorro_processor.web.pages.symbols_address import symbols_address
from socorro_processor.web.pages.viewer import Viewer

_PACKAGE = "socorro_processor.web"
_STATIC = "static"
STATIC_TYPES = {
    "icon.svg": "image/svg+xml",
    "page.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
}
"""The files that pages load, with their content types."""
_IN_BACKTICKS = re.compile(r"`([^`]+)`")


class NavigationItem(NamedTuple):
    """A page that every page links to."""

    title: str
    path: str
    template: str = ""
    """The template that makes it, by which the page knows itself."""


class Pages:
    """The templates. Threads may share it."""

    def __init__(
        self,
        navigation: Sequence[NavigationItem] = (),
        notices: Callable[[], Sequence[Notice]] = tuple,
    ) -> None:
        """``navigation``: the pages that there are, in order; ``notices`` returns what every page says now."""
        self._viewer = Viewer()
        self._environment = Environment(
            loader=PackageLoader(_PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            sentence=sentence, breakable=breakable, moment=moment_text, with_moments=with_moments
        )
        self._environment.globals.update(
            navigation=tuple(navigation),
            notices=notices,
            version=__version__,
            static={name: static_path(name) for name in STATIC_TYPES},
            symbols_address=symbols_address,
        )

    def seen_by(self, viewer: Viewer) -> Pages:
        """Return the same templates for a viewer, whose name stands at the top of each page."""
        pages = copy.copy(self)
        pages._viewer = viewer
        return pages

    def render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(template=template, **{"viewer": self._viewer, **values})


def sentence(text: str) -> Markup:
    """Return a message as a sentence of a page, with what it has in backticks as code.

    The style sheet gives it a capital: messages begin with a small letter, because logs and terminals write something
    before them.
    """
    words = _IN_BACKTICKS.sub(r"<code>\1</code>", str(escape(plain(text))))
    return Markup(f'<span class="sentence">{words}</span>')  # nosec B704


def static_path(name: str) -> str:
    """Return the address of a static file, which changes with its content: a browser may keep it for ever."""
    return f"/{_STATIC}/{name}?{hashlib.sha256(static_file(name)).hexdigest()[:12]}"


def static_file(name: str) -> bytes:
    """Return the content of one of STATIC_TYPES."""
    return files(_PACKAGE).joinpath(_STATIC, name).read_bytes()


def _visible(value: object) -> object:
    """Return a value as a template writes it: HTML as it is, anything else as text, which is then escaped."""
    if isinstance(value, Markup):
        return value
    # The text of a name that the template did not get is an error.
    return plain(str(value) if isinstance(value, Undefined) else value)
