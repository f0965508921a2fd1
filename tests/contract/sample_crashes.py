"""Write the sample crashes of the suite for rules, processed by all default rules.

``python -m tests.contract.sample_crashes`` writes them again, after a change of what rules or the stackwalker write.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.testing.sample_crashes import CRASH_ID, FILE
from tests.shared import SAMPLES, own_stackwalker

WALKER = "raw_to_processed_transform.BreakpadStackwalkerRule2015"
DIFFERS_EACH_TIME = ("completed_datetime", "completeddatetime", "started_datetime", "startedDateTime")
NO_RULE_READS = ("handles", "proc_limits", "socorro_stackwalk")
"""Keys of the stackwalker's JSON; some of their values differ each time, too."""


def made() -> bytes:
    """The sample crashes, without values that differ with each run."""
    options = {f"{WALKER}.command_pathname": str(own_stackwalker()), f"{WALKER}.symbols_path": str(SAMPLES / "symbols")}
    config = defaults(MozillaProcessorAlgorithm2015, processor_name="sample", **options)
    with closing(MozillaProcessorAlgorithm2015(config)) as pipeline:
        crashes = {name: crash(pipeline, SAMPLES / name) for name in ("segfault", "abort")}
    return json.dumps(crashes, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def crash(pipeline: MozillaProcessorAlgorithm2015, sample: Path) -> dict[str, Any]:
    raw = json.loads((sample / "raw_crash.json").read_text())
    dumps = {"upload_file_minidump": sample / "upload_file_minidump.dmp"}
    with tempfile.TemporaryDirectory() as directory:
        processed = pipeline.process_crash(CRASH_ID, raw, dumps, temporary_directory=Path(directory)).processed
    for name in DIFFERS_EACH_TIME:
        del processed[name]
    for name in NO_RULE_READS:
        del processed["json_dump"][name]
    processed["processing"] = {"missing_symbols": processed["processing"]["missing_symbols"]}
    return {"raw": raw, "processed": processed}


if __name__ == "__main__":
    FILE.write_bytes(made())
