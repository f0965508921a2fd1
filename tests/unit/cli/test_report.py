"""The report of ``socorro show``: what it says, and that nothing in a crash can break or colour it."""

import io
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from socorro_processor.cli.report import print_report
from socorro_processor.cli.untrusted import plain
from tests.shared import SAMPLES, stackwalker

CRASH_ID = "0bba61c5-dfc3-43e7-dead-8afd20161123"
SGR = re.compile(r"\x1b\[[0-9;]*m")


def report(crash: dict[str, Any], **options: bool) -> str:
    """As it is in a pipe."""
    file = io.StringIO()
    print_report(crash, Console(file=file, force_terminal=False, highlight=False), **options)
    return file.getvalue()


def on_terminal(crash: dict[str, Any], width: int = 120, environ: dict[str, str] | None = None, **options: bool) -> str:
    file = io.StringIO()
    environ = {"TERM": "xterm-256color", **(environ or {})}
    console = Console(file=file, force_terminal=True, width=width, highlight=False, _environ=environ)
    print_report(crash, console, **options)
    return file.getvalue()


def lines_of_stack(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if re.match(r" *\d+  ", line)]


def processed(*frames: Any, **more: Any) -> dict[str, Any]:
    """A crash whose crashing thread, the second of two, has these frames."""
    thread = {"frames": list(frames), "thread_name": "Decoder", "threads_index": 1}
    json_dump = {
        "status": "OK",
        "crash_info": {"crashing_thread": 1, "type": "SIGSEGV", "address": "0x0000000000000010"},
        "crashing_thread": thread,
        "threads": [{"frames": [{"frame": 0, "function": "poll", "trust": "context"}], "thread_name": "main"}, thread],
        "modules": [
            {"filename": "libcodec.so", "version": "4.1", "debug_id": "AB1", "loaded_symbols": True},
            {"filename": "libc.so.6", "debug_file": "libc.so.6", "debug_id": "C0FFEE0", "missing_symbols": True},
            {"filename": "libz.so", "debug_id": "DD2"},
        ],
    }
    crash = {
        "uuid": CRASH_ID,
        "signature": "codec::decode",
        "product": "Player",
        "version": "3.2",
        "release_channel": "beta",
        "build": "20161120",
        "os_name": "Linux",
        "os_version": "4.8",
        "os_pretty_version": "Linux",
        "cpu_name": "amd64",
        "cpu_info": "family 6 | 4",
        "reason": "SIGSEGV",
        "address": "0x0000000000000010",
        "crash_time": 1479859200,
        "uptime": 3725,
        "install_age": 172800,
        "submitted_timestamp": "2016-11-23T00:01:00+00:00",
        "completed_datetime": "2016-11-23T00:02:00+00:00",
        "processing": {"processor_version": "1.0", "attempt": 2, "durations": {"stackwalk": 1.25}},
        "processor_notes": "host:17; exploitability information missing",
        "success": True,
        "mdsw_status_string": "OK",
        "additional_minidumps": [],
        "json_dump": json_dump,
    }
    return crash | more


def frame(number: object = 0, **more: Any) -> dict[str, Any]:
    return {"frame": number, "module": "libcodec.so", "trust": "cfi"} | more


