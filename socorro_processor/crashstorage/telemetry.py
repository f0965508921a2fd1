"""Save a small public part of each crash, for statistics on millions of crashes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.keys import crash_report_key, processed_crash_id
from socorro_processor.crashstorage.reduction import read_schema
from socorro_processor.crashstorage.s3 import StorageInBucket
from socorro_processor.errors import CrashIDNotFound
from socorro_processor.serialization import encode

logger = logging.getLogger(__name__)


class TelemetryBotoS3CrashStorage(StorageInBucket):
    """Saves the part of each crash that a JSON Schema names, to ``{prefix}/v1/crash_report/{yyyymmdd}/{id}``.

    A crash report has annotations and fields of the processed crash side by side; of two with the same name, it has
    the field of the processed crash. For how the schema is read see the module ``reduction``. Reports are not read
    back, because they are not whole crashes.
    """

    required_config = Namespace()
    required_config.add_option(
        "crash_report_schema",
        default="",
        doc="the file of the JSON Schema of a crash report (empty: the project's own)",
        reference_value_from="resource.telemetry",
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        path = Path(config.crash_report_schema) if config.crash_report_schema else default_schema()
        self._reduction = read_schema(path)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        self._save({}, processed_crash)

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self._save(raw_crash, processed_crash)

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Return the crash ids that have no crash report."""
        absent = self._bucket.are_absent(map(crash_report_key, crash_ids))
        return {crash_id for crash_id, is_absent in zip(crash_ids, absent, strict=True) if is_absent}

    def held(self, crash_id: str) -> list[str]:
        (is_absent,) = self._bucket.are_absent([crash_report_key(crash_id)])
        return [] if is_absent else ["crash report"]

    def remove(self, crash_id: str) -> None:
        if not self._bucket.delete(crash_report_key(crash_id)):
            raise CrashIDNotFound(f"{self} has no crash report {check_crash_id(crash_id)}")

    def _save(self, raw_crash: RawCrash, processed_crash: ProcessedCrash) -> None:
        crash_id = processed_crash_id(processed_crash)
        report = self._reduction.reduce(raw_crash | processed_crash)
        data = encode(report, lambda note: logger.warning("%s of crash report %s in %s", note, crash_id, self))
        self._bucket.put(crash_report_key(crash_id), data)


def default_schema() -> Path:
    """Return the path of the project's own schema: beside the package in a checkout, within it if installed."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "config" / "crash_report_schema.json"
    return installed if installed.is_file() else package.parent / "config" / "crash_report_schema.json"
