"""Indexes are made in the background, and a failed one is tried again."""

import shutil

import pytest

from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.symbol_cache.index_builder import IndexBuilder
from socorro_processor.symbols.layout import SymbolFile
from tests.shared import SAMPLES, own_stackwalker

NOWHERE = "/no/such/stackwalker"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def builder(clock):
    builder = IndexBuilder(clock=clock)
    yield builder
    builder.close()


@pytest.fixture
def file(tmp_path):
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    (path,) = (tmp_path / "symbols").rglob("lightbox.sym")
    return SymbolFile(tmp_path / "symbols", str(path.relative_to(tmp_path / "symbols")))


def made() -> int:
    return METRICS.snapshot().counter("symbols.indexed")


def failed() -> int:
    return METRICS.snapshot().counter("symbols.index_failed")


def test_a_failed_index_is_tried_again_after_a_while(builder, file, clock):
    made_before, failed_before = made(), failed()
    builder.want(file, NOWHERE)
    builder.wait()
    assert failed() == failed_before + 1
    builder.want(file, str(own_stackwalker()))
    builder.wait()
    assert made() == made_before
    clock.now = 1_000.0
    builder.want(file, str(own_stackwalker()))
    builder.wait()
    assert made() == made_before + 1


def test_a_failed_index_is_tried_again_at_once_if_the_file_has_changed(builder, file):
    before = made()
    builder.want(file, NOWHERE)
    builder.wait()
    content = file.path.read_bytes()
    file.path.unlink()
    file.path.write_bytes(content)
    builder.want(file, str(own_stackwalker()))
    builder.wait()
    assert made() == before + 1


def test_a_bug_costs_one_index_and_none_that_follow(builder, file, monkeypatch, caplog):
    before = made()
    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", _no_memory)
        builder.want(file, str(own_stackwalker()))
        builder.wait()
    assert "MemoryError" in caplog.text
    builder.want(file, str(own_stackwalker()))
    builder.wait()
    assert made() == before + 1


def test_an_index_that_cannot_be_written_is_logged_once_for_a_store(tmp_path, file, caplog):
    (tmp_path / "symbols.index").write_text("in the way")
    builder = IndexBuilder()
    others = [SymbolFile(file.root, f"{number}/0/a.sym") for number in range(3)]
    for each in (file, *others):
        builder.want(each, str(own_stackwalker()))
    builder.wait()
    builder.close()
    assert caplog.text.count("set symbol_index_path to a directory that can") == 1


def _no_memory(*_, **__):
    raise MemoryError
