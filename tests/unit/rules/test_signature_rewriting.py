"""Rules that add other facts than the stack to a signature."""

from __future__ import annotations

import pytest

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.signature_rewriting import (
    AbortSignature,
    OOMSignature,
    SignatureIPCChannelError,
    StackwalkerErrorSignatureRule,
)


def rewritten(rule: Rule, raw: dict[str, object], signature: str = "load", **processed: object) -> Crash:
    crash = Crash(id="", raw=dict(raw), processed={"signature": signature, **processed})
    rule.act(crash)
    return crash


@pytest.mark.parametrize(
    ("signature", "status", "outcome"),
    [
        ("EMPTY: no frames", "OK", "EMPTY: no frames; OK"),
        ("EMPTY: no frames", "ERROR_NO_THREAD_LIST", "EMPTY: no frames; ERROR_NO_THREAD_LIST"),
        ("EMPTY: no frames", None, "EMPTY: no frames"),
        ("load", "ERROR_NO_THREAD_LIST", "load"),
        ("hang | EMPTY", "OK", "hang | EMPTY"),
    ],
)
def test_an_empty_signature_names_the_outcome_of_the_stackwalk(signature, status, outcome):
    crash = rewritten(StackwalkerErrorSignatureRule(), {}, signature, mdsw_status_string=status)

    assert crash.processed["signature"] == outcome


@pytest.mark.parametrize(
    ("raw", "signature", "outcome"),
    [
        ({"OOMAllocationSize": "262144"}, "load", "OOM | small"),
        ({"OOMAllocationSize": "262145"}, "load", "OOM | large | load"),
        ({"OOMAllocationSize": "9" * 50}, "load", "OOM | large | load"),
        ({"OOMAllocationSize": " 1 "}, "load", "OOM | small"),
        ({"OOMAllocationSize": 1}, "load", "OOM | small"),
        ({}, "NS_ABORT_OOM | load", "OOM | unknown | NS_ABORT_OOM | load"),
        ({}, "mozalloc_handle_oom(unsigned int)", "OOM | unknown | mozalloc_handle_oom(unsigned int)"),
        ({}, "load | CrashAtUnhandlableOOM", "OOM | unknown | load | CrashAtUnhandlableOOM"),
        ({}, "js::AutoEnterOOMUnsafeRegion::crash", "OOM | unknown | js::AutoEnterOOMUnsafeRegion::crash"),
        ({"OOMAllocationSize": "1"}, "NS_ABORT_OOM", "OOM | small"),
    ],
)
def test_a_crash_for_lack_of_memory_is_marked_by_the_size_it_wanted(raw, signature, outcome):
    crash = rewritten(OOMSignature(), raw, signature)

    assert crash.processed == {"signature": outcome, "original_signature": signature}
    assert not crash.notes


@pytest.mark.parametrize("size", ["", "big", "1.5", "1_0", "\u0663", "9" * 5000, None, True, [1]])
def test_a_size_that_is_not_a_number_leaves_the_signature_and_is_noted(size):
    crash = rewritten(OOMSignature(), {"OOMAllocationSize": size})

    assert crash.processed == {"signature": "load", "original_signature": "load"}
    assert "OOMAllocationSize" in crash.notes[0]


def test_a_crash_with_enough_memory_is_not_marked():
    assert OOMSignature().act(Crash(id="", raw={}, processed={"signature": "load"})) == (False, None)


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("it broke", "Abort | it broke | load"),
        ("[1] ###!!! ABORT: it broke: file a.cpp, line 1", "Abort | it broke | load"),
        ("###!!! ABORT: it broke", "Abort | it broke | load"),
        ("it broke: file a.cpp, line 1", "Abort | it broke | load"),
        ("[1] ###!!! ABORT: file a.cpp, line 1", "Abort | load"),
        ("a" * 80, f"Abort | {'a' * 80} | load"),
        ("a" * 81, f"Abort | {'a' * 77}... | load"),
        (f"###!!! ABORT: {'a' * 80}: file b", f"Abort | {'a' * 80} | load"),
    ],
)
def test_the_message_of_an_abort_stands_in_front_without_its_place(message, outcome):
    crash = rewritten(AbortSignature(), {"AbortMessage": message})

    assert crash.processed == {"signature": outcome, "original_signature": "load"}


@pytest.mark.parametrize("raw", [{}, {"AbortMessage": ""}, {"AbortMessage": ["it broke"]}, {"AbortMessage": None}])
def test_without_a_message_there_was_no_abort(raw):
    assert rewritten(AbortSignature(), raw).processed == {"signature": "load"}


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        ({"ipc_channel_error": "ShutDownKill"}, "IPCError-content | ShutDownKill"),
        ({"ipc_channel_error": "e", "additional_minidumps": "browser"}, "IPCError-browser | e"),
        ({"ipc_channel_error": "e", "additional_minidumps": "browser,flash1"}, "IPCError-content | e"),
        ({"ipc_channel_error": "e" * 101}, f"IPCError-content | {'e' * 100}"),
    ],
)
def test_a_broken_channel_replaces_the_signature_and_the_old_one_is_noted(raw, outcome):
    crash = rewritten(SignatureIPCChannelError(), raw)

    assert crash.processed["signature"] == outcome
    assert "load" in crash.notes[0]


@pytest.mark.parametrize("error", ["", None, [7]])
def test_without_a_broken_channel_the_signature_stays(error):
    assert rewritten(SignatureIPCChannelError(), {"ipc_channel_error": error}).processed["signature"] == "load"
