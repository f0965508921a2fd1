"""Indexes beside a store of symbols, and requests for missing ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.breakpad import BreakpadStackwalkerRule2015
from socorro_processor.symbol_cache.directory import CacheDirectory
from socorro_processor.symbol_cache.index_directory import (
    IndexDirectory,
    IndexRequest,
    ask_the_manager,
    index_directory,
)
from tests.shared import SAMPLES, own_stackwalker

REQUEST = IndexRequest("a.pdb/0/a.sym", "/bin/walker")


@pytest.fixture
def managed(tmp_path):
    """A store of symbols with a lock on it, as its manager has."""
    directory = CacheDirectory(tmp_path / "cache")
    assert directory.lock()
    yield directory.path
    directory.close()


def requests(root):
    return list(IndexDirectory(index_directory(root)).requests())


def test_a_request_is_taken_once_however_often_it_was_made(managed):
    for _ in range(3):
        assert ask_the_manager(managed, index_directory(managed), REQUEST)
    assert requests(managed) == [REQUEST]
    assert requests(managed) == []


def test_without_a_manager_no_request_is_made(tmp_path):
    assert not ask_the_manager(tmp_path, index_directory(tmp_path), REQUEST)
    assert not ask_the_manager(tmp_path / "nowhere", index_directory(tmp_path), REQUEST)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[1, 2, 3]", b"null", b"\xff"])
def test_a_malformed_request_is_dropped(managed, content):
    ask_the_manager(managed, index_directory(managed), REQUEST)
    (request,) = (index_directory(managed) / ".requests").iterdir()
    request.write_bytes(content)
    assert requests(managed) == []
    assert not request.exists()


def test_the_rule_leaves_the_indexes_of_a_managed_cache_to_its_manager(managed, tmp_path):
    dump = Path(shutil.copy(SAMPLES / "segfault" / "upload_file_minidump.dmp", tmp_path))
    shutil.copytree(SAMPLES / "symbols", managed, dirs_exist_ok=True)
    rule = BreakpadStackwalkerRule2015(
        defaults(BreakpadStackwalkerRule2015, symbol_cache_path=str(managed), symbols_path=str(tmp_path))
    )
    rule.action(Crash("an id", {}, {"upload_file_minidump": dump}, temporary_directory=tmp_path))
    rule.close()
    wanted = requests(managed)
    assert wanted
    assert {request.stackwalker for request in wanted} == {str(own_stackwalker())}
    assert all((managed / request.path).is_file() for request in wanted)


def test_an_index_goes_with_the_directories_that_held_nothing_else(tmp_path):
    indexes = IndexDirectory(tmp_path)
    for name in ("a/0/a.sym", "a/1/a.sym"):
        indexes.file(name).parent.mkdir(parents=True)
        indexes.file(name).write_bytes(b"index")
    indexes.scan()
    assert [indexes.size(name) for name in ("a/0/a.sym", "a/1/a.sym", "b/0/b.sym")] == [5, 5, 0]
    indexes.remove("a/0/a.sym")
    assert list(indexes) == ["a/1/a.sym"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1"]
    indexes.remove("a/1/a.sym")
    assert list(tmp_path.iterdir()) == []
