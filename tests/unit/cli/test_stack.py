"""The stacks in the report of ``socorro show``: frames, threads, missing symbols, modules."""

import json
import re
import subprocess
from typing import Any

import pytest

from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.signature.normal_form.frame import normalize_frame
from socorro_processor.stackwalk.deep_stacks import cut_deep_stacks
from tests.shared import SAMPLES, stackwalker
from tests.unit.cli.reports import CRASH_ID, frame, lines_of_stack, processed, report


class TestStack:
    def test_a_frame_shows_number_trust_function_source_and_module(self) -> None:
        text = report(processed(frame(function="decode(int)", file="/home/ci/build/codec/src/decode.cpp", line=7)))
        assert "Crashing thread 1, Decoder: 1 frame\n" in text
        assert lines_of_stack(text) == ["0 cfi decode(int) codec/src/decode.cpp:7 libcodec.so"]

    def test_inlined_functions_are_shown_above_the_frame_innermost_first(self) -> None:
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
            ({"module_offset": "0x000000000008aeec"}, "libcodec.so@0x8aeec"),
            ({"module_offset": None}, "libcodec.so"),
            ({"function": "<unknown in a.pdb>", "module_offset": "0x02"}, "libcodec.so@0x2  no name"),
            ({"module": "linux-vdso.so.1", "module_offset": "0x2"}, "linux-vdso.so.1@0x2  of the kernel"),
            ({"module": "linux-vdso.so.1", "function": "time"}, "time  linux-vdso.so.1"),
            ({"module": None, "offset": "0x00007f9e6a"}, "0x7f9e6a (in no module)"),
            ({"module": None, "offset": "0x1", "unloaded_modules": [{"module": "a.dll"}]}, "0x1 (unloaded: a.dll)"),
        ],
    )
    def test_a_frame_without_symbols_shows_its_address(self, fields: dict[str, Any], shown: str) -> None:
        text = re.sub("   +", "  ", report(processed(frame(**fields))))
        assert f"0  cfi  {shown}" in text

    def test_a_line_says_what_a_place_in_a_module_is_that_stands_for_a_function(self) -> None:
        text = report(processed(frame(function="f"), frame(1, module_offset="0x1"), frame(2, module_offset="0x2")))
        assert "\nmodule@0x...: a place in a module, where no symbols name a function (2 of 3 frames)\n" in text
        assert "module@0x" not in report(processed(frame(function="f")))

    def test_a_frame_without_a_function_has_the_name_that_signatures_give_it(self) -> None:
        for fields in ({"module_offset": "0x0008a"}, {"function": "<unknown in x.so>", "module_offset": "0x8a"}):
            name = normalize_frame(frame(**fields))
            assert name == "libcodec.so@0x8a"
            assert name in report(processed(frame(**fields)))

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
    def test_only_the_meaningful_part_of_a_path_is_shown(self, file: str, shown: str) -> None:
        assert f"  {shown}:12  " in report(processed(frame(function="f", file=file, line=12)))

    def test_a_stack_that_was_cut_says_how_many_frames_it_had(self) -> None:
        crash = processed(*(frame(number, function="f") for number in range(10_000)))
        for thread in crash["json_dump"]["threads"]:
            thread["frame_count"] = len(thread["frames"])
        crash["json_dump"]["crashing_thread"]["frame_count"] = 10_000
        cut_deep_stacks(crash["json_dump"])
        text = report(crash)
        assert "Crashing thread 1, Decoder: 500 frames of 10000: the stack is truncated\n" in text
        assert lines_of_stack(text)[-1] == "9999 cfi f libcodec.so"

    def test_missing_symbols_are_named_with_what_to_do(self) -> None:
        text = report(processed(frame(module="libc.so.6", module_offset="0x1"), frame(1, function="f")))
        assert lines_of_stack(text)[0] == "0 cfi libc.so.6@0x1 no symbols libc.so.6"
        todo = f"Once a symbol store has the symbols:\n  socorro process {CRASH_ID}"
        assert f"No symbols for 1 of 2 modules of this stack:\n  libc.so.6/C0FFEE0\n{todo}\n" in text

    @pytest.mark.parametrize("name", ["linux-vdso.so.1", "linux-gate.so.1", "[vdso]"])
    def test_symbols_of_the_kernels_module_which_nobody_has_are_not_asked_for(self, name: str) -> None:
        crash = processed(frame(module=name, missing_symbols=True), frame(1, function="f"))
        crash["json_dump"]["modules"].append({"filename": name, "debug_file": name, "debug_id": "AB1"})
        crash["json_dump"]["modules"][-1]["missing_symbols"] = True
        text = report(crash, modules=True)
        assert "No symbols for" not in text
        assert re.search(rf"^{re.escape(name)} +- +AB1 +no$", text, re.MULTILINE)

    @pytest.mark.parametrize(
        ("places", "file", "advice"),
        [
            (
                SymbolPlaces(("/site/symbols", "/more")),
                "",
                f"To add symbols to /site/symbols, and to walk the crash again:\n  socorro symbols add PROGRAM\n"
                f"  socorro process {CRASH_ID}\n",
            ),
            (
                SymbolPlaces(("/site/symbols",), working_directory="/home/a\x1b"),
                "",
                "To add symbols to /site/symbols, and to walk the crash again, in /home/a\\x1b:\n"
                f"  socorro symbols add PROGRAM\n  socorro process {CRASH_ID}\n",
            ),
            (
                SymbolPlaces(("/site/symbols",), server="https://crashes.example.com"),
                "",
                "To add symbols, send the program or library as it was built, with its debug information:\n"
                "  curl --fail-with-body -F symbols=@PROGRAM https://crashes.example.com/symbols\n"
                "Or upload it in a browser, at https://crashes.example.com/symbols. Then press Process again at the "
                "top of the page of the crash.\n",
            ),
            (
                SymbolPlaces(("/site/symbols",), server="http://a", reprocesses=False),
                "",
                "To add symbols, send the program or library as it was built, with its debug information:\n"
                "  curl --fail-with-body -F symbols=@PROGRAM http://a/symbols\n"
                "Or upload it in a browser, at http://a/symbols.\n",
            ),
            (
                SymbolPlaces(server="http://a"),
                "",
                "Once a symbol store has them: press Process again at the top of the page of the crash.\n",
            ),
            (
                SymbolPlaces(("/site/symbols", "/more")),
                "my app.dmp",
                "Searched: /site/symbols, /more. To add symbols, and to walk the minidump again:\n"
                "  socorro symbols add PROGRAM 'my app.dmp'\n  socorro process 'my app.dmp'\n",
            ),
            (
                SymbolPlaces(("/x/a b", "/y\x1b[2J"), are_given=True),
                "app.dmp",
                "Searched: /x/a b, /y\\x1b[2J. Once the symbols are there:\n"
                "  socorro process app.dmp --symbols='/x/a b' --symbols='/y\\x1b[2J'\n",
            ),
            (SymbolPlaces(), "app.dmp", "If a directory has symbols:\n  socorro process app.dmp --symbols=DIRECTORY\n"),
        ],
    )
    def test_the_report_says_where_symbols_were_looked_for_and_how_to_add_them(
        self, places: SymbolPlaces, file: str, advice: str
    ) -> None:
        text = report(processed(frame(module="libc.so.6", module_offset="0x1")), places=places, file=file)
        assert f"\n  libc.so.6/C0FFEE0\n{advice}" in text

    @pytest.mark.parametrize("debug_id", [None, "0" * 33])
    def test_a_module_that_no_symbol_store_can_have_is_reported_as_without_a_debug_id(
        self, debug_id: str | None
    ) -> None:
        crash = processed(frame(module="base.apk"))
        crash["json_dump"]["modules"].append({"filename": "base.apk", "debug_id": debug_id, "missing_symbols": True})
        assert "\n  base.apk (without a debug id)\n" in report(crash)

    def test_a_corrupt_symbol_file_is_called_corrupt(self) -> None:
        module = {"filename": "a.so", "debug_file": "a.so", "debug_id": "AB1", "loaded_symbols": True}
        crash = processed(frame(module="a.so", missing_symbols=True))
        crash["json_dump"]["modules"].append(module | {"corrupt_symbols": True})
        text = report(crash)
        assert lines_of_stack(text)[0].endswith("corrupt symbols a.so")
        assert "\n  a.so/AB1: there is a symbol file, but it is corrupt: the stackwalker rejects it\n" in text
        assert "without a debug id" not in text

    def test_symbols_that_nobody_looked_for_are_named_by_their_id(self) -> None:
        crash = processed(frame(module="a.so", missing_symbols=True))
        crash["json_dump"]["modules"].append({"filename": "a.so", "debug_file": "a.so", "debug_id": "AB1"})
        assert "\n  a.so/AB1\n" in report(crash)

    def test_only_the_first_of_many_modules_without_symbols_are_named(self) -> None:
        text = report(processed(*(frame(n, module=f"lib{n}.so", missing_symbols=True) for n in range(9))))
        assert re.search(r"No symbols for 9 of 9 modules of this stack:\n(  lib[0-4]\.so .*\n){5}  and 4 more\n", text)

    def test_a_truncated_stack_is_called_truncated(self) -> None:
        crash = processed(frame(function="f"))
        crash["json_dump"]["crashing_thread"] |= {"frames_truncated": True, "total_frames": 900}
        assert "Decoder: 1 frame of 900: the stack is truncated\n" in report(crash)

    def test_the_middle_of_five_thousand_frames_is_left_out(self) -> None:
        text = report(processed(*(frame(n, function=f"step_{n}") for n in range(5000))))
        shown = lines_of_stack(text)
        assert (len(shown), shown[79][:2], shown[80][:4]) == (100, "79", "4980")
        assert "... 4900 more lines, which --json has ...\n" in text

    @pytest.mark.parametrize("functions", [["walk"], ["walk", "visit"], ["visit", "walk", "walk", "step"]])
    def test_a_recursion_shows_its_first_two_rounds_and_the_last(self, functions: list[str]) -> None:
        around = ["overflow", *functions * 90, "main"]
        text = report(processed(*(frame(n, function=name) for n, name in enumerate(around))))
        numbers = [*range(1 + 2 * len(functions)), *range(len(around) - 1 - len(functions), len(around))]
        assert lines_of_stack(text) == [f"{n} cfi {around[n]} libcodec.so" for n in numbers]
        what = "this line" if len(functions) == 1 else f"these {len(functions)} lines"
        assert f"  ... {what} 87 times more ...\n" in text

    def test_a_recursion_of_a_few_rounds_is_shown_whole(self) -> None:
        frames = [frame(n, function=name) for n, name in enumerate(["walk", "visit"] * 4)]
        assert len(lines_of_stack(report(processed(*frames)))) == len(frames)

    def test_other_threads_are_shown_on_request(self) -> None:
        crash = processed(frame(function="f"))
        assert "Thread 0" not in report(crash)
        assert report(crash, all_threads=True).count("Decoder") == 1
        assert "\nThread 0, main: 1 frame\n  0  context  poll\n" in report(crash, all_threads=True)

    def test_a_hang_also_shows_the_thread_that_its_signature_is_made_of(self) -> None:
        assert "\nThread 0, main: 1 frame\n" in report(processed(signature="shutdownhang | poll"))

    def test_further_dumps_follow_the_main_one(self) -> None:
        plugin = processed(frame(function="plugin_main"))
        crash = processed(frame(function="f"), additional_minidumps=["flash", "lost"], flash=plugin)
        dumps = report(crash).split("\nDump ")
        assert ["flash" in dumps[1], "plugin_main" in dumps[1], dumps[2].splitlines()[0]] == [True, True, "lost"]
        assert "No stack" in dumps[2]


class TestModules:
    def test_further_dumps_are_only_counted_by_default(self) -> None:
        assert "\n3 modules, symbols: 1 of 2 asked for, 1 missing (--modules shows them)\n" in report(processed())
        assert "(--modules shows them)" not in report(processed(), modules=True)

    def test_further_dumps_are_listed_on_request(self) -> None:
        text = report(processed(), modules=True)
        rows = [line.split() for line in text.partition("\nModules")[2].partition("\n\n")[0].splitlines()[2:]]
        assert rows == [
            ["libcodec.so", "4.1", "AB1", "yes"],
            ["libc.so.6", "-", "C0FFEE0", "missing"],
            ["libz.so", "-", "DD2", "no"],
        ]


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
    assert re.fullmatch(r"0 context libc\.so\.6@0x[0-9a-f]+ no symbols libc\.so\.6", first)
    assert re.fullmatch(r"1 scan\? libc\.so\.6@0x[0-9a-f]+ no symbols libc\.so\.6", second)
    assert re.search(r"^scan\?: doubtful", text, re.MULTILINE)
    assert re.search(r"^No symbols for 1 of 3 modules of this stack:\n  libc\.so\.6/[0-9A-F]+$", text, re.MULTILINE)
