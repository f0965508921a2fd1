"""The contract of slicing: the stackwalker's JSON is the same, byte for byte, with and without it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.symbols.index_store import IndexStore
from tests.equality.equality import compare_random, comparison, index_all
from tests.equality.random_crashes import random_crash
from tests.shared import SAMPLES, shared, stackwalker

PAIRS = 300


@given(st.randoms(use_true_random=True))
@settings(max_examples=PAIRS, suppress_health_check=list(HealthCheck))
def test_random_symbols_and_stacks_walk_the_same(tmp_path_factory, random):
    result, _ = compare_random(random_crash(random), str(stackwalker()), tmp_path_factory.mktemp("crash"))
    # A frame at an address that only a calculation leads to is seen by the check of every crash.
    assert result != "different"


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    return IndexStore(str(tmp_path_factory.mktemp("indexes")))


@pytest.mark.parametrize("of", ["samples", "shared"])
def test_real_crashes_walk_the_same(of, indexes, tmp_path):
    crashes, symbols = (SAMPLES, SAMPLES / "symbols") if of == "samples" else (shared("crashes"), shared("symbols"))
    walker = str(stackwalker())
    index_all(walker, symbols, indexes)
    dumps = sorted(crashes.glob("*/upload_file_minidump.dmp"))
    results = {
        dump.parent.name: comparison(walker, dump, symbols, indexes, Path(tmp_path, dump.parent.name))[0]
        for dump in dumps
    }
    assert results
    assert {name: result for name, result in results.items() if not result.startswith("same")} == {}
    assert list(results.values()).count("same") >= 2
