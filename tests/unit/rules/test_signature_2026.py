"""The rules of 2026 that make the signature; the worked cases are in the golden tests."""

from __future__ import annotations

import json

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.signature_2026 import (
    NO_EXCEPTION,
    SignatureGenerationRule2026,
    SignatureRunWatchDog2026,
    SigTrunc2026,
)
from socorro_processor.rules.signature_rewriting_2026 import (
    AbortSignature2026,
    AsyncShutdownTimeoutSignature,
    BadHardwareSignature,
    HangSignature,
    OOMSignature2026,
    SignatureIPCChannelError2026,
    SignatureIPCMessageName,
    StackOverflowSignature,
)
from socorro_processor.signature.java_signature import NO_STACK
from socorro_processor.signature.siglists import FILES, IRRELEVANT, LINE_NUMBERS, PREFIX, SENTINELS

CRASH_ID = "00000000-0000-4000-8000-000000261124"


@pytest.fixture
def options(tmp_path):
    lists = {PREFIX: "abort\nraise\nguard\n", SENTINELS: "guard\n", IRRELEVANT: "start\n", LINE_NUMBERS: "loop$\n"}
    for name in FILES:
        (tmp_path / name).write_text(lists.get(name, ""))
    return {"c_signature.siglists_directory": str(tmp_path)}


@pytest.fixture
def rule(options) -> SignatureGenerationRule2026:
    return SignatureGenerationRule2026(defaults(SignatureGenerationRule2026, **options))


def crash_in(*frames: str | dict[str, object], crashing_thread: object = 0, **raw: object) -> Crash:
    thread = {"frames": [frame if isinstance(frame, dict) else {"function": frame} for frame in frames]}
    json_dump = {"threads": [thread], "crash_info": {"crashing_thread": crashing_thread}}
    return Crash(CRASH_ID, raw, {}, {"json_dump": json_dump, "mdsw_status_string": "OK"})


def signed(
    signature: str, raw: dict[str, object] | None = None, json_dump: object = None, **processed: object
) -> Crash:
    return Crash(CRASH_ID, raw or {}, {}, {"signature": signature, "json_dump": json_dump} | processed)


@pytest.mark.parametrize(
    ("frames", "signature"),
    [
        (("abort", "raise", "raise", "load", "main"), "abort | raise | load"),
        (("abort", "start", "abort", "load"), "abort | load"),
        (("abort", "raise", "abort", "load"), "abort | raise | abort | load"),
        (("top", "guard", "load"), "guard | load"),
        (("start", "start"), "start"),
        (({}, {"function": ""}, "load"), "load"),
        (({"function": "loop", "line": 7},), "loop:7"),
        (("it's",), "it's"),
        (({"function": "abort", "inlines": [{"function": "load"}]}, "main"), "load"),
        (({"function": "load", "inlines": [{"function": "abort"}, {"function": "raise"}]},), "abort | raise | load"),
        (({"function": "load", "inlines": {"function": "x"}}, "main"), "load"),
        (({"function": "load", "inlines": ["x", None, 3]},), "load"),
        ((), "EMPTY: no frame data available; OK"),
        (({}, {}), "EMPTY: no frame data available; OK"),
    ],
)
def test_a_signature_is_made_from_frames_and_inlined_functions(rule, frames, signature):
    crash = crash_in(*frames)

    assert rule.act(crash) == (True, True)
    assert crash.processed["signature"] == signature


def test_inlined_functions_count_for_the_maximum_of_frames(rule):
    crash = crash_in(*({"function": "abort", "inlines": [{"function": "raise"}] * 3} for _ in range(50)))

    rule.act(crash)

    assert crash.processed["proto_signature"].count("|") == 39
    assert crash.processed["json_dump"]["threads"][0]["frames"][0]["inlines"][0]["normalized"] == "raise"


GUESS = {"trust": "scan", "module": "libharbor.so", "module_offset": "0x90", "missing_symbols": False}


@pytest.mark.parametrize(
    ("frame", "signature"),
    [
        (GUESS, "abort | load"),
        (GUESS | {"function": "<.plt ELF section in libharbor.so>"}, "abort | load"),
        (GUESS | {"function": "<.plt.got ELF section in libharbor.so>"}, "abort | load"),
        (GUESS | {"function": "raise"}, "abort | raise | load"),
        (GUESS | {"function": "<unknown in libharbor.so>"}, "abort | libharbor.so@0x90"),
        (GUESS | {"function": 7}, "abort | libharbor.so@0x90"),
        (GUESS | {"missing_symbols": True}, "abort | libharbor.so@0x90"),
        (GUESS | {"missing_symbols": None}, "abort | libharbor.so@0x90"),
        (GUESS | {"trust": "cfi"}, "abort | libharbor.so@0x90"),
    ],
)
def test_a_guess_that_symbols_refute_is_left_out(rule, frame, signature):
    crash = crash_in("abort", frame, "load")

    rule.act(crash)

    assert crash.processed["signature"] == signature
    assert crash.processed["proto_signature"] == (signature if signature.endswith("load") else f"{signature} | load")


