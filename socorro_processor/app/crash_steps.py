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
from socorro_processor.crashqueue.history import FORCE, NO_HISTORY, History, split_names
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
from socorro_processor.monitoring.metrics import METRICS, collecting_durations
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
    """Why the earlier result was kept, in words; empty if this one replaced it."""


@dataclass(frozen=True)
class _Crash:
    """A crash that has been processed and is yet to be saved."""

    raw: RawCrash
    processed: ProcessedCrash
    dumps: dict[str, Path]
    result: str
    """The name of the result. A result that a later attempt completes keeps its name."""
    unsaved: Sequence[str]
    """The stores that lack it; if empty, all do."""
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
        history: History = NO_HISTORY,
    ) -> Result:
        """Process a crash and save it to the destination; return once every store there has it.

        ``first_time`` means that this is not a retry, so that an earlier result makes it a reprocessing; ``is_new``
        that nobody asked for it to be processed again. A result worse than the earlier one is not saved, unless the
        kind of work in ``history`` is FORCE and the dumps are still there. Raises a CrashStorageError of the source,
        NotSavedError, or ProcessingEnvironmentError: then some stores, or all, lack the result, which is kept for a
        while so that the next attempt writes only what is missing.
        """
        with collecting_durations() as durations, ExitStack() as closing:

            def new_directory() -> Path:
                return Path(closing.enter_context(self._directory.crash_directory()))

            crash = self._unsaved_crash(crash_id, history, new_directory)
            if crash is None:
                self._unsaved.forget(crash_id)
                self._check_failed_stores(history)
                crash = self._fetch_and_transform(
                    crash_id, attempt, first_time, is_new and first_time, history, new_directory, durations
                )
            self._save(crash_id, crash)
            self._unsaved.forget(crash_id)
        return Result(
            str(crash.processed.get("signature")), bool(crash.processed.get("success")), durations, crash.kept_because
        )

    def _unsaved_crash(self, crash_id: str, history: History, new_directory: Callable[[], Path]) -> _Crash | None:
        """Return the result that an earlier attempt in this process began to save, or None."""
        kept = self._unsaved.get(crash_id, history.result) if history.result else None
        if kept is None:
            return None
        raw_crash, processed_crash, because = kept
        with METRICS.timer("fetch"):
            earlier = self._earlier(crash_id, history, [], everywhere=False)
            if earlier and _started(earlier) > _started(processed_crash):
                return None  # the crash was processed again meanwhile
            dumps = self._source.get_raw_dumps_as_files(crash_id, new_directory())
        return _Crash(raw_crash, processed_crash, dumps, history.result, split_names(history.unsaved), because)

    def _check_failed_stores(self, history: History) -> None:
        """Check the stores that failed before: a walk would be in vain while they are away."""
        failed = split_names(history.failed)
        if SOURCE in failed:
            self._source.check()
        if failed_destinations := [name for name in failed if name in self._destinations]:
            try:
                self._destination.limited_to(failed_destinations).check_before_retry()
            except CrashStorageError as error:
                raise self._still_away(error, history) from None

    def _still_away(self, error: CrashStorageError, history: History) -> NotSavedError:
        unsaved = split_names(history.unsaved) or self._destinations
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
            # Made only now: for an id without a raw crash it would be most of the cost.
            directory = new_directory()
            dumps = self._source.get_raw_dumps_as_files(crash_id, directory, notes.append)
            # The source itself may have lost the earlier result, or the dump.
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
        if earlier:
            _keep_earlier_signature(crash.processed, earlier)
        walked = durations.get("stackwalk", 0.0)
        durations["rules"] = time.perf_counter() - started - walked
        METRICS.duration("rules", durations["rules"])
        crash.processed["processing"]["durations"] = {
            step: round(durations[step], 6) for step in ("fetch", "stackwalk", "rules") if step in durations
        }
        # Nothing could bring the stack back: dumps that were removed never come again.
        may_be_worse = history.work == FORCE and not self._source.dumps_removed(crash_id)
        processed, because = _never_worse(crash.processed, None if may_be_worse else earlier, dumps)
        return _Crash(crash.raw, processed, dumps, uuid.uuid4().hex[:16], (), because)

    def _save(self, crash_id: str, crash: _Crash) -> None:
        # No variable of this frame holds an error when one is raised: they would keep each other, and the crash, alive.
        if failed := self._save_to_stores(crash_id, crash):
            self._unsaved.keep(crash_id, crash.raw, crash.processed, crash.result, crash.kept_because)
            raise NotSavedError(
                _in_words(failed),
                unsaved=list(failed),
                away=[name for name, each in failed.items() if each.transient],
                took=[name for name in crash.unsaved or self._destinations if name not in failed],
                result=crash.result,
                partly_away=_is_partly_away(failed.values()),
            )

    def _save_to_stores(self, crash_id: str, crash: _Crash) -> Mapping[str, CrashStorageError]:
        """Save the crash; return the errors by the names of the stores that failed."""
        try:
            with METRICS.timer("saves"):
                store = self._destination.limited_to(crash.unsaved)
                store.save_raw_and_processed(crash.raw, crash.dumps, crash.processed, crash_id)
        except CrashIDNotFound as error:
            # Raised as it is, it would mean that the source has no such crash.
            raise PermanentStorageError(f"the destination failed to save: {error}") from None
        except CrashStorageError as error:
            return failed_stores(without_frames(error))
        return {}

    def _earlier(self, crash_id: str, history: History, notes: list[str], *, everywhere: bool) -> ProcessedCrash | None:
        earlier, away = self._earlier_results.find(crash_id, notes.append, everywhere=everywhere)
        if away:
            raise self._still_away(PolyStorageError(away), history)
        return earlier


def _keep_earlier_signature(processed_crash: ProcessedCrash, earlier: ProcessedCrash) -> None:
    """Note in ``processed_crash`` the signature that the crash had before it got another one."""
    before = earlier.get("signature")
    if before == processed_crash.get("signature"):
        before = earlier.get("earlier_signature")
    if isinstance(before, str) and before:
        processed_crash["earlier_signature"] = before


def _never_worse(
    processed_crash: ProcessedCrash, earlier: ProcessedCrash | None, dumps: Collection[str]
) -> tuple[ProcessedCrash, str]:
    """Return the result to save, and the reason if that is the earlier one.

    The earlier one is saved again for stores that lack it.
    """
    because = worse_because(processed_crash, earlier, dumps) if earlier else ""
    return (earlier, because) if earlier and because else (processed_crash, "")


def _started(processed_crash: ProcessedCrash) -> str:
    """Return when processing started; empty if the result, perhaps another program's, does not tell."""
    started = processed_crash.get("started_datetime")
    return started if isinstance(started, str) else ""


def _is_partly_away(errors: Iterable[CrashStorageError]) -> bool:
    return any(isinstance(error, PartlyAwayError) for error in errors)


def _in_words(failed: Mapping[str, CrashStorageError]) -> str:
    """Return the errors as text, with the names of the stores if there are several."""
    return "; ".join(str(error) if name == DESTINATION else f"{name}: {error}" for name, error in failed.items())
