"""Whatever somebody sends, no rule fails or takes long: all rules with made-up crashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.configuration import class_converter
from socorro_processor.configuration.class_names import OLD_NAMES
from socorro_processor.fields import FIELDS
from socorro_processor.pipeline import algorithm_2026, mozilla_2015
from socorro_processor.pipeline.rule import Crash, Rule
from tests.cpu_time import cpu_seconds

CRASH_ID = "00000000-0000-4000-8000-000000161123"
LONG = 100_000
FRAMES = 5000
# 200 ms on a quiet machine. What this guards against would take minutes.
SECONDS = 2.0

FIRST = ("IdentifierRule", "BreakpadStackwalkerRule2015")
"""Rules whose results the others here read."""
_OFF = [f"socorro_processor.{name}" for name in OLD_NAMES.values() if name.startswith("rules.skunk.")]


def in_order(rule_sets: Sequence[Sequence[str]]) -> list[str]:
    return [name.strip() for rule_set in rule_sets for name in rule_set[4].split(",") if name]


def classes(names: Sequence[str]) -> list[type[Rule]]:
    rules = map(class_converter, dict.fromkeys(names))
    return [rule for rule in rules if rule is not None and rule.__name__ not in FIRST]


RULES: Mapping[str, list[type[Rule]]] = {
    "2015": classes([*in_order(mozilla_2015.RULE_SETS)[:-1], *_OFF]),
    "2026": classes(in_order(algorithm_2026.RULE_SETS)),
}

# fmt: off
ANNOTATIONS = (
    "ProductName", "ProductID", "Version", "BuildID", "ReleaseChannel", "JavaStackTrace", "OOMAllocationSize",
    "AbortMessage", "Hang", "HangID", "ipc_channel_error", "additional_minidumps", "PluginHang", "PluginFilename",
    "PluginName", "PluginVersion", "PluginContentURL", "PluginUserComment", "ProcessType", "Add-ons",
    "EMCheckCompatibility", "CrashTime", "StartupTime", "InstallTime", "timestamp", "SecondsSinceLastCrash",
    "submitted_timestamp", "Notes", "URL", "Comments", "Email", "Distributor", "Distributor_version", "Winsock_LSP",
    "sentry", "metadata", "ModuleSignatureInfo", *sorted({name for field in FIELDS for name in field.annotations}),
)
# fmt: on
DUMPS = ("upload_file_minidump_plugin", "upload_file_minidump_flash2")

# fmt: off
words = st.sampled_from([
    "Firefox", "Fennec", "17.0", "3.6.28", "20121023030508", "1", "0", "-1", "abc", "esr", "beta", "plugin",
    "browser", "true", "Windows", "x86", "amd64", "abort", "EnterBaseline", "NtUserSetWindowPos", "::RunWatchdog",
    "NS_ABORT_OOM", "NPSWF32_11_9.dll", "bitguard.dll", "5.1.2600",
])
# fmt: on
text = words | st.text(alphabet=st.sampled_from("<>()@,:*& '|%+.\n\x00\ud80019a"), max_size=30) | st.text(max_size=10)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


def objects(*keys: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    optional = dict.fromkeys(keys, anything) | known
    return st.fixed_dictionaries({}, optional=optional) | anything


frames = st.lists(objects("function", "module", "module_offset", "file", "line", "offset", "normalized"), max_size=6)
modules = st.lists(objects("filename", "version", "debug_file", "debug_id", "code_id", "missing_symbols"), max_size=4)
json_dumps = objects(
    threads=st.lists(objects(frames=frames | anything), max_size=3) | anything,
    crash_info=objects("crashing_thread", "type", "address"),
    crashing_thread=objects("threads_index", "frames_truncated", frames=frames | anything),
    system_info=objects("os", "os_ver", "cpu_arch", "cpu_info", "cpu_count"),
    modules=modules | anything,
    sensitive=objects("exploitability"),
)
dumps = objects("success", "signature", json_dump=json_dumps)


@pytest.fixture(scope="module", params=RULES)
def rules(request: pytest.FixtureRequest) -> list[Rule]:
    return [rule() for rule in RULES[request.param]]


def apply(rules: list[Rule], raw: dict[str, Any], json_dump: Any, **dumps: Any) -> dict[str, float]:
    """Apply all rules, as the pipeline does; return the CPU seconds that each took. Fails if one fails."""
    crash = Crash(CRASH_ID, {**raw, "uuid": CRASH_ID})
    crash.processed |= {"json_dump": json_dump, "mdsw_status_string": "OK", "success": True, "signature": "EMPTY"}
    crash.processed |= {"additional_minidumps": list(dumps), **dumps}
    taken = {}
    for rule in rules:
        taken[rule.name] = cpu_seconds(partial(rule.act, crash))
    assert [note for note in crash.notes if "failed in its" in note] == []
    assert len(crash.processed["signature"]) <= 255
    return taken


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(ANNOTATIONS, text | anything)),
    json_dumps,
    dumps,
    dumps,
)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=timedelta(seconds=5))
def test_no_rule_fails_whatever_a_crash_holds(rules, raw, json_dump, plugin, flash):
    apply(rules, raw, json_dump, upload_file_minidump_plugin=plugin, upload_file_minidump_flash2=flash)


HOSTILE = {
    "one letter": "a" * LONG,
    "brackets": "a<(" * (LONG // 3),
    "closed brackets": "a<b>(c)" * (LONG // 7),
    "separators": ", : . @ | " * (LONG // 10),
    "digits": "9" * LONG,
    "line ends": "\n\r" * (LONG // 2),
    "percent signs": "%41%zz+:," * (LONG // 9),
    "spaces": " " * LONG,
    "NULs and surrogates": "\x00\ud800" * (LONG // 2),
    "a plugin that changes its window": "mozilla::plugins::PluginInstanceChild::UpdateWindowAttributes<" * (LONG // 62),
    "what a file of Flash begins with": "NPSWF32_libflashplayer" * (LONG // 22),
    "what a place is told from": "###!!! ABORT: file : file " * (LONG // 26),
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("process_type", ["plugin", "content"])
def test_no_rule_takes_long_whatever_a_crash_holds(process_type, value, rules):
    frame = {"function": value, "module": value, "file": value, "module_offset": value}
    stack = {"frames": [dict(frame, function=f"{name}{value}") for name in ("F_1152915508" + "_" * 35, "")] * 2}
    stack["frames"] += [dict(frame) for _ in range(FRAMES)]
    module = {"filename": value, "version": "", "debug_file": value, "debug_id": value, "missing_symbols": True}
    json_dump = {
        "threads": [stack, stack],
        "crash_info": {"crashing_thread": 1, "type": value, "address": value},
        "crashing_thread": stack | {"threads_index": 1},
        "modules": [module] * 20,
        "system_info": {"os": "Windows NT", "os_ver": value, "cpu_arch": "x86", "cpu_info": value},
    }
    raw = dict.fromkeys(ANNOTATIONS, value)
    raw |= {"ProductName": "Firefox", "ReleaseChannel": "beta", "ProcessType": process_type, "JavaStackTrace": ""}
    dump = {"success": True, "signature": value, "json_dump": json_dump}

    for changed in ({}, {"Version": "18.0", "BuildID": "20121023", "JavaStackTrace": value}):
        taken = apply(rules, raw | changed, json_dump, **dict.fromkeys(DUMPS, dump))
        assert {name: seconds for name, seconds in taken.items() if seconds > SECONDS} == {}
