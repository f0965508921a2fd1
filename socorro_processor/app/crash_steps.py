"""The three steps of a crash: fetch, transform, save."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from socorro_processor.app.earlier_results import EarlierResults
from socorro_processor.app.never_worse import worse_because
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import UnsavedCrashes
from socorro_processor.crashqueue.history import FORCE, NOTHING, History, names_of
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase, ProcessedCrash, RawCrash
from socorro_processor.errors import (
    DESTINATION,
    CrashIDNotFound,
    CrashStorageError,
    NotSavedError,
    PartlyAwayError,
    PermanentStorageError,
    PolyStorageError,
    failed_stores,
    without_frames,
)
from socorro_processor.monitoring.metrics import METRICS, collected_durations
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline

SOURCE = "source"
"""The name of the source among the stores that failed."""


@dataclass(frozen=True)
class Result:
    """The result of a crash that was saved everywhere."""

    signature: str
    success: bool
    durations: dict[str, float]
    kept_because: str = ""
    """Why the earlier result was kept, in words; empty where this one took its place."""


@dataclass(frozen=True)
class _Crash:
    """A crash that was processed and is to be saved."""

    raw: RawCrash
    processed: ProcessedCrash
    dumps: dict[str, Path]
    result: str
    """Names the result. One that is completed has the name of the attempt that began it."""
    unsaved: Sequence[str]
    """The stores that lack it; empty for all of them."""
    kept_because: str = ""


class CrashSteps:
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
        self._earlier_results = EarlierResults(source, destination)
        self._destinations = destination.store_names() or [DESTINATION]

    def run(
        self,
        crash_id: str,
        *,
        attempt: int = 1,
        first_time: bool = True,
        is_new: bool = False,
        history: History = NOTHING,
    ) -> Result:
        """Process a crash and save it to the destination; returns once every store there has it.

        ``first_time``: this is no retry, so that an earlier result makes it a reprocessing. ``is_new``: nobody asked
        for it to be processed again. A result that is worse than the earlier one is not saved, unless the kind of work
        in ``history`` is FORCE. Raises a CrashStorageError of the source, NotSavedError, or
        ProcessingEnvironmentError: nothing is saved then, or not everywhere, and what was processed is kept for a while
        so that the next attempt writes only what is missing.
        """
        with collected_durations() as durations, ExitStack() as closing:

            def new_directory() -> Path:
                return Path(closing.enter_context(self._directory.crash_directory()))

            crash = self._unsaved_crash(crash_id, history, new_directory)
            if crash is None:
                self._unsaved.forget(crash_id)
                self._check_what_failed(history)
                crash = self._fetch_and_transform(
                    crash_id, attempt, first_time, is_new and first_time, history, new_directory, durations
                )
            self._save(crash_id, crash)
            self._unsaved.forget(crash_id)
        return Result(
            str(crash.processed.get("signature")), bool(crash.processed.get("success")), durations, crash.kept_because
        )

    def _unsaved_crash(self, crash_id: str, history: History, new_directory: Callable[[], Path]) -> _Crash | None:
        """Return the result that an earlier attempt in this process has begun to save; None if there is none."""
        kept = self._unsaved.get(crash_id, history.result) if history.result else None
        if kept is None:
            return None
        raw_crash, processed_crash, because = kept
        with METRICS.timer("fetch"):
            earlier = self._earlier(crash_id, history, [], everywhere=False)
            if earlier and _started(earlier) > _started(processed_crash):
                return None  # it was processed once more meanwhile
            dumps = self._source.get_raw_dumps_as_files(crash_id, new_directory())
        return _Crash(raw_crash, processed_crash, dumps, history.result, names_of(history.unsaved), because)

    def _check_what_failed(self, history: History) -> None:
        """Look at the stores that failed before: a walk is in vain where they are still away."""
        failed = names_of(history.failed)
        if SOURCE in failed:
            self._source.check()
        if within := [name for name in failed if name in self._destinations]:
            try:
                self._destination.check_some(within)
            except CrashStorageError as error:
                raise self._still_away(error, history) from None

    def _still_away(self, error: CrashStorageError, history: History) -> NotSavedError:
        unsaved = names_of(history.unsaved) or self._destinations
        failed = failed_stores(error)
        return NotSavedError(
            str(error),
            unsaved=unsaved,
            away=list(failed),
            took=(),
            result=history.result,
            partly_away=_is_partly_away(failed.values()),
        )

    def _fetch_and_transform(
        self,
        crash_id: str,
        attempt: int,
        first_time: bool,
        is_new: bool,
        history: History,
        new_directory: Callable[[], Path],
        durations: dict[str, float],
    ) -> _Crash:
        notes: list[str] = []
        with METRICS.timer("fetch"):
            raw_crash = self._source.get_raw_crash(crash_id, notes.append)
            # Not before: for an id without a raw crash it would be most of what that costs.
            directory = new_directory()
            dumps = self._source.get_raw_dumps_as_files(crash_id, directory, notes.append)
            # A store that lost it, or its dump, may be the source.
            earlier = self._earlier(crash_id, history, notes, everywhere=not is_new or MAIN_DUMP not in dumps)
        started = time.perf_counter()
        crash = self._pipeline.process_crash(
            crash_id,
            raw_crash,
            dumps,
            earlier=earlier if first_time else None,
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
        processed, because = _better(crash.processed, earlier if history.work != FORCE else None, dumps)
        return _Crash(crash.raw, processed, dumps, uuid.uuid4().hex[:16], (), because)

    def _save(self, crash_id: str, crash: _Crash) -> None:
        # No error is in a variable of this frame when one is raised: they would hold each other, and the crash.
        if failed := self._failed_to_save(crash_id, crash):
            self._unsaved.keep(crash_id, crash.raw, crash.processed, crash.result, crash.kept_because)
            raise NotSavedError(
                _in_words(failed),
                unsaved=list(failed),
                away=[name for name, each in failed.items() if each.transient],
                took=[name for name in crash.unsaved or self._destinations if name not in failed],
                result=crash.result,
                partly_away=_is_partly_away(failed.values()),
            )

    def _failed_to_save(self, crash_id: str, crash: _Crash) -> Mapping[str, CrashStorageError]:
        """Save it; return the error of each store that failed, by its name."""
        try:
            with METRICS.timer("saves"):
                if crash.unsaved:
                    self._destination.save_again(crash.raw, crash.dumps, crash.processed, crash_id, crash.unsaved)
                else:
                    self._destination.save_raw_and_processed(crash.raw, crash.dumps, crash.processed, crash_id)
        except CrashIDNotFound as error:
            # From the source it would mean that there is no such crash.
            raise PermanentStorageError(f"the destination failed to save: {error}") from None
        except CrashStorageError as error:
            return failed_stores(without_frames(error))
        return {}

    def _earlier(self, crash_id: str, history: History, notes: list[str], *, everywhere: bool) -> ProcessedCrash | None:
        earlier, away = self._earlier_results.find(crash_id, notes.append, everywhere=everywhere)
        if away:
            raise self._still_away(PolyStorageError(away), history)
        return earlier


def _better(
    processed_crash: ProcessedCrash, earlier: ProcessedCrash | None, dumps: Collection[str]
) -> tuple[ProcessedCrash, str]:
    """Return what is to be saved, and where that is the earlier result, why.

    Saved once more, it comes to a store that lacks it.
    """
    because = worse_because(processed_crash, earlier, dumps) if earlier else ""
    return (earlier, because) if earlier and because else (processed_crash, "")


def _started(processed_crash: ProcessedCrash) -> str:
    """Return when it was processed; empty if it does not say so, as the results of other programs may."""
    started = processed_crash.get("started_datetime")
    return started if isinstance(started, str) else ""


def _is_partly_away(errors: Iterable[CrashStorageError]) -> bool:
    return any(isinstance(error, PartlyAwayError) for error in errors)


def _in_words(failed: Mapping[str, CrashStorageError]) -> str:
    """Say which store failed, where there are several."""
    return "; ".join(str(error) if name == DESTINATION else f"{name}: {error}" for name, error in failed.items())
