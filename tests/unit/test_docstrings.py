import ast
import re
from collections.abc import Iterator

import pytest

from tests.shared import REPOSITORY

PLACES = ("socorro_processor", "bin/servers", "benchmarks", "tests")
VAGUE = re.compile(r"(What|Whether|Those|Of)\b")


def docstrings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a module, its classes, functions and variables, each with its line number."""
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for former, statement in zip([None, *body], body, strict=False):
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if is_text and (former is None or isinstance(former, ast.Assign | ast.AnnAssign)):
                yield statement.lineno, str(statement.value.value)


def vague_docstrings(source: str) -> list[str]:
    return [f"{line}: {text.splitlines()[0]}" for line, text in docstrings(ast.parse(source)) if VAGUE.match(text)]


@pytest.mark.parametrize("place", PLACES)
def test_no_docstring_begins_with_what_whether_those_or_of(place: str) -> None:
    files = sorted(REPOSITORY.joinpath(place).rglob("*.py"))
    assert files
    assert [
        f"{path.relative_to(REPOSITORY)}:{each}" for path in files for each in vague_docstrings(path.read_text())
    ] == []


SOURCE = '''
"""Whether it is a module."""
class Class:
    """What it is."""
    NUMBER: int = 1
    """Those of the numbers."""
    def method(self):
        """Of many.

        More.
        """
        text = "Whether"
    async def other(self):
        """Whatever it is, it is not Whether."""
'''


def test_docstrings_of_modules_classes_functions_and_variables_are_checked() -> None:
    assert vague_docstrings(SOURCE) == [
        "2: Whether it is a module.",
        "4: What it is.",
        "6: Those of the numbers.",
        "8: Of many.",
    ]
