"""Indexes are built in the background, and again where they could not be."""

import shutil

import pytest

from socorro_processor.metrics import METRICS
from socorro_processor.symbols.index_builder import IndexBuilder
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from tests.shared import SAMPLES, stackwalker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def builder(clock):
    builder = IndexBuilder(IndexStore(), clock)
    yield builder
    builder.close()


@pytest.fixture
def file(tmp_path):
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    (path,) = (tmp_path / "symbols").rglob("lightbox.sym")
    return SymbolFile(tmp_path / "symbols", str(path.relative_to(tmp_path / "symbols")))


def built() -> int:
    return METRICS.snapshot().counter("symbols.indexed")


def failed() -> int:
    return METRICS.snapshot().counter("symbols.index_failed")


def test_one_that_could_not_be_built_is_tried_again_after_a_while(builder, file, clock):
    built_before, failed_before = built(), failed()
    builder.want(file, "/no/such/stackwalker", "0.25.0")
    builder.wait()
    assert failed() == failed_before + 1
    builder.want(file, str(stackwalker()), "0.25.0")
    builder.wait()
    assert built() == built_before
    clock.now = 1_000.0
    builder.want(file, str(stackwalker()), "0.25.0")
    builder.wait()
    assert built() == built_before + 1


def test_one_that_could_not_be_built_is_tried_again_at_once_where_the_file_is_another(builder, file):
    before = built()
    builder.want(file, "/no/such/stackwalker", "0.25.0")
    builder.wait()
    content = file.path.read_bytes()
    file.path.unlink()
    file.path.write_bytes(content)
    builder.want(file, str(stackwalker()), "0.25.0")
    builder.wait()
    assert built() == before + 1


def test_a_fault_of_the_builder_costs_one_index_and_not_all_that_follow(builder, file, monkeypatch, caplog):
    before = built()
    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", _no_memory)
        builder.want(file, str(stackwalker()), "0.25.0")
        builder.wait()
    assert "MemoryError" in caplog.text
    builder.want(file, str(stackwalker()), "0.25.0")
    builder.wait()
    assert built() == before + 1


def _no_memory(*_, **__):
    raise MemoryError
