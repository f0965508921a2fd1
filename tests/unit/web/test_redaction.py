"""No page, and no other form of it, shows what is protected to a viewer who sees public fields only."""

import os
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.fields import FieldTable
from socorro_processor.fields.table import FIELDS
from socorro_processor.testing.sample_crashes import sample_crashes
from tests.asgi import ask
from tests.unit.web.whole_site import WholeSite, whole_site

CRASHES = int(os.environ.get("REDACTED_CRASHES", "30"))
MARK = "plantedmark"
"""It begins each protected value, and nothing else."""
FORMS = ("", ".txt", ".md", ".json", "/raw.json")
LISTS = ("/", "/search", "/search.csv", "/search.json", "/compare", "/signature?signature={signature}", "/symbols")
PROTECTED = [field for field in FIELDS if field.is_protected]


def planted(number: int, name: str) -> str:
    return f"{MARK}{number} <b>{name}</b> \u202e"


def plant(crash: dict[str, Any], path: list[str], value: Any) -> None:
    """Set what a path leads to, at the first index of each list, whatever was there."""
    name, *rest = path
    if not rest:
        crash[name] = value
    elif rest[0] == "*":
        items = crash.get(name)
        if not isinstance(items, list) or not items or not isinstance(items[0], dict):
            items = crash[name] = [{}]
        if len(rest) == 1:
            crash[name] = [value]
        else:
            plant(items[0], rest[1:], value)
    else:
        if not isinstance(crash.get(name), dict):
            crash[name] = {}
        plant(crash[name], rest, value)


def hostile(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a raw and a processed crash whose protected values all begin with MARK."""
    samples = sorted(sample_crashes().items())
    crash = deepcopy(samples[number % len(samples)][1])
    raw, processed = dict(crash.raw), dict(crash.processed)
    table = FieldTable()
    for field in PROTECTED:
        value = planted(number, field.name)
        shape: Any = {"object": {value: value}, "array": [value]}.get(field.type, value)
        plant(processed, field.name.split("."), shape)
        if field.json_dump:
            plant(processed, ["json_dump", *field.json_dump.split(".")], shape)
    for name in (*sorted(table.protected_annotations), "AnAnnotationOfNobody", f"Odd<b>{number}"):
        raw[name] = planted(number, name)
    if number % 2 == 0:
        # Without an algorithm, a crash is one of 2015.
        processed["processing"] = {**processed["processing"], "algorithm": 2026}
    processed["uuid"] = raw["uuid"] = new_crash_id()
    return raw, processed


@pytest.fixture(scope="module")
def crashes() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [hostile(number) for number in range(CRASHES)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, crashes) -> Iterator[WholeSite]:
    with whole_site(tmp_path_factory.mktemp("site"), crashes) as site:
        yield site


def answer_to(site: WholeSite, path: str, permissions: set[str]) -> tuple[int, str]:
    token = site.tokens.add("somebody", permissions, None)
    answer = ask(site.app, path, headers={"Authorization": f"Bearer {token}"})
    site.tokens.remove(token.split("_")[1])
    return answer.status, answer.body.decode("utf-8", "replace")


def shown(text: str) -> list[str]:
    """Return where an answer has a mark, with what is around it."""
    return [text[max(0, found.start() - 60) : found.end() + 60] for found in re.finditer(MARK, text, re.IGNORECASE)]


def test_each_protected_field_is_planted_and_seen_by_who_may(site, crashes):
    raw, processed = crashes[0]
    status, text = answer_to(site, f"/report/{processed['uuid']}.json", {"public", "protected"})
    assert status == 200
    missing = [field.name for field in PROTECTED if not field.is_part and f"<b>{field.name}</b>" not in text]
    assert missing == []
    _, text = answer_to(site, f"/report/{processed['uuid']}/raw.json", {"public", "protected"})
    assert text.count(MARK) == sum(MARK in str(value) for value in raw.values())


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_report_shows_what_is_protected(site, crashes, form):
    for _, processed in crashes:
        status, text = answer_to(site, f"/report/{processed['uuid']}{form}", {"public"})
        assert (status, shown(text)) == (200, [])


@pytest.mark.parametrize("path", LISTS)
def test_no_list_shows_what_is_protected(site, crashes, path):
    for signature in {processed["signature"] for _, processed in crashes}:
        status, text = answer_to(site, path.replace("{signature}", quote(signature)), {"public"})
        assert (status, shown(text)) == (200, [])


@pytest.mark.parametrize("name", [field.name for field in PROTECTED if not field.is_part])
def test_a_protected_field_can_be_neither_listed_nor_counted_nor_searched_nor_sorted_by(site, name):
    for query in (f"columns=product,{name}", f"facet={name}", f"{name}~{MARK}", f"{name}={MARK}", f"sort={name}"):
        for path in ("/search", "/search.csv", "/search.json"):
            status, text = answer_to(site, f"{path}?{query}", {"public"})
            # The page says again what was asked for; nothing else has the mark.
            assert shown(re.sub(rf"{MARK}(?!\d)", "", text)) == []
            assert status in (200, 400)
            if path == "/search.json" and status == 200:
                assert name not in text.partition('"crashes"')[2]
