"""docs/security.rst: each guard has a test that shows it, and each download has a hash."""

import re
import tomllib

import pytest

from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.rst").read_text()
NAMED = sorted(set(re.findall(r"``(test_\w+)``", PAGE)))


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of all tests."""
    files = [*REPOSITORY.glob("tests/**/test_*.py"), *REPOSITORY.glob("socorro_processor/testing/*.py")]
    sources = [path.read_text() for path in files]
    return {name for source in sources for name in re.findall(r"^ *def (test_\w+)\(", source, re.MULTILINE)}


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_the_page_names_exists(name, tests):
    assert name in tests


def test_each_threat_has_a_test():
    _, *rows = PAGE.partition("list-table::")[2].partition("A sandbox for")[0].split("    * - ")
    assert len(rows) > 20
    assert [row for row in rows[1:] if "``test_" not in row] == []


@pytest.mark.parametrize(
    "file", ["requirements.txt", "requirements-dev.txt", "requirements-fuzz.txt", "requirements-stackwalker-wheel.txt"]
)
def test_every_requirement_has_its_hash(file):
    requirements = re.split(r"\n(?=\S)", (REPOSITORY / file).read_text().replace("\\\n", ""))
    requirements = [each for each in requirements if each.strip() and not each.startswith("#")]
    assert requirements
    assert [each for each in requirements if "==" not in each or "--hash=sha256:" not in each] == []


@pytest.mark.parametrize("directory", ["stackwalker", "samples/src", "samples/crash-guard"])
def test_every_crate_has_its_checksum_and_is_of_the_public_index(directory):
    packages = tomllib.loads((REPOSITORY / directory / "Cargo.lock").read_text())["package"]
    crates = [each for each in packages if "source" in each]
    assert len(packages) - len(crates) <= 2, "what has no source is the project's own"
    assert [each for each in crates if not each["source"].endswith("/rust-lang/crates.io-index")] == []
    assert [each for each in crates if len(each["checksum"]) != 64] == []
