"""Stores that do what none may: by them it is seen that the harness would find it out."""

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
    """Says of every crash that it is saved, and saves none."""

    def save_raw_and_processed(self, *crash: Any) -> None:
        pass


class PickyStore(FileSystemCrashStorage):
    """Refuses the first few crashes that come, and says that it is their fault; of more all would wait."""

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
        subprocess.Popen(["sleep", "60"], start_new_session=True)
        super().save_raw_and_processed(*crash)


class StacklessStore(FileSystemCrashStorage):
    """Saves crashes as if no stackwalker could be started."""

    def save_raw_and_processed(self, raw_crash: Any, dumps: Any, processed_crash: Any, crash_id: str) -> None:
        without = {**processed_crash, "json_dump": {}, "success": False, "processor_notes": "no space left on device"}
        super().save_raw_and_processed(raw_crash, dumps, without, crash_id)
