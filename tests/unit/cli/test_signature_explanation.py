"""``socorro signature --explain`` for crashes of 2026: each frame, the steps to its name, and the rules behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.cli.main import main
from socorro_processor.signature.siglists import FILES, IRRELEVANT, LINE_NUMBERS, PREFIX, SENTINELS, TRIM_DLL

ALGORITHM = "socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"
CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"
LISTS = {
    SENTINELS: "yard::handler\n",
    IRRELEVANT: "gsignal$\n",
    PREFIX: "abort$\nyard::handler$\nlibmali\\.so$\nyard::Cache<T>::\n",
    TRIM_DLL: "libmali\\.so@\n",
    LINE_NUMBERS: "yard::interpret$\n",
}

Explain = Callable[..., str]


def crash(*frames: str | dict[str, Any], others: tuple[list[Any], ...] = (), **fields: Any) -> dict[str, Any]:
    """A processed crash of 2026, whose first thread has these frames, and crashed."""
    threads = [
        {"frames": [{"function": each} if isinstance(each, str) else each for each in thread]}
        for thread in (frames, *others)
    ]
    json_dump = {"crash_info": {"crashing_thread": 0}, "threads": threads}
    return {"uuid": CRASH_ID, "processing": {"algorithm": 2026}, "json_dump": json_dump} | fields


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    """Explains a crash; returns what is printed for it."""
    for name in FILES:
        (tmp_path / name).write_text(LISTS[name])
    monkeypatch.chdir(tmp_path)

    def explain(processed: dict[str, Any], *options: str) -> str:
        Path("crash.json").write_text(json.dumps(processed))
        options = (
            f"--processor.processor_class={ALGORITHM}",
            f"--resource.signature.siglists_directory={tmp_path}",
            *options,
        )
        assert main(["signature", "crash.json", "--explain", *options], environ={}) == 0
        return capsys.readouterr().out

    return explain


def lines_of(printed: str, frame: int) -> list[str]:
    """The lines that are printed of a frame: its own, and those below it."""
    lines = printed.splitlines()
    begin = next(number for number, line in enumerate(lines) if re.match(rf" *{frame}  ", line))
    behind = next(number for number, line in enumerate(lines[begin + 1 :], begin + 1) if not line.startswith("     "))
    return [re.sub("  +", "  ", line.strip()) for line in lines[begin:behind]]


def test_a_frame_has_its_original_each_step_and_what_the_lists_made_of_it(explain: Explain) -> None:
    printed = explain(
        crash(
            "yard::report()",
            "yard::handler(int)",
            "gsignal",
            {"module": "libmali.so", "module_offset": "0x0001f4c"},
            {"module": "libmali.so", "module_offset": "0x20"},
            "yard::Cache<yard::Key<int> >::put(int , char) [clone .cold.3]",
            {"function": "yard::interpret()", "line": 12},
            "main",
        )
    )
    assert lines_of(printed, 0) == [
        "0  above the sentinel  yard::report",
        "original  yard::report()",
        "read as a declaration  yard::report",
        "left out  above the sentinel: it only handled the crash",
    ]
    assert lines_of(printed, 1) == [
        "1  prefix  yard::handler",
        "original  yard::handler(int)",
        "read as a declaration  yard::handler",
        f"begins here  {SENTINELS}, line 1: yard::handler",
        f"next one too  {PREFIX}, line 2: yard::handler$",
    ]
    assert lines_of(printed, 2) == ["2  irrelevant  gsignal", f"left out  {IRRELEVANT}, line 1: gsignal$"]
    assert lines_of(printed, 3) == [
        "3  prefix  libmali.so",
        "original  libmali.so + 0x0001f4c",
        "module and offset  libmali.so@0x1f4c",
        f"offset cut  {TRIM_DLL}, line 1: libmali\\.so@",
        f"next one too  {PREFIX}, line 3: libmali\\.so$",
    ]
    assert lines_of(printed, 4)[-1] == "left out  the same as the frame that was taken before"
    assert lines_of(printed, 5) == [
        "5  prefix  yard::Cache<T>::put",
        "original  yard::Cache<yard::Key<int> >::put(int , char) [clone .cold.3]",
        "without suffixes  yard::Cache<yard::Key<int> >::put(int , char)",
        "read as a declaration  yard::Cache<T>::put",
        f"next one too  {PREFIX}, line 4: yard::Cache<T>::",
    ]
    assert lines_of(printed, 6) == [
        "6  end  yard::interpret:12",
        "original  yard::interpret()",
        "read as a declaration  yard::interpret",
        f"line added  {LINE_NUMBERS}, line 1: yard::interpret$",
        f"ends here  no entry of {PREFIX}",
    ]
    assert "\nBelow the end, not in the signature\n 7  main\n" in printed
    assert printed.endswith(
        "\nThe signature of the stack\n"
        "  yard::handler | libmali.so | yard::Cache<T>::put | yard::interpret:12\n"
        "  begins with frame 1, a sentinel\n"
        "  ends with frame 6, the first that is not a prefix\n"
    )


def test_an_inlined_function_says_into_which_frame(explain: Explain) -> None:
    inlines = [{"function": "abort"}, {"function": "yard::Key::get()"}]
    printed = explain(crash("gsignal", {"function": "yard::put()", "inlines": inlines}, "main"))
    assert printed.startswith(f"{CRASH_ID} abort | yard::Key::get\n")
    assert "inlined into  frame 3" in lines_of(printed, 1)
    assert "inlined into  frame 3" in lines_of(printed, 2)
    assert not any("inlined" in line for line in lines_of(printed, 0))


def test_a_guess_that_is_left_out_shifts_no_inlined_function(explain: Explain) -> None:
    guess = {"module": "yard", "module_offset": "0x1", "trust": "scan", "missing_symbols": False}
    printed = explain(crash(guess, {"function": "yard::put()", "inlines": [{"function": "abort"}]}))
    assert "inlined into  frame 1" in lines_of(printed, 0)
    assert lines_of(printed, 1)[0] == "1  end  yard::put"


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (
            {"file": "c:\\yard\\gate.cc", "line": 7, "module": "yard.dll", "module_offset": "0x1"},
            ["0  end  gate.cc#7", "original  c:\\\\yard\\\\gate.cc:7", "file and line  gate.cc#7"],
        ),
        (
            {"offset": "0x7ff0", "unloaded_modules": [{"module": "aqua.so", "offsets": ["0x010"]}]},
            [
                "0  end  (unloaded aqua.so@0x10)",
                "original  0x7ff0",
                "unloaded module and offset  (unloaded aqua.so@0x10)",
            ],
        ),
        ({"offset": "0x007f"}, ["0  end  @0x7f", "original  0x007f", "address  @0x7f"]),
        (
            {"function": "<unknown in yard.so>", "module_offset": "0x1"},
            [
                "0  end  yard.so@0x1",
                "original  <unknown in yard.so>",
                "a placeholder is not a function",
                "module and offset  yard.so@0x1",
            ],
        ),
        ({}, ["0  irrelevant", "left out  nothing names it"]),
    ],
)
def test_a_frame_without_a_function_says_what_names_it(
    frame: dict[str, Any], shown: list[str], explain: Explain
) -> None:
    lines = lines_of(explain(crash(frame)), 0)
    assert [line.replace("\\\\", "\\") for line in lines[: len(shown)]] == [
        line.replace("\\\\", "\\") for line in shown
    ]


@pytest.mark.parametrize(
    ("fields", "rule", "because", "signature"),
    [
        (
            {"abort_message": "no \x1b gate"},
            "AbortSignature2026",
            "AbortMessage is no \\x1b gate",
            "Abort | no gate | f",
        ),
        ({"oom_allocation_size": 8}, "OOMSignature2026", "an allocation of 8 bytes failed", "OOM | small"),
        (
            {"oom_allocation_size": 1000000},
            "OOMSignature2026",
            "an allocation of 1,000,000 bytes failed",
            "OOM | large | f",
        ),
        (
            {"js_large_allocation_failure": "Reporting"},
            "OOMSignature2026",
            "JSLargeAllocationFailure is Reporting",
            "OOM | large | f",
        ),
        ({"hang": "ui"}, "HangSignature", "Hang is ui", "hang: ui | f"),
        (
            {"ipc_message_name": "PYard"},
            "SignatureIPCMessageName",
            "IPCMessageName is PYard",
            "f | IPC_Message_Name=PYard",
        ),
        (
            {"async_shutdown_timeout": "{}"},
            "AsyncShutdownTimeoutSignature",
            "AsyncShutdownTimeout is {}",
            "AsyncShutdownTimeout | (unknown) | (none)",
        ),
        (
            {"ipc_channel_error": "ShutDownKill"},
            "SignatureIPCChannelError2026",
            "ipc_channel_error is ShutDownKill",
            "IPCError-content | ShutDownKill",
        ),
    ],
)
def test_a_rule_that_rewrites_the_signature_says_why(
    fields: dict[str, Any], rule: str, because: str, signature: str, explain: Explain
) -> None:
    printed = explain(crash("f", **fields))
    assert printed.startswith(f"{CRASH_ID} {signature}\n")
    assert f"\nThen\n  {rule}\n     because    {because}\n     signature  {signature}\n" in printed


@pytest.mark.parametrize(
    ("type_", "function", "rule", "because"),
    [
        (
            "X / STATUS_DEVICE_DATA_ERROR",
            "f",
            "BadHardwareSignature",
            "the reason of the crash is X / STATUS_DEVICE_DATA_ERROR",
        ),
        (
            "EXCEPTION_STACK_OVERFLOW",
            "f",
            "StackOverflowSignature",
            "the reason of the crash is EXCEPTION_STACK_OVERFLOW",
        ),
        ("X / STATUS_NO_MEMORY", "f", "OOMSignature2026", "the reason of the crash is X / STATUS_NO_MEMORY"),
        ("", "yard::handle_alloc_error", "OOMSignature2026", "the signature has yard::handle_alloc_error"),
        ("", "y" * 300, "SigTrunc2026", "it has more than 255 characters"),
    ],
)
def test_a_reason_may_be_in_the_dump_or_in_the_signature(
    type_: str, function: str, rule: str, because: str, explain: Explain
) -> None:
    processed = crash(function)
    processed["json_dump"]["crash_info"]["type"] = type_
    assert f"\nThen\n  {rule}\n     because    {because}\n" in explain(processed)


def test_no_rule_is_named_that_left_the_signature_as_it_was(explain: Explain) -> None:
    assert "\nThen\n" not in explain(crash("f", hang="0", abort_message=" "))


def test_a_watchdog_says_first_why_another_thread_is_signed(explain: Explain) -> None:
    processed = crash("yard::RunWatchdog(void*)", others=(["idle"],))
    processed["json_dump"]["threads"].reverse()
    processed["json_dump"]["crash_info"]["crashing_thread"] = 1
    printed = explain(processed)
    assert (
        "\nAt first\n"
        "  SignatureGenerationRule2026\n"
        "     signature  yard::RunWatchdog\n"
        "  SignatureRunWatchDog2026\n"
        "     because    the signature has RunWatchdog, so thread 0 is signed\n"
        "     signature  shutdownhang | idle\n"
        "\nFrames of thread 0, which is not the one that crashed\n"
    ) in printed
    assert "\nThen\n" not in printed


STACK = """java.lang.IllegalStateException: box of jane
\tat org.harbor.Crane.lift(Crane.java:212)
Caused by: java.io.EOFException: end of jane.txt
\tat org.harbor.Manifest.read(Manifest.java:8)
"""


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (
            {"java_stack_trace_raw": STACK},
            "\nExceptions of JavaStackTrace\n"
            "  thrown     java.lang.IllegalStateException: at org.harbor.Crane.lift(Crane.java)\n"
            "  caused by  java.io.EOFException: at org.harbor.Manifest.read(Manifest.java)\n"
            "\nThe signature of the stack\n"
            "  java.io.EOFException: at org.harbor.Manifest.read(Manifest.java)\n"
            "  the last cause counts, with its topmost frame; ",
        ),
        (
            {"java_exception_raw": {"exception": {"values": [{"type": "A", "module": "b", "stacktrace": {}}]}}},
            "\nExceptions of JavaException\n"
            "  thrown     b.A\n"
            "\nThe signature of the stack\n"
            "  b.A\n"
            "  the exception counts, which has no frame; ",
        ),
        (
            {"java_stack_trace": "malformed", "json_dump": {}},
            "\nNo Java exception could be read, and there is no minidump\n"
            "\nNotes\n"
            "  JavaStackTrace is not in the expected format\n",
        ),
    ],
)
def test_a_java_stack_shows_its_causes(fields: dict[str, Any], shown: str, explain: Explain) -> None:
    printed = explain(crash("f", **fields))
    assert shown in printed
    assert "jane" not in printed


def test_a_crash_without_frames_says_so(explain: Explain) -> None:
    printed = explain(crash(mdsw_status_string="HeaderMismatch"))
    assert "EMPTY: no frame data available; HeaderMismatch\n  there are no frames; " in printed


def test_where_no_frame_is_taken_the_first_name_stands_for_all(explain: Explain) -> None:
    printed = explain(crash("gsignal", "gsignal"))
    assert "  gsignal\n  no frame says anything: the first name stands for all\n" in printed


def test_hostile_texts_are_plain_and_bounded(explain: Explain) -> None:
    evil = "yard::\x1b[31m\u202e" + "<" * 3000 + "y" * 1_000_000
    printed = explain(crash(*[evil, *([{"function": evil, "inlines": [{"function": evil}]}] * 50)], abort_message=evil))
    assert printed.replace("\n", "").isprintable()
    assert max(map(len, printed.splitlines())) < 600
    assert len(printed) < 40_000


def test_a_terminal_is_never_too_narrow(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "12")):
        monkeypatch.setenv(name, value)
    assert "yard" in explain(crash("yard::put(int)", "main", hang="ui"))


def test_a_program_is_told_all_of_it(explain: Explain) -> None:
    inlines = [{"function": "abort"}]
    told = json.loads(explain(crash({"function": "yard::put(int)", "inlines": inlines}, hang="ui"), "--json"))
    assert told["signature"] == "hang: ui | abort | yard::put"
    first, second = told["explanation"]["frames"]
    assert (first["inlined_into"], first["effects"]) == (1, ["next one too"])
    assert (second["inlined_into"], second["effects"], second["walked"]) == (None, [], "yard::put(int)")
    assert second["steps"] == [
        {"name": "function", "text": "yard::put(int)"},
        {"name": "read as a declaration", "text": "yard::put"},
    ]
    assert told["rules"] == [
        {"rule": "SignatureGenerationRule2026", "reason": "", "signature": "abort | yard::put"},
        {"rule": "HangSignature", "reason": "Hang is ui", "signature": "hang: ui | abort | yard::put"},
    ]
    java = json.loads(explain(crash("f", java_stack_trace_raw=STACK), "--json"))["java"]
    assert (java["annotation"], len(java["exceptions"])) == ("JavaStackTrace", 2)
    assert java["signed"] == {"class_name": "java.io.EOFException", "frame": "org.harbor.Manifest.read(Manifest.java)"}
