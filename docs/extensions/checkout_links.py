"""Links of files at the top of the repository, which lead to ``docs/PAGE.rst`` there, lead to that page here."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

_PAGE = re.compile(r"docs/([\w/-]+)\.rst")

logger = logging.getLogger(__name__)


def _resolve(app: Sphinx, tree: nodes.document, name: str) -> None:
    for link in tree.findall(nodes.reference):
        if found := _PAGE.fullmatch(link.get("refuri", "")):
            if found[1] not in app.env.found_docs:
                logger.warning("no page %s", found[0], location=link)
            link["refuri"] = app.builder.get_relative_uri(name, found[1])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-resolved", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
