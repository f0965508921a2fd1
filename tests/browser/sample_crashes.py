"""The sample crashes, processed by all rules with their symbols; without the values that differ each time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from socorro_processor.configuration import DotDict, defaults
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from tests.shared import SAMPLES, own_stackwalker

CRASH_ID = "22db6a2b-4969-4600-9b63-9ea140261124"
_WALKER = "raw_to_processed_transform.BreakpadStackwalkerRule2015"
_NOTES = "host:1578; ProcessorAlgorithm2026"


class SampleCrash(NamedTuple):
    raw: dict[str, Any]
    processed: dict[str, Any]
    dump: Path


@contextmanager
def processor_options() -> Iterator[DotDict]:
    """The section ``processor``, for samples; what it writes is gone at the end."""
    with tempfile.TemporaryDirectory() as directory:
        walker = {
            "command_pathname": str(own_stackwalker()),
            "symbols_path": str(SAMPLES / "symbols"),
            "symbol_index_path": directory,
        }
        options = {f"{_WALKER}.{name}": value for name, value in walker.items()}
        yield defaults(ProcessorAlgorithm2026, processor_name="host:1578", **options)


def sample_crash(name: str) -> SampleCrash:
    """Process a sample: segfault or abort."""
    raw = json.loads((SAMPLES / name / "raw_crash.json").read_text())
    dump = SAMPLES / name / "upload_file_minidump.dmp"
    with (
        processor_options() as options,
        closing(ProcessorAlgorithm2026(options)) as algorithm,
        tempfile.TemporaryDirectory() as directory,
    ):
        processed = algorithm.process_crash(
            CRASH_ID, raw, {"upload_file_minidump": dump}, temporary_directory=Path(directory)
        ).processed
    for name in ("startedDateTime", "completeddatetime"):
        del processed[name]
    del processed["json_dump"]["socorro_stackwalk"]
    # Their order is the stackwalker's, and differs each time.
    processed["json_dump"]["proc_limits"]["limits"].sort(key=lambda limit: limit["name"])
    processed["processor_notes"] = _NOTES
    processed["processing"]["durations"] = {"fetch": 0.001, "stackwalk": 0.008, "rules": 0.004}
    return SampleCrash(raw, processed, dump)
