"""The three steps of a crash: fetch, transform, save."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import UnsavedCrashes
from socorro_processor.crashstorage.base import CrashStorageBase, RawCrash
from socorro_processor.errors import CrashIDNotFound, CrashStorageError, PermanentStorageError
from socorro_processor.metrics import METRICS, collected_durations
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline


@dataclass(frozen=True)
class Result:
    """What there is to say of a crash that was saved everywhere."""

    signature: str
    success: bool
    durations: dict[str, float]


class Steps:
    """Takes a crash id through fetch, transform and save. May be used by several threads at once."""

    def __init__(
        self,
        source: CrashStorageBase,
        pipeline: ProcessorPipeline,
        destination: CrashStorageBase,
        directory: ProcessDirectory,
        unsaved: UnsavedCrashes | None = None,
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._destination = destination
        self._directory = directory
        self._unsaved = unsaved or UnsavedCrashes()

    def run(self, crash_id: str, *, attempt: int = 1, first_time: bool = True) -> Result:
        """Process a crash and save it to the destination; returns once every store there has it.

        ``first_time``: this is no retry, so that an earlier result makes it a reprocessing. Raises a
        CrashStorageError of source or destination, or ProcessingEnvironmentError: nothing is saved
        then, or not everywhere, and what was processed is kept for a while so that the next attempt
        writes only what is missing.
        """
        with collected_durations() as durations, self._directory.crash_directory() as directory:
            if first_time:
                self._unsaved.forget(crash_id)
            unsaved = self._unsaved.get(crash_id)
            if unsaved is None:
                raw_crash, processed_crash, dumps = self._fetch_and_transform(
                    crash_id, attempt, first_time, Path(directory), durations
                )
            else:
                raw_crash, processed_crash = unsaved.raw_crash, unsaved.processed_crash
                with METRICS.timer("fetch"):
                    dumps = self._source.get_raw_dumps_as_files(crash_id, Path(directory))
            try:
                with METRICS.timer("saves"):
                    if unsaved is None:
                        self._destination.save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)
                    else:
                        self._destination.save_again(raw_crash, dumps, processed_crash, crash_id, unsaved.error)
            except CrashIDNotFound as error:
                # Of the source it would mean that there is no such crash.
                raise PermanentStorageError(f"the destination failed to save: {error}") from error
            except CrashStorageError as error:
                self._unsaved.keep(crash_id, raw_crash, processed_crash, error)
                raise
            self._unsaved.forget(crash_id)
        return Result(str(processed_crash.get("signature")), bool(processed_crash.get("success")), durations)

    def _fetch_and_transform(
        self, crash_id: str, attempt: int, first_time: bool, directory: Path, durations: dict[str, float]
    ) -> tuple[RawCrash, dict[str, Any], dict[str, Path]]:
        notes: list[str] = []
        with METRICS.timer("fetch"):
            raw_crash = self._source.get_raw_crash(crash_id, notes.append)
            dumps = self._source.get_raw_dumps_as_files(crash_id, directory, notes.append)
            earlier = self._earlier(crash_id, notes) if first_time else None
        started = time.perf_counter()
        crash = self._pipeline.process_crash(
            crash_id,
            raw_crash,
            dumps,
            earlier=earlier,
            notes=notes,
            attempt=attempt,
            temporary_directory=directory,
        )
        walked = durations.get("stackwalk", 0.0)
        durations["rules"] = time.perf_counter() - started - walked
        METRICS.duration("rules", durations["rules"])
        crash.processed["processing"]["durations"] = {
            step: round(durations[step], 6) for step in ("fetch", "stackwalk", "rules") if step in durations
        }
        return crash.raw, crash.processed, dumps

    def _earlier(self, crash_id: str, notes: list[str]) -> dict[str, Any] | None:
        try:
            return self._source.get_unredacted_processed(crash_id)
        except (CrashIDNotFound, NotImplementedError):
            return None
        except PermanentStorageError:
            notes.append("the earlier processed crash cannot be read")
            return None