def test_the_frame_that_crashed_is_never_left_out(rule):
    crash = crash_in(GUESS | {"trust": "context"}, "load")

    rule.act(crash)

    assert crash.processed["signature"] == "libharbor.so@0x90"


def test_thread_0_stands_for_the_thread_that_crashed_if_that_is_not_known(rule):
    crash = crash_in("load", crashing_thread=None)

    rule.act(crash)

    assert crash.processed["signature"] == "load"
    assert crash.notes == ["it is not known which thread crashed: the signature is that of thread 0"]


def test_a_module_keeps_its_letters_in_the_stack_and_not_in_the_name(rule):
    crash = crash_in({"module": "Deck.DLL", "module_offset": "0x10"})
    crash.processed["json_dump"]["system_info"] = {"os": "Windows NT"}

    rule.act(crash)

    assert crash.processed["signature"] == "deck.dll@0x10"
    assert crash.processed["json_dump"]["threads"][0]["frames"][0]["module"] == "Deck.DLL"


STACK = "a.B: secret\n\tat c.D.e(F.java:1)"
OBJECT = {"exception": {"values": [{"type": "G", "module": "h"}]}}


@pytest.mark.parametrize(
    ("raw", "signature"),
    [
        ({"JavaStackTrace": STACK}, "a.B: at c.D.e(F.java)"),
        ({"exception_info": STACK}, "a.B: at c.D.e(F.java)"),
        ({"JavaStackTrace": " \n", "exception_info": STACK}, "a.B: at c.D.e(F.java)"),
        ({"JavaStackTrace": STACK, "JavaException": json.dumps(OBJECT)}, "a.B: at c.D.e(F.java)"),
        ({"JavaException": json.dumps(OBJECT)}, "h.G"),
        ({"JavaException": OBJECT}, "h.G"),
        ({"JavaStackTrace": "secret", "JavaException": OBJECT}, "h.G"),
        ({"JavaStackTrace": "secret"}, "load"),
        ({"JavaStackTrace": ["secret"]}, "load"),
        ({"JavaException": "{"}, "load"),
        ({"JavaException": "[" * 100_000}, "load"),
        ({"JavaException": None, "JavaStackTrace": ""}, "load"),
    ],
)
def test_java_comes_before_the_native_stack_if_it_can_be_read(rule, raw, signature):
    crash = crash_in("load", **raw)

    rule.act(crash)

    assert crash.processed["signature"] == signature
    assert "secret" not in "".join(crash.notes)


@pytest.mark.parametrize(
    ("raw", "signature", "notes"),
    [
        ({"JavaStackTrace": "secret"}, NO_STACK, ["JavaStackTrace is not in the expected format"]),
        ({"JavaException": "secret"}, NO_EXCEPTION, ["JavaException is not in the expected format"]),
    ],
)
def test_unreadable_java_is_named_if_there_is_nothing_else(rule, raw, signature, notes):
    crash = Crash(CRASH_ID, raw)

    rule.act(crash)

    assert (crash.processed["signature"], crash.notes) == (signature, notes)


def test_a_shutdown_that_hangs_is_signed_by_thread_0(options):
    watchdog = SignatureRunWatchDog2026(defaults(SignatureRunWatchDog2026, **options))
    crash = crash_in("load", crashing_thread=3)
    crash.processed["signature"] = "abort | ferry::RunWatchdog"

    assert watchdog.act(crash) == (True, True)
    assert crash.processed["signature"] == "shutdownhang | load"
    assert crash.notes == []


def reason(text: str) -> dict[str, object]:
    return {"crash_info": {"type": text, "crashing_thread": 0}}


def last_error(text: str) -> dict[str, object]:
    return {"crash_info": {"crashing_thread": 0}, "threads": [{"last_error_value": text}]}


