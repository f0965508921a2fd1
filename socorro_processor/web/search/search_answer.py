"""The answer to the address of a search, also to one that was typed and is written in another form from then on."""

from __future__ import annotations

from socorro_processor.errors import CrashStorageError, QueryError, SocorroError
from socorro_processor.web.pages.address import Address, read_address
from socorro_processor.web.pages.answer import Answer, failure_page
from socorro_processor.web.pages.index_away import index_away_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.search.search_line import address_of_typed, is_typed, without_typed
from socorro_processor.web.search.search_page import search_page

PATH = "/search"


def search_answer(pages: Pages, sources: SearchSources, query: bytes, viewer: Viewer) -> Answer:
    """Return the page, or where it is."""
    address, line, problem = Address(PATH), "", ""
    try:
        address = read_address(PATH, query)
        if is_typed(address):
            return Answer(303, "", address_of_typed(address))
    except QueryError as error:
        line, problem = address.one("line"), str(error)
        address = without_typed(address)
    try:
        return search_page(pages, sources, address, viewer, line=line, problem=problem)
    except CrashStorageError as error:
        return index_away_page(pages, sources, error)
    except SocorroError as error:
        return failure_page(pages, error)
