"""The pages that every page links to, in order."""

from __future__ import annotations

from socorro_processor.web.pages.rendering import NavigationItem

NAVIGATION = (
    NavigationItem("Top crashes", "/", "top.html"),
    NavigationItem("Compare", "/compare", "compare.html"),
    NavigationItem("Search", "/search", "search.html"),
    NavigationItem("Symbols", "/symbols", "symbols.html"),
    NavigationItem("Queues", "/queues", "queues.html"),
    NavigationItem("Refused", "/refused", "refused.html"),
)
