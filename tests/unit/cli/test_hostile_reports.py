"""Crashes with any content: none can break or colour the report of ``socorro show``."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socorro_processor.untrusted import plain
from tests.unit.cli.reports import SGR, frame, lines_of_stack, on_terminal, processed, report


class TestHostileContent:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
            ("two\r\nlines\t\0", r"two\r\nlines\t\x00"),
            ("\u202egnp.exe\u2066\u2028", r"\u202egnp.exe\u2066\u2028"),
            ("\x7f\x9b31m\ud800\U000e0041", r"\x7f\x9b31m\ud800\U000e0041"),
            ("[red]no markup[/]", "[red]no markup[/]"),
            ("Überlauf 漢字", "Überlauf 漢字"),
            (None, ""),
            (3, "3"),
            (["x"], "(list)"),
        ],
    )
    def test_what_cannot_be_printed_is_made_visible(self, value: object, shown: str) -> None:
        assert plain(value) == shown

    def test_a_number_too_large_for_python_to_write_is_written_in_hexadecimal(self) -> None:
        assert plain(10**5000) == hex(10**5000)

    def test_markup_is_only_text(self) -> None:
        crash = processed(frame(function="[red]f[/red]"), signature="[link=https://example.com]x[/link] :boom:")
        assert "signature     [link=https://example.com]x[/link] :boom:\n" in report(crash)
        assert "  [red]f[/red]  " in report(crash)

    def test_values_that_are_not_numbers_are_not_taken_for_numbers(self) -> None:
        crash = processed(frame("\x1b[2J", function="f"), frame(10**9, function="g"))
        crash["json_dump"]["crash_info"]["crashing_thread"] = crash["json_dump"]["crashing_thread"]["threads_index"] = (
            "\n"
        )
        text = report(crash)
        assert "\nCrashing thread \\n, Decoder: 2 frames\n" in text
        assert lines_of_stack(text) == ["0 cfi f libcodec.so", "1 cfi g libcodec.so"]

    def test_a_path_of_very_many_parts_takes_no_time(self) -> None:
        assert "a:1" in on_terminal(processed(frame(function="f", file="hg:x:" + "a/" * 50_000, line=1)))


def spoilt(value: Any, spoiler: Any) -> Iterator[Any]:
    """Yield ``value`` with the spoiler in each place: in a part, in a key, in place of the whole."""
    yield spoiler
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: other} for other in spoilt(item, spoiler))
            if isinstance(spoiler, str):
                yield {**{other: value[other] for other in value if other != key}, spoiler: item}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in spoilt(item, spoiler))


SPOILERS = ["\x1b[2J\n\u202e\ud800", "\u754c" * 300, -9, 2**63, 2**4000, 1e308, True, ["\x1b[2J"], {"\x1b[2J": 1}]


@pytest.mark.parametrize("spoiler", SPOILERS, ids=range(len(SPOILERS)))
def test_one_hostile_value_wherever_it_stands_breaks_no_report(spoiler: Any) -> None:
    flash = {"mdsw_status_string": "ERROR", "json_dump": None}
    inlines = [{"function": "g", "file": "hg:h:a/b.h:c", "line": 2}]
    crash = processed(
        frame(function="f", file="/a/b.cpp", line=1, inlines=inlines, missing_symbols=True),
        frame(1, module=None, offset="0x1", unloaded_modules=[{"module": "a.dll"}]),
        frame(2, module="libc.so.6", module_offset="0x2", trust="scan"),
        additional_minidumps=["flash"],
        flash=flash,
        java_stack_trace="Error",
        process_type="plugin",
        abort_message="x",
        original_signature="raw",
        app_notes="x",
        client_crash_date="2016",
    )
    crash["json_dump"]["crashing_thread"] |= {"frames_truncated": True, "total_frames": 3}
    crash["json_dump"]["crash_info"] |= {"instruction": "hlt", "adjusted_address": {"kind": "null-pointer"}}
    crashes = [other for other in spoilt(crash, spoiler) if isinstance(other, dict)]
    assert len(crashes) > 100
    for other in crashes:
        assert_only_printable(report(other, all_threads=True, modules=True))
        assert_only_printable(SGR.sub("", on_terminal(other, 80, all_threads=True, modules=True)))


def assert_only_printable(text: str) -> None:
    assert all(line.isprintable() for line in text.split("\n"))


hostile_texts = st.one_of(
    st.text(),
    st.sampled_from(
        ["\x1b[2J", "\x1b]0;x\x07", "\x9b2J", "[bold]", "[/]", "\u202e", "\ud800", "\n\r\0", "EMPTY: ", "a/" * 300]
    ),
    st.text(alphabet="\x1b[m;\\/:\n界a\u0301", max_size=300),
    st.sampled_from(["shutdownhang | x", "scan", "0x" + "f" * 20, "hg:a:b/c:d", "OK", "null-pointer", "flash"]),
)
hostile_numbers = st.sampled_from([-9, -1, 0, 1, 2**40, 2**63, 2**4000, 1e308])
hostile_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), hostile_numbers, st.floats(), hostile_texts),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(hostile_texts, values, max_size=3),
    max_leaves=6,
)


def hostile(*keys: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Generate an object with some of these keys, each with any value; or something else entirely."""
    objects = st.fixed_dictionaries({}, optional={key: known.get(key, hostile_values) for key in (*keys, *known)})
    return objects | objects | objects | hostile_values


place = ("function", "file", "line")
hostile_frames = st.lists(
    hostile(
        *place,
        *("frame", "module", "offset", "module_offset", "trust", "missing_symbols"),
        inlines=st.lists(hostile(*place), max_size=3),
        unloaded_modules=st.lists(hostile("module"), max_size=2),
    ),
    max_size=4,
)
hostile_threads = hostile("thread_name", "threads_index", "total_frames", "frames_truncated", frames=hostile_frames)
hostile_dumps = hostile(
    crash_info=hostile("crashing_thread", "instruction", adjusted_address=hostile("kind", "offset")),
    crashing_thread=hostile_threads,
    threads=st.lists(hostile_threads, max_size=3),
    modules=st.lists(hostile("filename", "version", "debug_id", "debug_file", "missing_symbols"), max_size=3),
)
hostile_crashes = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(processed(), hostile_values),
        "json_dump": hostile_dumps,
        "additional_minidumps": st.lists(hostile_values | st.just("flash"), max_size=3) | hostile_values,
        "flash": hostile("mdsw_status_string", json_dump=hostile_dumps),
        "java_stack_trace": hostile_values,
        "processing": hostile(
            "processor_version", "attempt", durations=st.dictionaries(hostile_texts, hostile_values, max_size=3)
        ),
    },
)


@given(hostile_crashes, st.integers(1, 200))
@settings(max_examples=200)
def test_whatever_a_crash_holds_only_printable_text_comes_out(crash: dict[str, Any], width: int) -> None:
    assert_only_printable(report(crash, all_threads=True, modules=True))
    assert_only_printable(SGR.sub("", on_terminal(crash, width, all_threads=True, modules=True)))
