"""Memory reports: unpacked, up to a bound."""

from __future__ import annotations

import functools
import gzip
import json
import os
import resource
import tracemalloc

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.memory_report import OutOfMemoryBinaryRule
from tests.cpu_time import cpu_seconds

CRASH_ID = "00000000-0000-4000-8000-000000161123"
# Without the time: pytest names tests by their arguments, which must be the same in each worker.
packed = functools.partial(gzip.compress, mtime=0)
REPORT = {"version": 1, "reports": [{"process": "Main", "amount": 5}]}
PACKED = packed(json.dumps(REPORT).encode())
MAXIMUM = 100_000


@pytest.fixture
def rule():
    return OutOfMemoryBinaryRule(defaults(OutOfMemoryBinaryRule, max_size_uncompressed=MAXIMUM))


@pytest.fixture
def crash(tmp_path):
    """A crash whose memory report is the file ``crash.dumps["memory_report"]``."""
    return Crash(id=CRASH_ID, raw={}, dumps={"memory_report": tmp_path / "memory_report"})


def write(crash: Crash, content: bytes) -> None:
    crash.dumps["memory_report"].write_bytes(content)


def test_a_crash_without_a_report_is_left_alone(rule, tmp_path):
    crash = Crash(id=CRASH_ID, raw={}, dumps={"upload_file_minidump": tmp_path / "x"})

    assert rule.act(crash) == (False, None)
    assert crash.processed == {}


@pytest.mark.parametrize(
    "content",
    [
        PACKED,
        PACKED + b"\0" * 10_000,
        packed(b"  ") + PACKED + packed(b""),
        b"".join(packed(json.dumps(REPORT).encode()[at : at + 1]) for at in range(len(json.dumps(REPORT)))),
        packed(json.dumps(REPORT).encode().ljust(MAXIMUM)),
    ],
    ids=["one member", "padded", "three members", "a member a byte", "as large as may be"],
)
def test_a_report_is_unpacked(rule, crash, content):
    write(crash, content)

    assert rule.act(crash) == (True, True)
    assert crash.processed == {"memory_report": REPORT}
    assert crash.notes == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its end is missing"),
        (PACKED[:-1], "its end is missing"),
        (PACKED + PACKED[:20], "its end is missing"),
        (json.dumps(REPORT).encode(), "it is not gzip: "),
        (PACKED + b"garbage", "it is not gzip: "),
        (PACKED[:-8] + b"12345678", "it is not gzip: "),
        (packed(b"{"), "it is not JSON: "),
        (packed(b""), "it is not JSON: "),
        (packed(b" " * (MAXIMUM + 1)), "it is larger than max_size_uncompressed, 100000 bytes"),
        (packed(b" " * MAXIMUM) + packed(b" "), "it is larger than max_size_uncompressed, 100000 bytes"),
        (os.urandom(MAXIMUM + 1), "it is larger than max_size_uncompressed, 100000 bytes"),
        (packed(b"") * 1001, "it has more than 1000 gzip members"),
    ],
)
def test_a_report_that_cannot_be_used_leaves_the_reason(rule, crash, content, reason):
    write(crash, content)

    assert rule.act(crash) == (True, False)
    error = crash.processed["memory_report"]["ERROR"]
    assert error.startswith(reason)
    assert crash.notes == [f"the memory report cannot be used: {error}"]


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: packed(bytes(200_000_000), 9),
        lambda: packed(bytes(10_000_000), 9) * 20,
        lambda: packed(b"") * 5_000,
        # A name in the header that never ends.
        lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 90_000,
    ],
    ids=["one member", "many members", "empty members", "a long name"],
)
def test_a_bomb_takes_neither_memory_nor_time(crash, bomb):
    rule = OutOfMemoryBinaryRule(defaults(OutOfMemoryBinaryRule, max_size_uncompressed=2_000_000))
    write(crash, bomb())

    tracemalloc.start()
    took = cpu_seconds(lambda: rule.act(crash))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "ERROR" in crash.processed["memory_report"]
    assert peak < 5_000_000
    assert took < 0.5


def test_json_that_is_nested_without_end_is_cut_and_noted(rule, crash):
    write(crash, packed(b"[" * 20_000 + b"]" * 20_000))

    assert rule.act(crash) == (True, True)
    assert crash.notes == ["JSON: values nested deeper than 200 became null (1)"]


def test_a_missing_report_leaves_the_reason(rule, crash):
    assert rule.act(crash) == (True, False)
    assert crash.processed["memory_report"] == {"ERROR": "it cannot be read: No such file or directory"}


def test_a_lack_of_the_machine_is_not_the_crashs_fault(rule, crash):
    write(crash, PACKED)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(ProcessingEnvironmentError, match="Too many open files"):
            rule.act(crash)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
