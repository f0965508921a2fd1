"""The facts of a crash lead to the crashes that share them."""

from __future__ import annotations

import pytest

from socorro_processor.search.filters import Filter
from socorro_processor.web.pages.address import read_address, signature_address
from tests.unit.cli.reports import frame, processed
from tests.unit.web.crash_pages import page_of
from tests.unit.web.html_tree import Element


def page(**fields: object) -> Element:
    return page_of(processed(frame(function="f", module="libcodec.so"), **fields), {}, signature_path=signature_address)


def links(element: Element) -> dict[str, tuple[Filter, ...]]:
    """Return the filters to which each text leads."""
    found = {}
    for link in element.all("a"):
        path, _, query = link.attributes["href"].partition("?")
        assert path == "/search"
        address = read_address(path, query.encode())
        assert address.parameters == {"days": ("90",)}
        found[link.text] = address.filters
    return found


def facts(page: Element) -> Element:
    return page.one("div", class_="facts")


def test_product_version_channel_system_and_reason_lead_to_crashes_that_share_them() -> None:
    product = Filter("product", "is", ("Player",))
    assert links(facts(page(process_type="gpu"))) == {
        "Player": (product,),
        "3.2": (product, Filter("version", "is", ("3.2",))),
        "beta": (product, Filter("release_channel", "is", ("beta",))),
        "gpu": (Filter("process_type", "is", ("gpu",)),),
        "Linux": (Filter("os_name", "is", ("Linux",)),),
        "4.8": (Filter("os_name", "is", ("Linux",)), Filter("os_version", "is", ("4.8",))),
        "SIGSEGV": (Filter("reason", "is", ("SIGSEGV",)),),
    }


def test_facts_say_the_same_with_links_and_without() -> None:
    crash = processed(frame(function="f"))
    assert facts(page()).text == facts(page_of(crash, {})).text
    assert facts(page_of(crash, {})).all("a") == []


@pytest.mark.parametrize("field", ["product", "version", "os_name", "reason"])
@pytest.mark.parametrize("value", ["a\0b", "\u202eevil", "x" * 3000, " padded", 17, ["a list"], None])
def test_a_value_that_no_filter_has_is_text_alone(field: str, value: object) -> None:
    shown = links(facts(page(**{field: value})))
    assert not any(each.field == field for filters in shown.values() for each in filters if each == filters[-1])


def test_markup_in_a_fact_stays_text_and_its_link_finds_it() -> None:
    reason = '"><script>alert(1)</script>&reason=x'
    assert links(facts(page(reason=reason)))[reason] == (Filter("reason", "is", (reason,)),)


def test_a_module_leads_to_crashes_with_it_only_if_it_is_in_the_stack() -> None:
    modules = page(modules_in_stack="libcodec.so/AB1;other/1").one("table", class_="modules").one("tbody")
    heads = [row.one("th") for row in modules.all("tr")]
    assert [links(each) for each in heads] == [
        {"libcodec.so": (Filter("module", "contains", ("libcodec.so/",)),)},
        {},
        {},
    ]
