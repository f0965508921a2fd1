"""The places of symbols in configurations, examples and pages: where the units may write, and no cache in a directory
that people maintain by hand."""

import re
from pathlib import Path

import pytest

from tests.shared import REPOSITORY

FILES = sorted(
    path
    for pattern in ("config/*.ini", "deploy/*", "docs/**/*.rst", "README.rst", "config/systemd/*.conf")
    for path in REPOSITORY.glob(pattern)
    if "_build" not in path.parts
)
_SETTING = r"\b{}\s*=\s*([\w./-]+(?:\s*,\s*[\w./-]+)*)"


def set_in(path: Path, option: str) -> list[Path]:
    """Return the values of an option there, in comments too."""
    values = re.findall(_SETTING.format(option), path.read_text())
    return [Path(each.strip()) for value in values for each in value.split(",") if each.strip()]


def writable() -> Path:
    """The directory that the units may write to."""
    unit = (REPOSITORY / "config" / "systemd" / "common.conf").read_text()
    return Path("/var/lib", re.search(r"^StateDirectory=(.+)$", unit, re.MULTILINE)[1])


def test_the_examples_are_found():
    found = {
        option: [path.name for path in FILES if set_in(path, option)]
        for option in ("symbol_cache_path", "symbols_path")
    }
    assert {"processor.ini", "processor-production.ini", "kubernetes.yaml", "symbols.rst"} <= set(
        found["symbol_cache_path"]
    )
    assert {"processor.ini", "processor-production.ini"} <= set(found["symbols_path"])


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_an_example_has_its_symbol_cache_where_the_units_may_write(file):
    for option in ("symbol_cache_path", "symbol_index_path", "state_path", "staging_path"):
        for path in set_in(file, option):
            # A relative path is in the working directory, which is the same.
            beside = (writable() / path).parent
            assert beside.is_relative_to(writable()), path


def test_no_example_has_its_symbol_cache_where_symbols_are_kept_by_hand():
    caches = {writable() / path for file in FILES for path in set_in(file, "symbol_cache_path")}
    kept = {writable() / path for file in FILES for path in set_in(file, "symbols_path")}
    assert len(caches) >= 2
    assert len(kept) >= 2
    assert not [
        (cache, path) for cache in caches for path in kept if path.is_relative_to(cache) or cache.is_relative_to(path)
    ]
