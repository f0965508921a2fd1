"""All rules of the project pass the suite that operators run on their own rules."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from socorro_processor.configuration import class_converter
from socorro_processor.configuration.class_names import OLD_NAMES
from socorro_processor.pipeline import algorithm_2026, mozilla_2015
from socorro_processor.pipeline.rule import Rule
from socorro_processor.testing import RuleSuite
from socorro_processor.testing.sample_crashes import FILE
from tests.contract.sample_crashes import made
from tests.shared import stackwalker

OFF = [f"socorro_processor.{name}" for name in OLD_NAMES.values() if name.startswith("rules.skunk.")]
RULE_SETS = [*mozilla_2015.RULE_SETS, *algorithm_2026.RULE_SETS]
NAMES = dict.fromkeys([*(name.strip() for rule_set in RULE_SETS for name in rule_set[4].split(",") if name), *OFF])
RULES: dict[str, type[Rule]] = {
    rule.__name__: rule
    for name in NAMES
    if (rule := class_converter(name)) is not None and rule.__name__ != "StatsdRuleBenchmarkWrapper"
}


FENNEC = "{aa3c5121-dab2-40e2-81ca-7ea25febc110}"
IN_THE_JIT = {
    "product": "Firefox",
    "os_name": "Windows NT",
    "cpu_name": "x86",
    "signature": "EnterBaseline",
    "json_dump": {"threads": [{"frames": [{"frame": 0, "offset": "0x1"}]}], "crash_info": {"crashing_thread": 0}},
}


def crashed_by(reason: str) -> dict[str, Any]:
    """Return the fields of a crash with this reason."""
    return {"json_dump": {"crash_info": {"type": reason}}}


GIVEN: Mapping[str, Mapping[str, Any]] = {
    "ProductRewrite": {"annotations": {"ProductID": FENNEC}, "corrects_annotations": True},
    "ESRVersionRewrite": {"annotations": {"ReleaseChannel": "esr"}, "corrects_annotations": True},
    "PluginContentURL": {"annotations": {"PluginContentURL": "http://example.com/"}, "corrects_annotations": True},
    "PluginUserComment": {"annotations": {"PluginUserComment": "it hung"}, "corrects_annotations": True},
    "CleanAnnotationsRule": {"annotations": {"Notes": "a\0 \n", "Email": None}, "corrects_annotations": True},
    "CrashpadAnnotationsRule": {
        "fields": {"json_dump": {"socorro_stackwalk": {"crashpad": {"annotations": {"ptype": "renderer"}}}}},
        "corrects_annotations": True,
    },
    "FennecBetaError20150430": {
        "annotations": {"ProductName": "Fennec", "BuildID": "20150427090529", "ReleaseChannel": "release"},
        "corrects_annotations": True,
    },
    "OutOfMemoryBinaryRule": {"dumps": {"memory_report": gzip.compress(b'{"reports": []}')}},
    "JavaProcessRule": {"corrects_annotations": True},
    "BetaVersionRule": {"fields": {"release_channel": "beta"}},
    "StackwalkerErrorSignatureRule": {"fields": {"signature": "EMPTY: no frames"}},
    "OOMSignature": {"annotations": {"OOMAllocationSize": "300000"}},
    "AbortSignature": {"annotations": {"AbortMessage": "###!!! ABORT: no room: file x.cpp, line 1"}},
    "SignatureRunWatchDog": {"fields": {"signature": "mozilla::RunWatchdog(void*)"}},
    "SignatureIPCChannelError": {"annotations": {"ipc_channel_error": "ShutDownKill"}},
    "SigTrunc": {"fields": {"signature": "x" * 300}},
    "OOMSignature2026": {"annotations": {"OOMAllocationSize": "300000"}},
    "BadHardwareSignature": {"fields": crashed_by("EXCEPTION_IN_PAGE_ERROR_READ / STATUS_DEVICE_DATA_ERROR")},
    "AbortSignature2026": {"annotations": {"AbortMessage": "no room"}},
    "AsyncShutdownTimeoutSignature": {"annotations": {"AsyncShutdownTimeout": '{"phase": "quit", "conditions": []}'}},
    "SignatureRunWatchDog2026": {"fields": {"signature": "ferry::RunWatchdog"}},
    "SignatureIPCChannelError2026": {"annotations": {"ipc_channel_error": "ShutDownKill"}},
    "SignatureIPCMessageName": {"annotations": {"IPCMessageName": "PDeck::Msg_Open"}},
    "StackOverflowSignature": {"fields": crashed_by("EXCEPTION_STACK_OVERFLOW")},
    "HangSignature": {"annotations": {"Hang": "ui"}},
    "OutOfDateClassifier": {"annotations": {"ProductName": "Firefox", "Version": "3.6.28"}},
    "JitCrashCategorizeRule": {"fields": IN_THE_JIT, "options": {"command_pathname": "/bin/true"}},
    "MacBootArgsRule": {"fields": {"os_name": "Mac OS X"}},
    "ModuleSignersRule": {"annotations": {"ModuleSignatureInfo": '{"Harbor Labs": ["lightbox"]}'}},
    "SignatureJitCategory": {"fields": {"classifications": {"jit": {"category": "x"}}}},
}
"""Attributes of the suites of rules that need special crashes, or that correct annotations."""

for name, rule_class in RULES.items():
    globals()[f"Test{name}"] = type(f"Test{name}", (RuleSuite,), {"rule_class": rule_class, **GIVEN.get(name, {})})


@pytest.fixture(autouse=True, scope="module")
def _a_stackwalker() -> None:
    """For the rule that runs the stackwalker, and for making the samples."""
    stackwalker()


def test_the_suites_sample_crashes_are_what_the_processor_makes_of_them():
    assert FILE.read_bytes() == made(), "python -m tests.contract.sample_crashes writes them anew"
