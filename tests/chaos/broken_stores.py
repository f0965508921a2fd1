"""Stores that each break a promise, so that tests see that the harness notices."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import PermanentStorageError

_REFUSED = 3


class ForgetfulStore(FileSystemCrashStorage):
    """Reports every crash as saved, and saves none."""

    def save_raw_and_processed(self, *crash: Any) -> None:
        pass


class PickyStore(FileSystemCrashStorage):
    """Refuses the first few crashes, which are then at fault; after more refusals, all crashes would wait."""

    def save_raw_and_processed(self, raw_crash: Any, dumps: Any, processed_crash: Any, crash_id: str) -> None:
        refused = Path(self.config.root) / "refused"
        refused.mkdir(parents=True, exist_ok=True)
        if len(list(refused.iterdir())) < _REFUSED:
            (refused / crash_id).touch()
        if (refused / crash_id).exists():
            raise PermanentStorageError("it is not to its taste")
        super().save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)


class UntidyStore(FileSystemCrashStorage):
    """Leaves a file and a process behind with each crash."""

    def save_raw_and_processed(self, *crash: Any) -> None:
        tempfile.NamedTemporaryFile(dir=os.environ["TMPDIR"], prefix="untidy-", delete=False).close()
        # Without the processor's mark in its environment, by which it would be found.
        subprocess.Popen(["/usr/bin/sleep", "60"], start_new_session=True, env={"TMPDIR": os.environ["TMPDIR"]})
        super().save_raw_and_processed(*crash)


class StacklessStore(FileSystemCrashStorage):
    """Saves crashes as if no stackwalker could be started."""

    def save_raw_and_processed(self, raw_crash: Any, dumps: Any, processed_crash: Any, crash_id: str) -> None:
        without = {**processed_crash, "json_dump": {}, "success": False, "processor_notes": "no space left on device"}
        super().save_raw_and_processed(raw_crash, dumps, without, crash_id)
