"""docs/failures.rst and docs/upgrading.rst quote messages of the code."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs" / "failures.rst").read_text()
_LEVEL = re.compile(r"^(?:INFO|WARNING|ERROR|CRITICAL) ")


def quoted() -> Iterator[str]:
    """The lines of literal blocks: those below a line that ends in two colons, further indented."""
    indent: int | None = None
    for line in PAGE.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if indent is not None and depth > indent:
            yield line.strip()
        else:
            indent = depth if line.endswith("::") else None


MESSAGES = sorted(set(quoted()))


UPGRADING = (REPOSITORY / "docs" / "upgrading.rst").read_text()
MESSAGES_OF_TODAY = re.findall(r"^     - ``(.+?)``", UPGRADING.partition("Messages\n===")[2], re.MULTILINE)


def texts(node: ast.AST) -> Iterator[str]:
    """Yield all texts in a module, with NUL in place of inserted values."""
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in each.values)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield re.sub(r"%[-.\d]*[sdgr]", "\0", each.value)


@pytest.fixture(scope="module")
def said() -> list[str]:
    sources = (REPOSITORY / "socorro_processor").rglob("*.py")
    return [text for source in sources for text in texts(ast.parse(source.read_text()))]


def test_many_messages_are_quoted():
    assert len(MESSAGES) > 50


@pytest.mark.parametrize("message", MESSAGES)
def test_each_quoted_message_is_in_the_code(message, said):
    # After a colon or comma another message may follow, and numbers may be inserted.
    parts = [part.strip(" :") for part in re.split(r"\.\.\.|: |, |\b[0-9]+\b", _LEVEL.sub("", message))]
    parts = [part for part in parts if len(part) > 3]
    assert parts
    assert [part for part in parts if not any(part in text for text in said)] == []


def test_new_messages_are_listed_for_upgrades():
    assert len(MESSAGES_OF_TODAY) > 10


@pytest.mark.parametrize("message", MESSAGES_OF_TODAY)
def test_each_message_that_an_upgrade_brings_is_in_the_code(message, said):
    parts = [part.strip(" :") for part in re.split(r"\.\.\.|[:,;'] ?|\b[0-9]+\b|cannot ", message)]
    parts = [part for part in parts if len(part) > 3]
    assert parts
    assert [part for part in parts if not any(part in text for text in said)] == []


@pytest.mark.parametrize("metric", sorted(set(re.findall(r"``(crash\.\w+)``", PAGE))))
def test_each_metric_that_is_named_is_counted(metric, said):
    assert metric in said
