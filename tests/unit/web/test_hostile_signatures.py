"""Crashes with any content on the page of their signature: none breaks it, or puts markup into it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.crashstorage.indexed_crash import LONGEST_SIGNATURE, clean_text
from socorro_processor.web.pages.address import LONGEST_ADDRESS, signature_address
from tests.unit.cli.test_hostile_reports import SPOILERS
from tests.unit.web.html_tree import read_html
from tests.unit.web.signature_crashes import TODAY, crashes_in, figures
from tests.unit.web.test_hostile_pages import MARKUP

FIELDS = (
    *("product", "version", "release_channel", "os_name", "os_pretty_version", "reason", "address", "cpu_arch"),
    *("process_type", "proto_signature", "modules_in_stack", "user_comments", "uptime", "startup_crash"),
)
ELEMENTS = re.compile(
    "a|body|button|caption|code|dd|details|div|dl|dt|figcaption|figure|footer|form|g|h[123]|head|header|html|input|label"
    "|li|link|main|meta|nav|ol|option|p|path|rect|script|section|select|small|span|summary|svg|table|tbody|td|th|thead"
    "|title|tr|ul|wbr"
)
ATTRIBUTES = re.compile(
    "action|aria-(?:label|hidden|current)|charset|class|content|d|defer|height|href|id|lang|method|name|"
    "preserveaspectratio|rel|role|rx|scope|selected|src|start|title|type|value|viewbox|width|x|y"
)


def assert_harmless(html: str) -> None:
    assert all(line.isprintable() for line in html.split("\n"))
    html.encode()
    for each in read_html(html).walk():
        assert ELEMENTS.fullmatch(each.tag), each.tag
        assert all(map(ATTRIBUTES.fullmatch, each.attributes)), each.attributes
        for name in ("href", "src", "action"):
            assert re.match(r"[/#](?!/)", each.attributes.get(name, "/")), each.attributes
        if each.tag == "script":
            assert each.content == []


@pytest.mark.parametrize("text", [*MARKUP, *(each for each in SPOILERS if isinstance(each, str))], ids=ascii)
def test_a_hostile_text_stays_text_wherever_it_is(tmp_path: Path, text: str):
    text = text[:100_000]
    with crashes_in(tmp_path / "search") as crashes:
        crashes.save(signature=f"sig {text}", **dict.fromkeys(FIELDS, text))
        crashes.save(TODAY - timedelta(days=1), signature=f"sig {text}")
        kept = clean_text(f"sig {text}")[:LONGEST_SIGNATURE]

        answer = crashes.answer(signature_address(kept).partition("?")[2])

    assert answer.status == 200
    assert_harmless(answer.html)
    assert figures(read_html(answer.html))["crashes"] == "2"
    # Links hold texts in percent-encoding, which is three times as long, or more.
    assert len(answer.html) < 1_000_000


def test_a_function_of_4000_characters_makes_a_page_of_a_bounded_size(tmp_path: Path):
    name = "void lightbox::" + "Thumbnail<" * 398 + "x"
    with crashes_in(tmp_path / "search") as crashes:
        for number in range(8):
            crashes.save(seconds=number, signature=name, proto_signature=f"{name} | {number}", reason=name)

        answer = crashes.answer(signature_address(name[:2000]).partition("?")[2])

    assert figures(read_html(answer.html))["crashes"] == "8"
    assert_harmless(answer.html)
    assert len(answer.html) < 300_000
    links = [each.attributes["href"] for each in read_html(answer.html).all("a")]
    assert max(map(len, links)) < LONGEST_ADDRESS


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=40),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=5), max_size=3),
    st.none(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)), min_size=1, max_size=4))
def test_crashes_with_any_values_have_a_page(tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]]):
    with crashes_in(tmp_path_factory.mktemp("search") / "index") as crashes:
        for each in made:
            crashes.save(**each)

        answer = crashes.answer()

    assert answer.status == 200
    assert_harmless(answer.html)
    assert figures(read_html(answer.html))["crashes"] == str(len(made))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_any_address_has_an_answer(tmp_path_factory: pytest.TempPathFactory, query: bytes, names_signature: bool):
    with crashes_in(tmp_path_factory.mktemp("search") / "index") as crashes:
        crashes.save()
        text = query.decode("latin-1").encode("ascii", "replace").decode()

        answer = crashes.answer(f"signature=render&{text}" if names_signature else text)

    assert answer.status in (200, 400, 404)
    assert_harmless(answer.html)
