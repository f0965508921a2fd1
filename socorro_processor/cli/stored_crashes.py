"""Crashes as the rules that make signatures want them: of the stores, or of a file with a processed crash."""

from __future__ import annotations

import copy
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from socorro_processor.cli.command import build
from socorro_processor.cli.crash_ids import STANDARD_INPUT, crash_id_of
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashStorageError, InvalidCrashID, SocorroError
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.json_dump import frames_of
from socorro_processor.serialization import NotJSON, decode


class StoredCrashes:
    """Stored crashes; the stores are opened when they are needed, and closed at the end of the ``with``."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._stores: dict[str, CrashStorageBase] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    def crash(self, name: str) -> Crash:
        """Return a crash as its processed crash has it, with the annotations where its raw crash is at hand.

        ``name``: an id in the stores, or else a file. Raises SocorroError, OSError or ValueError.
        """
        try:
            crash_id = crash_id_of(name)
        except InvalidCrashID:
            if name != STANDARD_INPUT and not Path(name).exists():
                raise SocorroError("it is neither a crash id nor a file") from None
            processed = _read(name)
            return _as_crash(str(processed.get("uuid") or plain(name)), {}, processed)
        processed = self.store("destination").get_unredacted_processed(crash_id)
        raw: dict[str, Any] = {}
        try:
            raw = self.store("source").get_raw_crash(crash_id)
        except CrashStorageError as error:
            say(f"{crash_id}: signed without its annotations: {error}")
        return _as_crash(crash_id, raw, processed)

    def store(self, section: str) -> CrashStorageBase:
        if section not in self._stores:
            self._stores[section] = self._closing.enter_context(closing(build(section, self._configuration)))
        return self._stores[section]


def _read(name: str) -> dict[str, Any]:
    content = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    processed = decode(content)
    if not isinstance(processed, dict):
        raise NotJSON("it is JSON, but not an object")
    return processed


def _as_crash(crash_id: str, raw: dict[str, Any], processed: dict[str, Any]) -> Crash:
    processed = copy.deepcopy(processed)
    processed.setdefault("signature", "")
    if java_stack_trace := processed.get("java_stack_trace"):
        raw = {"JavaStackTrace": java_stack_trace} | raw
    # The lists of then named these frames; those of today may name them otherwise.
    json_dump = processed.get("json_dump")
    threads = json_dump.get("threads") if isinstance(json_dump, dict) else None
    for thread in threads if isinstance(threads, list) else []:
        for frame in frames_of(thread):
            frame.pop("normalized", None)
    return Crash(crash_id, raw, processed=processed)
