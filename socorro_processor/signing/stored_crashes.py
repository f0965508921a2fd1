"""Stored crashes in the form in which the rules that make signatures need them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import date
from itertools import islice
from typing import Any

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash, RawCrash
from socorro_processor.errors import CrashStorageError, SocorroError
from socorro_processor.fields import FIELDS
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from socorro_processor.pipeline.rule import Crash
from socorro_processor.serialization import Note
from socorro_processor.untrusted import value_of

_AT_ONCE = 100
"""The number of crash ids in one question to the destination."""


class StoredCrashes:
    """The crashes of source and destination, which are opened when needed and stay open until ``close``."""

    def __init__(self, values: DotDict, note: Note) -> None:
        """``values`` is the whole configuration. ``note`` receives a message about each crash without annotations."""
        self._values = values
        self._note = note
        self._stores: dict[str, CrashStorageBase] = {}
        self._closing = ExitStack()

    def crash(self, crash_id: str) -> Crash:
        """Return a crash from its processed crash, with the annotations if its raw crash can be read.

        Raises CrashStorageError if there is no processed crash.
        """
        processed = self._store("destination").get_unredacted_processed(crash_id)
        raw: dict[str, Any] = {}
        try:
            raw = self._store("source").get_raw_crash(crash_id)
        except CrashStorageError as error:
            self._note(f"{crash_id}: signed without annotations: {error}")
        return crash_to_sign(crash_id, raw, processed)

    def sample(self, days: Sequence[date], size: int) -> Iterator[str]:
        """Yield the ids of up to ``size`` processed crashes, evenly from these days.

        Crash ids begin with random digits, so the first ones of a day are a fair sample. Raises SocorroError if there
        are none.
        """
        taken = 0
        for number, day in enumerate(days):
            share = -(-(size - taken) // (len(days) - number))
            for crash_id in islice(self._processed(day), share):
                taken += 1
                yield crash_id
        if not taken:
            raise SocorroError(
                f"there is no processed crash of {min(days)} to {max(days)} in {self._store('source')}: name other "
                "days, or crash ids"
            )

    def close(self) -> None:
        self._closing.close()

    def _processed(self, day: date) -> Iterator[str]:
        """Yield the ids of a day's raw crashes that were processed."""
        destination, source = self._store("destination"), self._store("source")
        if not source.can("raw_crash_ids"):
            raise SocorroError(
                f"cannot take a sample: {type(source).__name__} does not list its raw crashes; name crash ids"
            )
        crash_ids = source.raw_crash_ids(day)
        while batch := list(islice(crash_ids, _AT_ONCE)):
            missing = destination.missing_processed(batch) if destination.can("missing_processed") else set()
            yield from (crash_id for crash_id in batch if crash_id not in missing)

    def _store(self, name: str) -> CrashStorageBase:
        if name not in self._stores:
            section = self._values[name]
            self._stores[name] = self._closing.enter_context(closing(section.crashstorage_class(section)))
        return self._stores[name]


def crash_to_sign(crash_id: str, raw: RawCrash, processed: ProcessedCrash) -> Crash:
    """Return a crash that can be signed again; ``processed`` is not changed."""
    json_dump = processed.get("json_dump")
    # The rules that sign write to frames and to single fields; most of a crash is the rest of its walk.
    processed = copy.deepcopy({name: value for name, value in processed.items() if name != "json_dump"})
    if json_dump is not None:
        processed["json_dump"] = _to_be_named(json_dump) if isinstance(json_dump, dict) else json_dump
    processed.setdefault("signature", "")
    if value_of(processed, "processing", "algorithm") == ProcessorAlgorithm2026.algorithm:
        raw = _annotations_in(processed) | raw
    elif java_stack_trace := processed.get("java_stack_trace"):
        raw = {"JavaStackTrace": java_stack_trace} | raw
    return Crash(crash_id, raw, processed=processed)


def _to_be_named(json_dump: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with frames of its own, without their names: these are by former lists."""
    threads = json_dump.get("threads")
    if not isinstance(threads, list):
        return dict(json_dump)
    return json_dump | {"threads": [_with_own_frames(each) if isinstance(each, dict) else each for each in threads]}


def _with_own_frames(thread: dict[str, Any]) -> dict[str, Any]:
    frames = thread.get("frames")
    return thread | {"frames": list(map(_own_frame, frames))} if isinstance(frames, list) else thread


def _own_frame(frame: Any) -> Any:
    """Return a copy without a name of the frame and the functions inlined into it."""
    if not isinstance(frame, dict):
        return frame
    own = {name: value for name, value in frame.items() if name != "normalized"}
    if isinstance(inlines := frame.get("inlines"), list):
        own["inlines"] = list(map(_own_frame, inlines))
    return own


_WITHOUT_MESSAGES = {"JavaStackTrace": "java_stack_trace", "JavaException": "java_exception"}
"""By annotation, fields that stand for it if that with the messages was left out."""


def _annotations_in(processed: ProcessedCrash) -> RawCrash:
    """Return the annotations from which the fields of a crash of 2026 come, where they are copied."""
    return {name: processed[field] for name, field in _WITHOUT_MESSAGES.items() if processed.get(field)} | {
        field.annotations[0]: processed[field.name]
        for field in FIELDS
        if field.annotations and not field.computed and processed.get(field.name) not in (None, field.default)
    }
