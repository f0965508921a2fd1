"""The rule sets of Mozilla's processor of 2015, in the order of the architecture document."""

from __future__ import annotations

import json

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule_sets import rule_sets_converter

_SYSTEM = "socorro_processor.pipeline.rule_system.TransformRuleSystem"

RAW_TO_PROCESSED = (
    "general.IdentifierRule",
    "breakpad.BreakpadStackwalkerRule2015",
    "mozilla.ProductRule",
    "mozilla.UserDataRule",
    "mozilla.EnvironmentRule",
    "dates_and_times.DatesAndTimesRule",
)

PROCESSED = (
    "crash_info.CrashingThreadRule",
    "general.CPUInfoRule",
    "general.OSInfoRule",
    "mozilla.TopMostFilesRule",
    "signature.SignatureGenerationRule",
    "signature.SigTrunc",
)


def _rules(names: tuple[str, ...]) -> str:
    return ", ".join(f"socorro_processor.rules.{name}" for name in names)


RULE_SETS = [
    [
        "raw_to_processed_transform",
        "processor.raw_to_processed",
        _SYSTEM,
        "apply_all_rules",
        _rules(RAW_TO_PROCESSED),
    ],
    ["processed_transform", "processor.processed", _SYSTEM, "apply_all_rules", _rules(PROCESSED)],
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
