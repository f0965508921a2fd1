"""The cache keeps to its size, over a real directory that inotify watches."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from socorro_processor.symbol_cache.directory import CacheDirectory
from socorro_processor.symbol_cache.lru_cache import Listener, LRUCache
from socorro_processor.symbol_cache.watches import Watches
from tests.unit.symbol_cache.test_watches import overflow

LIMIT = 1000


class Opened:
    """An LRUCache of a directory, the files that it was told of, and those on the disk."""

    def __init__(self, path: Path, limit: int = LIMIT, empty_directory_time: float = 0.0) -> None:
        self.path = path
        self.told: list[tuple[str, str]] = []
        self.directory = CacheDirectory(path)
        self.watches = Watches()
        listener = Listener(
            arrived=lambda path: self.told.append(("arrived", path)), gone=lambda path: self.told.append(("gone", path))
        )
        self.time = time.monotonic()
        self.cache = LRUCache(self.directory, self.watches, limit, listener, empty_directory_time, self._clock)

    def _clock(self) -> float:
        """Move on each time by far more than the cache spends removing files without a look at events."""
        self.time += 0.1
        return self.time

    def write(self, path: str, size: int = 300) -> None:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(b"x" * size)

    def look(self) -> list[str]:
        """Do what the manager does repeatedly; return the files that it removed."""
        self.cache.handle(self.watches.read(0))
        if self.cache.lost_events:
            self.cache.scan()
        removed = list(self.cache.evict())
        self.cache.remove_empty_directories()
        return removed

    def on_disk(self) -> dict[str, int]:
        return {
            str(path.relative_to(self.path)): path.lstat().st_size
            for path in self.path.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def known(self) -> dict[str, int]:
        return {path: file.size for path, file in self.cache.files.items()}

    def close(self) -> None:
        self.watches.close()
        self.directory.close()


@pytest.fixture
def open_cache(tmp_path):
    """Open a cache in a directory that may hold something already."""
    opened: list[Opened] = []

    def open_(fill: Callable[[Opened], object] = lambda each: None, **options: float) -> Opened:
        each = Opened(tmp_path / "cache", **options)
        opened.append(each)
        fill(each)
        each.cache.scan()
        return each

    yield open_
    for each in opened:
        each.close()


@pytest.fixture
def cache(open_cache):
    return open_cache()


def test_the_file_unused_for_longest_goes(cache):
    for name in "abc":
        cache.write(f"{name}/1/{name}.sym")
        assert cache.look() == []
    (cache.path / "a/1/a.sym").read_bytes()
    cache.write("d/1/d.sym")
    assert cache.look() == ["b/1/b.sym"]
    assert list(cache.on_disk()) != []
    assert cache.known() == cache.on_disk()


def test_a_file_that_was_just_opened_is_not_removed(cache):
    for name in "abcd":
        cache.write(name)
    cache.cache.handle(cache.watches.read(0))
    (cache.path / "a").read_bytes()  # the event has not been read yet
    assert list(cache.cache.evict()) == ["b"]


def test_opening_a_file_makes_it_newer_than_those_added_before(cache):
    cache.write("in-use")
    cache.look()
    for name in ("a", "b", "c"):
        cache.write(name)
    os.close(os.open(cache.path / "in-use", os.O_RDONLY))
    assert cache.look() == ["a"]


def test_a_file_larger_than_the_cache_may_be_goes_after_all_others(cache):
    cache.write("a")
    cache.look()
    cache.write("huge", LIMIT + 1)
    assert cache.look() == ["a", "huge"]


def test_a_file_that_grows_counts_with_its_new_size(cache):
    cache.write("a")
    cache.look()
    with (cache.path / "b").open("wb", buffering=0) as file:
        file.write(b"x" * 700)
        assert cache.look() == []
        file.write(b"x")
        assert cache.look() == ["a"]
        file.truncate(10)
    cache.look()
    assert cache.known() == {"b": 10}


def test_files_that_are_moved_in_out_and_within_are_followed(cache, tmp_path):
    cache.write("x/1/x.sym", 10)
    cache.look()
    (tmp_path / "new").write_text("12345")
    (tmp_path / "new").rename(cache.path / "x/1/x.sym")  # replaces the other
    cache.look()
    assert cache.known() == {"x/1/x.sym": 5}
    (cache.path / "x").rename(cache.path / "y")
    cache.look()
    assert cache.known() == {"y/1/x.sym": 5}
    cache.write("y/1/x.sym", 7)
    cache.look()
    assert cache.known() == {"y/1/x.sym": 7}
    (cache.path / "y/1").rename(tmp_path / "1")
    cache.look()
    assert cache.known() == {}
    (tmp_path / "1" / "x.sym").write_text("elsewhere")
    cache.look()
    assert cache.known() == {}


def test_a_tree_that_is_moved_in_is_watched(cache, tmp_path):
    (tmp_path / "tree" / "1").mkdir(parents=True)
    (tmp_path / "tree" / "1" / "f").write_text("123")
    (tmp_path / "tree").rename(cache.path / "tree")
    cache.look()
    cache.write("tree/1/g", 2)
    cache.look()
    assert cache.known() == {"tree/1/f": 3, "tree/1/g": 2}


def test_a_directory_that_comes_with_files_before_it_is_watched_is_found_with_them(cache):
    cache.write("a/1/a.sym", 3)  # when the event is read, all three are there
    cache.look()
    cache.write("a/1/b.sym", 4)
    cache.look()
    assert cache.known() == {"a/1/a.sym": 3, "a/1/b.sym": 4}


def test_a_directory_goes_when_it_stays_empty_and_then_the_one_above_it(cache):
    cache.write("x/1/x.sym", LIMIT + 1)
    assert cache.look() == ["x/1/x.sym"]
    cache.look()
    cache.look()
    assert list(cache.path.iterdir()) == []


def test_a_directory_stays_for_as_long_as_somebody_may_be_about_to_move_a_file_in(open_cache):
    cache = open_cache(empty_directory_time=60.0)
    (cache.path / "x" / "1").mkdir(parents=True)
    cache.write("y/1/y.sym", LIMIT + 1)
    cache.look()
    cache.look()
    assert (cache.path / "x" / "1").is_dir()
    assert (cache.path / "y" / "1").is_dir()


def test_a_directory_that_got_a_file_meanwhile_waits_again(open_cache):
    cache = open_cache(lambda each: (each.path / "x").mkdir(), empty_directory_time=60.0)
    cache.time += 60.0
    cache.look()  # its change time, which is now, makes it new
    assert (cache.path / "x").is_dir()
    os.utime(cache.path / "x", (1000, 1000))
    cache.look()
    assert (cache.path / "x").is_dir()
    cache.time += 60.0
    cache.look()
    assert not (cache.path / "x").exists()


def test_a_clock_that_was_set_back_keeps_no_directory(open_cache):
    cache = open_cache(lambda each: (each.path / "x").mkdir(), empty_directory_time=60.0)
    os.utime(cache.path / "x", (time.time() + 1e6, time.time() + 1e6))
    cache.time += 60.0
    cache.look()
    assert not (cache.path / "x").exists()


def test_directories_that_a_killed_writer_left_empty_go(open_cache):
    cache = open_cache(lambda each: (each.path / "x" / "1").mkdir(parents=True))
    (cache.path / "y" / "1").mkdir(parents=True)
    for _ in range(3):
        cache.look()
    assert list(cache.path.iterdir()) == []


def test_links_and_what_they_lead_to_stay(cache, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x" * 2 * LIMIT)
    cache.write("x/1/x.sym", LIMIT + 1)
    (cache.path / "x/1/link").symlink_to(outside / "precious")
    (cache.path / "directory").symlink_to(outside)
    os.mkfifo(cache.path / "fifo")
    assert cache.look() == ["x/1/x.sym"]
    cache.look()
    assert (outside / "precious").exists()
    assert (cache.path / "x/1/link").is_symlink()
    assert cache.known() == {}


def test_events_that_were_lost_are_made_up_for(cache):
    cache.write("old", 900)
    cache.look()
    overflow(cache.path)
    (cache.path / "old").unlink()
    cache.write("x/1/x.sym", 700)
    cache.write("late", 5)
    cache.look()
    assert cache.known() == cache.on_disk() == {"a": 0, "b": 0, "x/1/x.sym": 700, "late": 5}
    cache.write("x/1/y.sym", 301)
    assert cache.look()
    assert cache.known() == cache.on_disk()


def test_the_saved_order_of_use_is_restored(open_cache):
    def fill(each: Opened) -> None:
        for number, name in enumerate("abc"):
            each.write(name)
            os.utime(each.path / name, (1000 + number, 1000))

    cache = open_cache(fill)
    assert list(cache.cache.files) == ["a", "b", "c"]  # by access time
    cache.cache.scan()
    assert list(cache.cache.files) == ["a", "b", "c"]
    cache.write("d")
    assert cache.look() == ["a"]


def test_saved_uses_count_before_older_access_times(open_cache, tmp_path):
    cache = open_cache()
    fresh = Opened(cache.path)
    for number, name in enumerate("abc"):
        fresh.write(name)
        os.utime(fresh.path / name, (1000 + number, 1000))
    fresh.cache.scan({"a": 2000.0, "c": 500.0, "gone": 3000.0, "b": time.time() + 1e6})
    assert list(fresh.cache.files) == ["c", "a", "b"]
    fresh.close()


def test_a_file_that_cannot_be_removed_does_not_keep_the_others(cache, caplog):
    for name in ("a", "b"):
        cache.write(name, 600)
    cache.cache.handle(cache.watches.read(0))
    remove = cache.directory.remove

    def refuse(path: str) -> None:
        if path == "a":
            raise PermissionError(1, "Operation not permitted")
        remove(path)

    cache.directory.remove = refuse
    assert cache.look() == []
    assert cache.look() == ["b"]
    assert "cannot remove 'a': Operation not permitted" in caplog.text
    assert cache.known() == cache.on_disk()


def test_a_listener_learns_which_files_there_are(open_cache, tmp_path):
    cache = open_cache(lambda each: each.write("there/1/there.sym", 1))
    assert cache.told == [("arrived", "there/1/there.sym")]
    cache.told.clear()
    with (cache.path / "growing").open("wb", buffering=0) as file:
        file.write(b"1")
        cache.look()
        assert cache.told == []
    cache.look()
    (tmp_path / "new").touch()
    (tmp_path / "new").rename(cache.path / "new")
    cache.look()
    (cache.path / "there").rename(tmp_path / "there")
    (cache.path / "new").unlink()
    cache.look()
    assert cache.told == [
        ("arrived", "growing"),
        ("arrived", "new"),
        ("gone", "there/1/there.sym"),
        ("gone", "new"),
    ]


NAMES = st.sampled_from(["a", "b", "c/1/c.sym", "c/2/c.sym", "d/1/x", "e", "e/f"])


class Tree(RuleBasedStateMachine):
    """Whatever changes in the tree, and whenever the manager looks, it knows exactly the files that are there."""

    def __init__(self) -> None:
        super().__init__()
        self._temporary = tempfile.TemporaryDirectory()
        self._cache = Opened(Path(self._temporary.name) / "cache")
        self._cache.cache.scan()

    @rule(name=NAMES, size=st.integers(0, 500))
    def write(self, name: str, size: int) -> None:
        self._try(lambda: self._cache.write(name, size))

    @rule(name=NAMES)
    def unlink(self, name: str) -> None:
        self._try((self._cache.path / name).unlink)

    @rule(name=NAMES)
    def read(self, name: str) -> None:
        self._try((self._cache.path / name).read_bytes)

    @rule(one=NAMES, other=NAMES, levels=st.integers(0, 2))
    def move(self, one: str, other: str, levels: int) -> None:
        source = "/".join(one.split("/")[: levels + 1])
        self._try(lambda: (self._cache.path / source).rename(self._cache.path / other))

    @rule(name=NAMES)
    def link(self, name: str) -> None:
        self._try(lambda: (self._cache.path / name).symlink_to(self._cache.path))

    @rule()
    def look(self) -> None:
        self._cache.look()
        # Its own changes come back as events.
        self._cache.cache.handle(self._cache.watches.read(0))
        assert self._cache.known() == self._cache.on_disk()
        assert self._cache.cache.files.bytes == sum(self._cache.on_disk().values()) <= LIMIT

    @invariant()
    def order_is_that_of_use(self) -> None:
        used = [file.used for _, file in self._cache.cache.files.items()]
        assert used == sorted(used)

    def teardown(self) -> None:
        self.look()
        for _ in range(4):
            self._cache.look()
        directories = [path for path in self._cache.path.rglob("*") if path.is_dir() and not path.is_symlink()]
        assert all(list(path.iterdir()) for path in directories)
        self._cache.close()
        self._temporary.cleanup()

    @staticmethod
    def _try(do: Callable[[], object]) -> None:
        try:
            do()
        except OSError:  # there is no such file, or a directory in its place
            return


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=60, stateful_step_count=30)
