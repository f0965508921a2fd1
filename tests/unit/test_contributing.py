"""``CONTRIBUTING.rst`` names only files, tests and pages that exist."""

import re

from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "CONTRIBUTING.rst").read_text()
PACKAGE = REPOSITORY / "socorro_processor"
MADE = {".venv/.installed-for-tests", ".local"}


def section(title: str) -> str:
    return re.search(rf"^{title}\n=+\n((?:.*\n)*?)(?=\n.+\n=+\n|\Z)", PAGE, re.MULTILINE)[1]


def test_the_files_to_read_exist():
    named = re.findall(r"^#\. ``(\S+)``", section("Read these files in this order"), re.MULTILINE)
    assert len(named) >= 15
    assert [name for name in named if not ((PACKAGE / name).is_file() or (REPOSITORY / name).is_file())] == []


def test_every_named_file_and_directory_exists():
    named = {text for text in re.findall(r"``([\w.*/-]+/[\w.*-]+)``", PAGE) if text not in MADE}
    assert len(named) > 30
    roots = (REPOSITORY, PACKAGE)
    assert sorted(name for name in named if not any(list(root.glob(name)) for root in roots)) == []


def test_every_linked_page_exists():
    pages = re.findall(r"<(\S+)>`_", PAGE)
    assert pages
    assert [page for page in pages if not (REPOSITORY / page).is_file()] == []


def test_each_layer_of_tests_is_listed():
    listed = set(re.findall(r"^   \* - ``tests/(\w+)``", PAGE, re.MULTILINE))
    there = {path.name for path in (REPOSITORY / "tests").iterdir() if path.is_dir() and list(path.rglob("test_*.py"))}
    assert listed == there


def test_every_named_make_target_exists():
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"``make ([a-z-]+)", PAGE)) | set(re.findall(r"^    make ([a-z-]+)", PAGE, re.MULTILINE))
    assert len(named) >= 7
    assert named <= targets
