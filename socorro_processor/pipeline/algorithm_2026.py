"""The rule sets for crashes of today: any product, any client, and the fields of one table."""

from __future__ import annotations

import json

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash
from socorro_processor.pipeline.rule_sets import default_rule_sets, rule_sets_converter

RAW = (
    "sent_annotations.CleanAnnotationsRule",
    "raw_transform.ProductRewrite",
)

RAW_TO_PROCESSED = (
    "general.IdentifierRule",
    "breakpad.BreakpadStackwalkerRule2015",
    "crash_report.CrashReportRule",
    # What follows reads annotations, wherever the client put them.
    "sent_annotations.CrashpadAnnotationsRule",
    "client_names.ClientNamesRule",
    "fields.FieldsRule",
    "client_times.ClientTimesRule",
    "crash_report.InstalledAddonsRule",
    "crash_report.MozCrashReasonRule",
    "memory_report.OutOfMemoryBinaryRule",
    "java.JavaStackRule",
)

SIGNATURE = (
    "signature_2026.SignatureGenerationRule2026",
    "signature_rewriting_2026.BadHardwareSignature",
    "signature_rewriting_2026.OOMSignature2026",
    "signature_rewriting_2026.AbortSignature2026",
    "signature_rewriting_2026.AsyncShutdownTimeoutSignature",
    "signature_2026.SignatureRunWatchDog2026",
    "signature_rewriting_2026.SignatureIPCChannelError2026",
    "signature_rewriting_2026.SignatureIPCMessageName",
    "signature_rewriting_2026.StackOverflowSignature",
    "signature_rewriting_2026.HangSignature",
    "signature_2026.SigTrunc2026",
)
"""The rules of the signature, in the order in which each goes on with what the one before left."""

PROCESSED = (
    "system.SystemRule",
    "program_version.ProgramVersionRule",
    "crash_facts.CrashedThreadRule",
    "crash_facts.AddressRule",
    "crash_facts.HardwareHintsRule",
    "crash_facts.MacBootArgsRule",
    "stack_facts.TopmostFileRule",
    "stack_facts.ModulesInStackRule",
    "stack_facts.ModuleSignersRule",
    "stack_facts.ReportTypeRule",
    "missing_symbols.MissingSymbolsRule",
    *SIGNATURE,
)

RULE_SETS = default_rule_sets(
    {
        "raw_transform": RAW,
        "raw_to_processed_transform": RAW_TO_PROCESSED,
        "processed_transform": PROCESSED,
        # Their rules of 2015 are about plugins and one browser; a configuration can add them, or others.
        "support_classifiers": (),
        "jit_classifiers": (),
        "skunk_classifiers": (),
    }
)


class ProcessorAlgorithm2026(ProcessorPipeline):
    """The pipeline with rule sets for crashes of today. A crash without a walked main dump is not a success."""

    required_config = Namespace()
    required_config.add_option(
        "rule_sets",
        default=json.dumps([name for name, *_ in RULE_SETS]),
        doc=ProcessorPipeline.required_config.rule_sets.doc,
        from_string_converter=rule_sets_converter(RULE_SETS),
    )

    algorithm = 2026

    def is_success(self, crash: Crash) -> bool:
        return crash.processed.get("mdsw_status_string") == "OK"