class TestHead:
    def test_it_says_what_crashed_where_and_when(self) -> None:
        head = report(processed(frame(function="f"))).partition("\n\n")[0].splitlines()
        assert head == [
            f"crash         {CRASH_ID}",
            "signature     codec::decode",
            "product       Player 3.2, beta, build 20161120",
            "system        Linux 4.8",
            "CPU           amd64, family 6 | 4",
            "reason        SIGSEGV",
            "address       0x10",
            "crashed       2016-11-23T00:00:00+00:00, 1:02:05 after its start, 2 days 0:00:00 after its installation",
            "submitted     2016-11-23T00:01:00+00:00",
            "processed     2016-11-23T00:02:00+00:00, by version 1.0, attempt 2, stackwalk 1.250 s",
            "result        success",
        ]

    @pytest.mark.parametrize(
        ("field", "line"),
        [
            ({"process_type": "plugin"}, "process       plugin"),
            ({"abort_message": "no more pages"}, "abort message no more pages"),
            ({"original_signature": "raw"}, "made from     raw"),
            ({"os_pretty_version": "Fedora 25"}, "system        Linux 4.8 (Fedora 25)"),
            ({"crash_time": None, "client_crash_date": "2016-11-22"}, "crashed       2016-11-22, "),
            ({"signature": None}, "signature     (none)"),
            ({"success": False}, "result        failed: not all rules were run, the notes say why"),
            ({"mdsw_status_string": "ERROR_X"}, "result        failed: the stackwalker says ERROR_X"),
        ],
    )
    def test_what_not_every_crash_has_is_shown_where_it_is(self, field: dict[str, Any], line: str) -> None:
        assert f"\n{line}" in report(processed(**field))

    @pytest.mark.parametrize("moment", ["2016-11-23T00:01:00.264722+00:00", "2016-11-23T00:01:00+00:00"])
    def test_times_are_shown_to_the_second(self, moment: str) -> None:
        keys = ("client_crash_date", "submitted_timestamp", "completed_datetime")
        text = report(processed(crash_time=None, **dict.fromkeys(keys, moment)))
        for label in ("crashed", "submitted", "processed"):
            assert re.search(rf"^{label} +2016-11-23T00:01:00\+00:00(,|$)", text, re.MULTILINE)

    def test_a_null_pointer_is_called_one(self) -> None:
        crash = processed()
        crash["json_dump"]["crash_info"]["adjusted_address"] = {"kind": "null-pointer", "offset": "0x0000000000000010"}
        assert "address       0x10 (null pointer, offset 0x10)\n" in report(crash)

    @pytest.mark.parametrize(
        ("signature", "meaning"),
        [
            ("EMPTY: no crashing thread identified; OK", "the stackwalker named no crashing thread"),
            ("EMPTY: no frame data available", "the crashing thread has no frame"),
            ("EMPTY: crash failed to process", "processing ended half-way"),
        ],
    )
    def test_an_empty_signature_is_explained(self, signature: str, meaning: str) -> None:
        assert meaning in report(processed(signature=signature))

    def test_personal_data_is_not_in_it(self) -> None:
        crash = processed(email="ann@example.com", url="https://example.com/me", user_comments="my own words")
        assert not re.search("ann@|/me|my own", report(crash, all_threads=True, modules=True))


class TestStack:
    def test_a_frame_is_number_how_found_function_source_and_module(self) -> None:
        text = report(processed(frame(function="decode(int)", file="/home/ci/build/codec/src/decode.cpp", line=7)))
        assert "Crashing thread 1, Decoder: 1 frame\n" in text
        assert lines_of_stack(text) == ["0 cfi decode(int) codec/src/decode.cpp:7 libcodec.so"]

    def test_functions_that_are_inlined_stand_above_the_frame_innermost_first(self) -> None:
        inlines = [{"function": "inner", "file": "a.h", "line": 1}, {"function": "outer", "file": "b.h", "line": 2}]
        text = report(processed(frame(function="physical", file="c.cpp", line=3, inlines=inlines)))
        assert lines_of_stack(text) == [
            "0 inlined inner a.h:1 libcodec.so",
            "0 inlined outer b.h:2 libcodec.so",
            "0 cfi physical c.cpp:3 libcodec.so",
        ]

    def test_scanned_frames_are_marked_as_doubtful(self) -> None:
        text = report(processed(frame(function="f", trust="context"), frame(1, function="g", trust="scan")))
        assert lines_of_stack(text) == ["0 context f libcodec.so", "1 scan? g libcodec.so"]
        assert "scan?: doubtful, guessed by scanning the stack (1 of 2 frames)\n" in text

    @pytest.mark.parametrize(
        ("fields", "shown"),
        [
            ({"module_offset": "0x000000000008aeec"}, "libcodec.so + 0x8aeec"),
            ({"module_offset": None}, "libcodec.so"),
            ({"module": None, "offset": "0x00007f9e6a"}, "0x7f9e6a (in no module)"),
            ({"module": None, "offset": "0x1", "unloaded_modules": [{"module": "a.dll"}]}, "0x1 (unloaded: a.dll)"),
        ],
    )
    def test_a_frame_without_symbols_is_a_place(self, fields: dict[str, Any], shown: str) -> None:
        assert f"0  cfi  {shown}" in report(processed(frame(**fields)))

    @pytest.mark.parametrize(
        ("file", "shown"),
        [
            ("/usr/src/debug/glibc-2.32/sysdeps/unix/poll.c", "sysdeps/unix/poll.c"),
            ("f:\\sp\\vctools\\crt_bld\\crt\\src\\crt0.c", "crt/src/crt0.c"),
            ("hg:hg.mozilla.org/mozilla-central:dom/media/ogg/Codec.cpp:4f1c0a", "dom/media/ogg/Codec.cpp"),
            ("git:github.com/rust-lang/rust:../e18//library/std/src/thread/mod.rs:7e", "src/thread/mod.rs"),
            ("poll.c", "poll.c"),
        ],
    )
    def test_of_a_path_the_part_that_tells_something_is_shown(self, file: str, shown: str) -> None:
        assert f"  {shown}:12  " in report(processed(frame(function="f", file=file, line=12)))

    def test_missing_symbols_are_named_with_what_to_do(self) -> None:
        text = report(processed(frame(module="libc.so.6", module_offset="0x1"), frame(1, function="f")))
        assert lines_of_stack(text)[0] == "0 cfi libc.so.6 + 0x1 no symbols libc.so.6"
        todo = f"Put them into the symbol store, then: socorro process {CRASH_ID}"
        assert f"No symbols for libc.so.6/C0FFEE0. {todo}\n" in text

    def test_many_modules_without_symbols_still_make_one_line(self) -> None:
        text = report(processed(*(frame(n, module=f"lib{n}.so", missing_symbols=True) for n in range(9))))
        assert "No symbols for lib0.so, lib1.so, lib2.so, lib3.so, lib4.so and 4 more. " in text

    def test_a_truncated_stack_is_said_to_be_one(self) -> None:
        crash = processed(frame(function="f"))
        crash["json_dump"]["crashing_thread"] |= {"frames_truncated": True, "total_frames": 900}
        assert "Decoder: 1 frame of 900: the stack is truncated\n" in report(crash)

    def test_the_middle_of_five_thousand_frames_is_left_out(self) -> None:
        text = report(processed(*(frame(n, function="recurse") for n in range(5000))))
        shown = lines_of_stack(text)
        assert (len(shown), shown[79][:2], shown[80][:4]) == (100, "79", "4980")
        assert "... 4900 more lines, which --json has ...\n" in text

    def test_other_threads_are_shown_where_wished(self) -> None:
        crash = processed(frame(function="f"))
        assert "Thread 0" not in report(crash)
        assert report(crash, all_threads=True).count("Decoder") == 1
        assert "\nThread 0, main: 1 frame\n  0  context  poll\n" in report(crash, all_threads=True)

    def test_of_a_hang_the_thread_that_its_signature_is_made_of_is_shown_too(self) -> None:
        assert "\nThread 0, main: 1 frame\n" in report(processed(signature="shutdownhang | poll"))

    def test_further_dumps_follow_the_main_one(self) -> None:
        plugin = processed(frame(function="plugin_main"))
        crash = processed(frame(function="f"), additional_minidumps=["flash", "lost"], flash=plugin)
        dumps = report(crash).split("\nDump ")
        assert ["flash" in dumps[1], "plugin_main" in dumps[1], dumps[2].splitlines()[0]] == [True, True, "lost"]
        assert "No stack" in dumps[2]


