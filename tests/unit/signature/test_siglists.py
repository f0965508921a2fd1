"""Reading the five lists: entries, messages about mistakes, reloads."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from socorro_processor.errors import ConfigurationError
from socorro_processor.signature.siglists import (
    FILES,
    IRRELEVANT,
    LINE_NUMBERS,
    PREFIX,
    SENTINELS,
    TRIM_DLL,
    Entry,
    PatternList,
    SigLists,
    SigListsInUse,
    default_directory,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text("")
    return tmp_path


def pattern_list(*texts: str) -> PatternList:
    return PatternList([Entry("list.txt", number, text) for number, text in enumerate(texts, start=1)])


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("malloc", "malloc"),
        ("  malloc\t", "malloc"),
        ("operator new", "operator new"),
        ("malloc  # the C allocator", "malloc"),
        ("malloc\t#", "malloc"),
        (r"main\.c#12", r"main\.c#12"),
        ("{lambda(int)#1}  # ours", "{lambda(int)#1}"),
        ("a[#]b", "a[#]b"),
        ("malloc\r", "malloc"),
        ("# malloc", None),
        ("   # malloc", None),
        ("#malloc", None),
        ("", None),
        ("   ", None),
    ],
)
@pytest.mark.parametrize("name", [SENTINELS, PREFIX])
def test_a_line_is_an_entry_but_for_its_comment(line, entry, name, directory):
    (directory / name).write_text(f"{line}\n", newline="")

    lists = SigLists.load(directory)
    entries = lists.sentinels if name == SENTINELS else lists.prefix.entries
    assert [found.text for found in entries] == ([] if entry is None else [entry])


@pytest.mark.parametrize("reload", [False, True])
def test_a_pipe_in_the_place_of_a_list_is_refused_and_not_waited_for(directory, reload):
    lists = SigListsInUse(directory) if reload else None
    (directory / PREFIX).unlink()
    os.mkfifo(directory / PREFIX)

    with pytest.raises(ConfigurationError, match=rf"cannot read signature list .*{PREFIX}: it is not a regular file"):
        lists.reload() if lists else SigLists.load(directory)


def test_a_device_without_an_end_in_the_place_of_a_list_is_refused(directory):
    (directory / PREFIX).unlink()
    (directory / PREFIX).symlink_to("/dev/zero")

    with pytest.raises(ConfigurationError, match=rf"cannot read signature list .*{PREFIX}: it is not a regular file"):
        SigLists.load(directory)


def test_a_list_may_be_a_link_to_a_file(directory):
    (directory / "elsewhere").write_text("malloc\n")
    (directory / PREFIX).unlink()
    (directory / PREFIX).symlink_to(directory / "elsewhere")

    assert [entry.text for entry in SigLists.load(directory).prefix.entries] == ["malloc"]


def test_a_byte_order_mark_is_not_part_of_the_first_entry(directory):
    (directory / PREFIX).write_bytes(b"\xef\xbb\xbf# prefixes\nmalloc\n")

    assert [entry.text for entry in SigLists.load(directory).prefix.entries] == ["malloc"]


def test_a_pattern_is_compared_with_the_beginning_of_a_frame():
    patterns = pattern_list("malloc", r"free\b")

    assert patterns.matches("malloc_zone")
    assert patterns.matches("free(void*)")
    assert not patterns.matches("freetype")
    assert not patterns.matches("my_malloc")


def test_an_empty_list_matches_nothing():
    assert not pattern_list().matches("")
    assert pattern_list().entry_for("malloc") is None


def test_the_entry_that_matched_can_be_named():
    patterns = pattern_list("free", "mall?oc", "malloc")

    assert patterns.entry_for("malloc(int)") == Entry("list.txt", 2, "mall?oc")
    assert patterns.entry_for("calloc") is None


@pytest.mark.parametrize(
    ("texts", "matching", "other"),
    [
        (["(a)x", r"(b)\1"], "bb", "ba"),
        (["(?i:abort)", "free"], "ABORT", "FREE"),
        (["(?i)abort", "free"], "ABORT", "FREE"),
        (["a|b", "c"], "b", "d"),
        (["(?P<n>a)(?P=n)", "(?P<n>b)(?P=n)"], "bb", "ab"),
        (["(a)?b(?(1)c|d)", "(x)y"], "bd", "bc"),
        (["(?x) a b", "c d"], "ab", "cd"),
        ([r"f\((int)?\)$", "(g)h"], "f(int)", "f(?:int)"),
        (["[(]a", r"[](]b", r"[^]\](]c", "(d)"], "(a", "?a"),
        (["[](]b", "(d)"], "]b", ":b"),
        ([r"[^]\](]c", "(d)"], ":c", "(c"),
        ([r"\\(a|b)$", "c"], "\\b", "(b"),
        (["(?#[)[](]a", "(d)"], "(a", "?a"),
        (["(?=ab)(a)(?:b)(?!c)", "(d)"], "abd", "abc"),
    ],
)
def test_an_entry_means_the_same_beside_others_as_alone(texts, matching, other):
    for patterns in (pattern_list(*texts), pattern_list(*reversed(texts))):
        for frame, expected in ((matching, True), (other, False)):
            assert patterns.matches(frame) is expected
            assert (patterns.entry_for(frame) is not None) is expected


def test_every_mistake_is_reported_with_file_line_and_reason(directory):
    (directory / PREFIX).write_text("# prefixes\nmalloc\nfree(\n")
    (directory / TRIM_DLL).write_text("[a\n")

    with pytest.raises(ConfigurationError) as raised:
        SigLists.load(directory)
    first, second = str(raised.value).split("\n")
    assert first.startswith(f"{directory / PREFIX}, line 3: 'free(' is not a regular expression: missing )")
    assert second.startswith(f"{directory / TRIM_DLL}, line 1: '[a' is not a regular expression: unterminated")


def test_a_sentinel_is_not_a_regular_expression(directory):
    (directory / SENTINELS).write_text("std::terminate()\noperator(\n")

    assert SigLists.load(directory).sentinel_frames == {"std::terminate()", "operator("}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"], ids=["missing", "no text"])
def test_a_list_that_cannot_be_read_is_named(content, directory):
    (directory / IRRELEVANT).unlink()
    if content is not None:
        (directory / IRRELEVANT).write_bytes(content)

    with pytest.raises(ConfigurationError, match=IRRELEVANT):
        SigLists.load(directory)


def test_the_version_depends_on_the_text_alone(directory):
    before = SigLists.load(directory).version
    assert SigLists.load(directory).version == before

    (directory / LINE_NUMBERS).write_text("interpret\n")
    with_line_number = SigLists.load(directory).version
    (directory / LINE_NUMBERS).write_text("")
    (directory / PREFIX).write_text("interpret\n")
    with_prefix = SigLists.load(directory).version
    assert len({before, with_line_number, with_prefix}) == 3


class TestReload:
    def test_takes_what_the_files_say_now(self, directory):
        lists = SigListsInUse(directory)
        before = lists.current
        (directory / PREFIX).write_text("malloc\n")

        lists.reload()
        assert lists.current.prefix.matches("malloc")
        assert not before.prefix.matches("malloc")

    def test_keeps_the_old_lists_where_one_of_the_new_is_bad(self, directory):
        (directory / PREFIX).write_text("malloc\n")
        lists = SigListsInUse(directory)
        before = lists.current
        (directory / PREFIX).write_text("free\n")
        (directory / TRIM_DLL).write_text("(\n")

        with pytest.raises(ConfigurationError):
            lists.reload()
        assert lists.current is before

    def test_shows_other_threads_the_old_lists_or_the_new_never_a_mixture(self, directory):
        lists = SigListsInUse(directory)
        mixtures = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                current = lists.current
                if current.prefix.matches("same") != current.trim_dll.matches("same"):
                    mixtures.append(current.version)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(20):
            for name in (PREFIX, TRIM_DLL):
                (directory / name).write_text("same\n" if number % 2 else "")
            lists.reload()
        done.set()
        for thread in threads:
            thread.join()
        assert mixtures == []


def test_the_projects_own_lists_are_found_and_have_no_mistake():
    lists = SigLists.load(default_directory())

    assert lists.sentinels
    for patterns in (lists.irrelevant, lists.prefix, lists.line_numbers, lists.trim_dll):
        assert len({entry.text for entry in patterns.entries}) == len(patterns.entries) > 0