@pytest.mark.parametrize(
    ("rule", "crash", "signature"),
    [
        (BadHardwareSignature, signed("S", json_dump=reason("A / STATUS_DEVICE_DATA_ERROR")), "bad hardware | S"),
        (BadHardwareSignature, signed("S", json_dump=reason("A / STATUS_X")), "S"),
        (OOMSignature2026, signed("S", {"OOMAllocationSize": "262144"}), "OOM | small"),
        (OOMSignature2026, signed("S", {"OOMAllocationSize": "262145"}), "OOM | large | S"),
        (OOMSignature2026, signed("S", {"oom-size": 1e9}), "OOM | large | S"),
        (OOMSignature2026, signed("S", {"OOMAllocationSize": " ", "oom-size": "1"}), "OOM | small"),
        (OOMSignature2026, signed("S", {"OOMAllocationSize": "-1"}), "S"),
        (OOMSignature2026, signed("S", {"OOMAllocationSize": "much"}), "S"),
        (OOMSignature2026, signed("S", {"JSLargeAllocationFailure": "Reporting"}), "OOM | large | S"),
        (OOMSignature2026, signed("S", {"JSLargeAllocationFailure": "Recovered"}), "S"),
        (OOMSignature2026, signed("S", json_dump=reason("STATUS_NO_MEMORY / 0x1")), "OOM | unknown | S"),
        (OOMSignature2026, signed("S", json_dump=reason("STATUS_NO_MEMORY_LEFT_SIDE")), "S"),
        (OOMSignature2026, signed("S", json_dump=last_error("ERROR_NOT_ENOUGH_MEMORY")), "OOM | unknown | S"),
        (OOMSignature2026, signed("S", json_dump=last_error("ERROR_FILE_NOT_FOUND")), "S"),
        (OOMSignature2026, signed("S", json_dump={"crash_info": {}, "threads": [{"last_error_value": []}]}), "S"),
        (OOMSignature2026, signed("alloc::alloc::handle_alloc_error | S"), None),
        (OOMSignature2026, signed("alloc::oom::oom"), None),
        (OOMSignature2026, signed("a::oom | alloc::oom | b::oom"), "a::oom | alloc::oom | b::oom"),
        (OOMSignature2026, signed("a::AutoEnterOOMUnsafeRegion::crash"), None),
        (OOMSignature2026, signed("ferry::handle_alloc_error_dialog"), "ferry::handle_alloc_error_dialog"),
        (AbortSignature2026, signed("S", {"AbortMessage": "it's"}), "Abort | it's | S"),
        (AbortSignature2026, signed("S", {"AbortMessage": "###!!! ABORT: file a.c, line 3"}), "Abort | S"),
        (AbortSignature2026, signed("S", {"AbortMessage": " \n"}), "S"),
        (AbortSignature2026, signed("S", {"AbortMessage": ["x"]}), "S"),
        (SignatureIPCMessageName, signed("S", {"IPCMessageName": "P::M"}), "S | IPC_Message_Name=P::M"),
        (SignatureIPCMessageName, signed("S", {"IPCMessageName": ""}), "S"),
        (StackOverflowSignature, signed("S", json_dump=reason("EXCEPTION_STACK_OVERFLOW")), "stackoverflow | S"),
        (StackOverflowSignature, signed("S", json_dump=reason("EXCEPTION_BREAKPOINT")), "S"),
        (HangSignature, signed("S", {"Hang": "ui"}), "hang: ui | S"),
        (HangSignature, signed("S", {"Hang": 1}), "hang: 1 | S"),
        (HangSignature, signed("S", {"Hang": "0"}), "S"),
        (HangSignature, signed("S", {"Hang": " "}), "S"),
        (
            SignatureIPCChannelError2026,
            signed("S", {"ipc_channel_error": "x" * 101}),
            f"IPCError-content | {'x' * 100}",
        ),
        (
            SignatureIPCChannelError2026,
            signed("S", {"ipc_channel_error": "x"}, additional_minidumps=["upload_file_minidump_browser"]),
            "IPCError-browser | x",
        ),
        (SignatureIPCChannelError2026, signed("S", {"ipc_channel_error": ""}), "S"),
        (SigTrunc2026, signed("a \n b\u202e'\u200b"), "a b'"),
        (SigTrunc2026, signed("x" * 256), "x" * 252 + "..."),
    ],
)
def test_facts_are_added_to_a_signature(rule, crash, signature):
    expected = f"OOM | unknown | {crash.processed['signature']}" if signature is None else signature

    rule().act(crash)

    assert crash.processed["signature"] == expected


@pytest.mark.parametrize(
    ("timeout", "rest"),
    [
        ({"phase": "quit", "conditions": [{"name": "b"}, "a"]}, "quit | a,b"),
        ({"phase": "quit", "conditions": []}, "quit | (none)"),
        ({"phase": "quit", "conditions": "(none)"}, "quit | (none)"),
        ({"conditions": [{}]}, "(unknown) | (unknown)"),
        ({}, "(unknown) | (none)"),
        ([], "UNKNOWN"),
        ("quit", "UNKNOWN"),
        (None, "UNKNOWN"),
    ],
)
def test_a_shutdown_that_timed_out_is_signed_by_what_it_waited_for(timeout, rest):
    crash = signed("S", {"AsyncShutdownTimeout": json.dumps(timeout)})

    AsyncShutdownTimeoutSignature().act(crash)

    assert crash.processed["signature"] == f"AsyncShutdownTimeout | {rest}"


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\ud800"])
def test_a_timeout_that_is_not_json_is_unknown(text):
    crash = signed("S", {"AsyncShutdownTimeout": text})

    AsyncShutdownTimeoutSignature().act(crash)

    assert crash.processed["signature"] == "AsyncShutdownTimeout | UNKNOWN"