class TestModules:
    def test_they_are_listed_where_wished(self) -> None:
        text = report(processed(), modules=True)
        rows = [line.split() for line in text.partition("\nModules")[2].partition("\n\n")[0].splitlines()[2:]]
        assert rows == [
            ["libcodec.so", "4.1", "AB1", "yes"],
            ["libc.so.6", "-", "C0FFEE0", "missing"],
            ["libz.so", "-", "DD2", "no"],
        ]
        assert "Modules" not in report(processed())


class TestIncompleteCrashes:
    def test_notes_are_one_a_line(self) -> None:
        assert report(processed()).endswith("\nNotes\n  host:17\n  exploitability information missing\n")

    @pytest.mark.parametrize("json_dump", [None, {}, [], "text"])
    def test_without_a_stack_it_says_why_and_what_to_do(self, json_dump: object) -> None:
        text = report(processed(json_dump=json_dump, mdsw_status_string="ERROR_NO_MINIDUMP_HEADER"))
        assert "No stack: nothing is there of the stackwalker's (ERROR_NO_MINIDUMP_HEADER).\n" in text
        assert f"socorro fetch {CRASH_ID} DIRECTORY\n" in text

    def test_without_a_crashing_thread_it_says_that_there_are_others(self) -> None:
        crash = processed()
        crash["json_dump"] |= {"crashing_thread": None, "crash_info": {"crashing_thread": None}}
        assert "No crashing thread: the stackwalker named none, in a dump of 2 threads; --all-threads" in report(crash)
        assert "\nThread 1, Decoder: no frames\n" in report(crash, all_threads=True)

    def test_the_crashing_thread_is_found_by_its_number_alone(self) -> None:
        crash = processed(frame(function="f"))
        del crash["json_dump"]["crashing_thread"]
        assert "Crashing thread 1, Decoder: 1 frame\n" in report(crash)

    def test_a_crash_of_java_shows_its_stack(self) -> None:
        crash = processed(json_dump=None, java_stack_trace="java.lang.Error: x\n\tat a.B.c(B.java:1)")
        text = report(crash)
        assert "\nJava stack\n  java.lang.Error: x\n  \\tat a.B.c(B.java:1)\n" in text
        assert "No stack" not in text

    def test_of_an_empty_crash_there_is_a_report(self) -> None:
        assert "crash         (without an id)\nsignature     (none)\n" in report({})


