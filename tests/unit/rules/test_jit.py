"""Crashes in code that the JavaScript engine made."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.jit import JitCrashCategorizeRule, SignatureJitCategory

JIT_CRASH = {
    "product": "Firefox",
    "os_name": "Windows NT",
    "cpu_name": "x86",
    "signature": "js::jit::EnterBaseline",
    "json_dump": {"crashing_thread": {"frames": [{"offset": "0x1"}, {"module": "xul.dll"}]}},
}


def rule_that_runs(command_line: str, **options: object) -> JitCrashCategorizeRule:
    return JitCrashCategorizeRule(defaults(JitCrashCategorizeRule, command_line=command_line, **options))


@pytest.fixture
def crash(tmp_path) -> Crash:
    dump = tmp_path / "dump"
    dump.write_text("  a category\n")
    return Crash(id="", raw={}, dumps={"upload_file_minidump": dump}, processed=dict(JIT_CRASH))


def test_the_category_is_the_output_of_the_program(crash):
    assert rule_that_runs("cat {dump_file_pathname}").act(crash) == (True, True)
    assert crash.processed["classifications"] == {"jit": {"category": "a category", "category_return_code": 0}}
    assert not crash.notes


@pytest.mark.parametrize(
    ("options", "limit"),
    [({}, memory_share(1000, 2 << 30).bytes), ({"memory_limit": "700M"}, 700 << 20)],
)
def test_the_program_gets_a_walks_share_of_the_memory_by_default(crash, options, limit):
    rule = rule_that_runs("sh -c 'while [ $(ulimit -v) = unlimited ]; do :; done; ulimit -v'", **options)
    rule.prepare(1000)
    rule.act(crash)
    assert crash.processed["classifications"]["jit"]["category"] == str(limit >> 10)


def test_the_program_is_named_by_its_path(crash):
    rule = JitCrashCategorizeRule(defaults(JitCrashCategorizeRule, command_pathname="cat"))
    rule.check()

    rule.act(crash)
    assert crash.processed["classifications"]["jit"]["category"] == "a category"


def test_a_crash_has_its_processor_by_the_name_of_2015_or_of_2026(crash):
    crash.processed["cpu_arch"] = crash.processed.pop("cpu_name")
    assert rule_that_runs("cat {dump_file_pathname}").predicate(crash)
    crash.processed["cpu_arch"] = "amd64"
    assert not rule_that_runs("cat {dump_file_pathname}").predicate(crash)


def test_without_a_program_no_crash_is_categorized(crash):
    rule = JitCrashCategorizeRule()
    rule.check()

    assert rule.act(crash) == (False, None)


@pytest.mark.parametrize(
    "changed",
    [
        {"product": "Fennec"},
        {"os_name": "Linux"},
        {"os_name": None},
        {"cpu_name": "amd64"},
        {"cpu_name": ["x86"]},
        {"signature": "js::jit::EnterBaseline | load"},
        {"json_dump": {"crashing_thread": {"frames": [{"module": "xul.dll"}]}}},
        {"json_dump": {"crash_info": {"crashing_thread": 0}, "threads": [{"frames": [{"module": "xul.dll"}]}]}},
        {"json_dump": {"crashing_thread": {"frames": []}, "threads": [{"frames": [{"offset": "0x1"}]}]}},
        {"json_dump": {}},
    ],
)
def test_other_crashes_are_not_categorized(changed, crash):
    crash.processed.update(changed)

    assert rule_that_runs("cat {dump_file_pathname}").act(crash) == (False, None)


@pytest.mark.parametrize(
    ("command_line", "code", "note"),
    [
        ("sh -c 'echo partly; exit 3'", 3, "exit code 3"),
        ("sh -c 'echo partly; kill -6 $$'", 134, "exit code 134"),
        ("sh -c 'echo partly; exec sleep 60'", 124, "not done after"),
    ],
)
def test_a_program_that_fails_is_noted(command_line, code, note, crash):
    rule_that_runs(command_line, kill_timeout="0.5").act(crash)

    assert crash.processed["classifications"]["jit"] == {"category": "partly", "category_return_code": code}
    assert note in crash.notes[0]


def test_a_program_that_prints_without_end_is_killed(crash):
    rule_that_runs("yes", output_limit="1k").act(crash)

    assert "too large" in crash.notes[0]


def test_a_crash_without_a_dump_is_noted(crash):
    crash.dumps = {}

    assert rule_that_runs("cat {dump_file_pathname}").act(crash) == (True, False)
    assert "no minidump" in crash.notes[0]


def test_a_missing_program_is_not_the_crashs_fault(crash):
    rule = JitCrashCategorizeRule(defaults(JitCrashCategorizeRule, command_pathname="/nowhere/categorize"))

    with pytest.raises(ProcessingEnvironmentError, match="/nowhere/categorize"):
        rule.check()
    with pytest.raises(ProcessingEnvironmentError, match="/nowhere/categorize"):
        rule.act(crash)


def test_a_command_line_with_an_unknown_field_is_refused():
    with pytest.raises(ConfigurationError, match="command_line"):
        rule_that_runs("cat {dump}")


@pytest.mark.parametrize(
    ("category", "signature"),
    [
        ("baseline", "jit | baseline"),
        ("b" * 300, f"jit | {'b' * 246}..."),
        ("", "load"),
        (None, "load"),
        (["baseline"], "load"),
    ],
)
def test_a_category_replaces_the_signature(category, signature):
    crash = Crash(id="", raw={}, processed={"signature": "load", "classifications": {"jit": {"category": category}}})

    SignatureJitCategory().act(crash)
    assert crash.processed["signature"] == signature
    assert [note for note in crash.notes if "load" in note] == ([] if signature == "load" else crash.notes)


@pytest.mark.parametrize("classifications", [None, {}, {"jit": None}, {"jit": ["category"]}, ["jit"]])
def test_without_a_category_the_signature_stays(classifications):
    crash = Crash(id="", raw={}, processed={"signature": "load", "classifications": classifications})

    assert SignatureJitCategory().act(crash) == (False, None)
