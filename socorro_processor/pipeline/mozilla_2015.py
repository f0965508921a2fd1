"""The rule sets of Mozilla's processor of 2015, in the order of the architecture document."""

from __future__ import annotations

import json

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule_sets import default_rule_sets, rule_sets_converter

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

RULE_SETS = default_rule_sets(
    {
        "raw_transform": RAW,
        "raw_to_processed_transform": RAW_TO_PROCESSED,
        "processed_transform": PROCESSED,
        "support_classifiers": SUPPORT,
        "jit_classifiers": JIT,
        "skunk_classifiers": SKUNK,
    }
)


class MozillaProcessorAlgorithm2015(ProcessorPipeline):
    """The pipeline whose default rule sets are those of the architecture document of 2016."""

    required_config = Namespace()
    required_config.add_option(
        "rule_sets",
        default=json.dumps([name for name, *_ in RULE_SETS]),
        doc=ProcessorPipeline.required_config.rule_sets.doc,
        from_string_converter=rule_sets_converter(RULE_SETS),
    )