class TestTerminal:
    LONG = "std::map<" + "std::string, " * 20 + ">::find"

    @pytest.mark.parametrize("width", [80, 100, 120, 160])
    def test_a_stack_fits_its_width(self, width: int) -> None:
        source = "hg:x:a/deep/path/to/some/directory/of/a/repository/file.cpp:1"
        crash = processed(frame(function=self.LONG, file=source, line=123456, module="m" * 90))
        text = SGR.sub("", on_terminal(crash, width))
        (line,) = [line for line in text.splitlines() if "std::map" in line]
        assert cell_len(line) <= width
        assert "…" in line
        assert "file.cpp:123456" in line

    def test_in_a_pipe_no_function_is_cut(self) -> None:
        assert f"  {self.LONG}  libcodec.so\n" not in on_terminal(processed(frame(function=self.LONG)))
        assert f"  {self.LONG}  libcodec.so\n" in report(processed(frame(function=self.LONG)))

    def test_a_long_text_does_not_flood_a_terminal(self) -> None:
        crash = processed(app_notes="x" * 100_000)
        assert len(on_terminal(crash)) < 10_000
        assert "x" * 100_000 in report(crash)

    def test_there_are_colours_only_on_a_terminal_that_wants_them(self) -> None:
        crash = processed(frame(function="f", trust="scan"))
        colour = re.compile(r"\x1b\[[0-9;]*3\d")
        assert colour.search(on_terminal(crash))
        assert not colour.search(on_terminal(crash, environ={"NO_COLOR": "1"}))
        assert "\x1b" not in report(crash)


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

    def test_numbers_that_are_none_do_not_pass_for_numbers(self) -> None:
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
    """``value`` again and again, each time with the spoiler in another place: of a part, of a key, of all of it."""
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
    """An object of these keys, each of which may be away or hold anything; or something else entirely."""
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
@settings(max_examples=200, deadline=None)
def test_whatever_a_crash_holds_only_printable_text_comes_out(crash: dict[str, Any], width: int) -> None:
    assert_only_printable(report(crash, all_threads=True, modules=True))
    assert_only_printable(SGR.sub("", on_terminal(crash, width, all_threads=True, modules=True)))


def walked(sample: str) -> dict[str, Any]:
    dump = SAMPLES / sample / "upload_file_minidump.dmp"
    command = [stackwalker(), "--json", "--symbols-path", SAMPLES / "symbols", dump]
    json_dump: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return processed(json_dump=json_dump)


def test_the_segfault_of_the_samples_shows_both_functions_that_are_inlined() -> None:
    text = report(walked("segfault"))
    assert re.search(r"^Crashing thread \d, Thumbnailer #[12]: \d+ frames$", text, re.MULTILINE)
    exif, thumbnail = "lightbox/photos/exif.h", "lightbox/photos/thumbnail.cpp"
    library = "liblightbox_photos.so"
    assert [re.sub(r":\d+", "", line.replace("::", ".")) for line in lines_of_stack(text)[:4]] == [
        f"0 inlined lightbox.exif.Directory.find(unsigned short) const {exif} {library}",
        f"0 inlined lightbox.exif.orientation_of(lightbox.exif.File) {exif} {library}",
        f"0 context lightbox.Thumbnail.turn_upright(lightbox.exif.File) {thumbnail} {library}",
        f"1 cfi lightbox.Thumbnail.render(lightbox.exif.File) {thumbnail} {library}",
    ]


def test_the_abort_of_the_samples_begins_with_doubtful_frames_of_a_library_without_symbols() -> None:
    text = report(walked("abort"))
    first, second, *_ = lines_of_stack(text)
    assert re.fullmatch(r"0 context libc\.so\.6 \+ 0x[0-9a-f]+ no symbols libc\.so\.6", first)
    assert re.fullmatch(r"1 scan\? libc\.so\.6 \+ 0x[0-9a-f]+ no symbols libc\.so\.6", second)
    assert re.search(r"^scan\?: doubtful", text, re.MULTILINE)
    assert re.search(r"^No symbols for libc\.so\.6/[0-9A-F]+\. ", text, re.MULTILINE)
