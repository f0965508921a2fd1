"""No protected value comes into a public field on its way through the rules of 2026."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.redactor import Redactor
from socorro_processor.fields import FIELDS, FieldTable, Protection
from tests.golden.today import Today

MARK = "markofauser"
PROTECTED = {name for field in FIELDS if field.is_protected for name in field.annotations}
PROTECTED -= {name for field in FIELDS if not field.is_protected for name in field.annotations}
"""The annotations that no public field has a part of."""

FRAMES = [{"module": "app", "function": "main", "registers": {"rax": MARK}}] * 3
JSON_DUMP = {
    "status": "OK",
    "sensitive": {"exploitability": MARK},
    "handles": [MARK],
    "mac_crash_info": {"records": [{"message": MARK}]},
    "mac_boot_args": MARK,
    "soft_errors": [MARK],
    "crash_info": {"type": "SIGSEGV", "crashing_thread": 0, "memory_accesses": [{"address": MARK}]},
    "crashing_thread": {"thread_index": 0, "frames": FRAMES},
    "threads": [{"frames": FRAMES}, {"frames": [{"registers": {"rax": MARK}, "repeat": 600}]}],
    "socorro_stackwalk": {
        "crashpad": {
            "annotations": {"Email": MARK, "unknown": MARK},
            "client_id": MARK,
            "modules": [{"list_annotations": [MARK]}],
        }
    },
}
ODD = {
    "status": "OK",
    "sensitive": MARK,
    "handles": MARK,
    "mac_crash_info": MARK,
    "mac_boot_args": {MARK: MARK},
    "soft_errors": MARK,
    "crash_info": {"memory_accesses": MARK},
    "crashing_thread": {"frames": [{"module": "app", "registers": MARK}]},
}

RAW_CRASHES: list[dict[str, Any]] = [
    {**dict.fromkeys(PROTECTED, form), "Unknown": form, "sentry": form}
    for form in (MARK, [MARK], {MARK: [MARK]}, f"{{{MARK}", f"{MARK} " * 5000 + "\0")
]
RAW_CRASHES += [
    {"sentry": json.dumps({"release": "app@1.0+2", "user": MARK}), "metadata": {MARK: MARK}},
    {"MozCrashReason": f"Failed to load module {MARK}", "Breadcrumbs": json.dumps({"values": [MARK]})},
    {"JavaStackTrace": f"java.lang.Error: {MARK}\n\tat a.B.c(B.java:1)\nCaused by: d.E: {MARK}\n\tat d.E.f(E.java)"},
    {"JavaStackTrace": f"{MARK} and nothing of Java"},
    {"exception_info": MARK, "JavaException": MARK},
    {"JavaException": json.dumps({"value": MARK})},
    {"JavaException": json.dumps({"exception": {"values": [{"type": "T", "module": "m", "value": MARK}]}})},
]
WALKS = [
    {"json_dump": JSON_DUMP, "other_dumps": ["upload_file_minidump_browser"]},
    {"json_dump": ODD},
    {"stackwalker": {"exit_code": 1, "stdout": MARK, "stderr": f"{MARK}\n[ERROR] {MARK}"}},
    {},
]


@pytest.fixture(scope="module")
def today() -> Iterator[Today]:
    with closing(Today()) as today:
        yield today


@pytest.mark.parametrize("walk", WALKS, ids=["walked", "odd JSON", "failed", "no dump"])
@pytest.mark.parametrize("raw", RAW_CRASHES, ids=range(len(RAW_CRASHES)))
def test_a_crash_that_was_redacted_has_nothing_of_what_was_protected(today, raw, walk):
    crash = today.crash({"raw_crash": dict(raw), **walk})

    assert MARK in json.dumps(crash.processed)
    assert MARK not in json.dumps(Redactor(defaults(Redactor)).redact(crash.processed))
    assert MARK not in json.dumps(Protection(FieldTable()).redact_raw(crash.raw))
