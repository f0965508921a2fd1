"""The rule sets of Mozilla's processor of 2015, in the order of the architecture document."""

from __future__ import annotations

import json

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule_sets import rule_sets_converter

_SYSTEM = "socorro_processor.pipeline.rule_system.TransformRuleSystem"

RAW = (
    "raw_transform.ProductRewrite",
    "raw_transform.ESRVersionRewrite",
    "raw_transform.PluginContentURL",
    "raw_transform.PluginUserComment",
    "raw_transform.FennecBetaError20150430",
)

RAW_TO_PROCESSED = (
    "general.IdentifierRule",
    "breakpad.BreakpadStackwalkerRule2015",
    "mozilla.ProductRule",
    "mozilla.UserDataRule",
    "mozilla.EnvironmentRule",
    "plugins.PluginRule",
    "addons.AddonsRule",
    "dates_and_times.DatesAndTimesRule",
    "memory_report.OutOfMemoryBinaryRule",
    "mozilla.JavaProcessRule",
    "mozilla.Winsock_LSPRule",
)

PROCESSED = (
    "crash_info.CrashingThreadRule",
    "general.CPUInfoRule",
    "general.OSInfoRule",
    "releases.BetaVersionRule",
    "crash_info.ExploitablityRule",
    "plugins.FlashVersionRule",
    "releases.OSPrettyVersionRule",
    "mozilla.TopMostFilesRule",
    "missing_symbols.MissingSymbolsRule",
    "signature.SignatureGenerationRule",
    "signature_rewriting.StackwalkerErrorSignatureRule",
    "signature_rewriting.OOMSignature",
    "signature_rewriting.AbortSignature",
    "signature.SignatureRunWatchDog",
    "signature_rewriting.SignatureIPCChannelError",
    "signature.SigTrunc",
)

SUPPORT = (
    "support.BitguardClassifier",
    "support.OutOfDateClassifier",
)

JIT = (
    "jit.JitCrashCategorizeRule",
    "jit.SignatureJitCategory",
)

SKUNK = (
    "skunk_filter.DontConsiderTheseFilter",
    # Off by default: skunk.UpdateWindowAttributes
    "skunk.SetWindowPos",
    # Off by default: skunk.SendWaitReceivePort, skunk.Bug811804, skunk.Bug812318
    "skunk.NullClassification",
)


def _rules(names: tuple[str, ...]) -> str:
    return ", ".join(f"socorro_processor.rules.{name}" for name in names)


RULE_SETS = [
    ["raw_transform", "processor.json_rewrite", _SYSTEM, "apply_all_rules", _rules(RAW)],
    [
        "raw_to_processed_transform",
        "processor.raw_to_processed",
        _SYSTEM,
        "apply_all_rules",
        _rules(RAW_TO_PROCESSED),
    ],
    ["processed_transform", "processor.processed", _SYSTEM, "apply_all_rules", _rules(PROCESSED)],
    [
        "support_classifiers",
        "processor.support_classifiers",
        _SYSTEM,
        "apply_until_action_succeeds",
        _rules(SUPPORT),
    ],
    ["jit_classifiers", "processor.jit_classifiers", _SYSTEM, "apply_all_rules", _rules(JIT)],
    [
        "skunk_classifiers",
        "processor.skunk_classifiers",
        _SYSTEM,
        "apply_until_action_succeeds",
        _rules(SKUNK),
    ],
]


class MozillaProcessorAlgorithm2015(ProcessorPipeline):
    """The pipeline with the rule sets of the document as its default."""

    required_config = Namespace()
    required_config.add_option(
        "rule_sets",
        default=json.dumps([name for name, *_ in RULE_SETS]),
        doc=ProcessorPipeline.required_config.rule_sets.doc,
        from_string_converter=rule_sets_converter(RULE_SETS),
    )
