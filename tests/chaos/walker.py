"""A stackwalker that runs the real one until it is told to misbehave."""

from __future__ import annotations

import shlex
from pathlib import Path

FAULTS = {
    "hangs": "exec sleep 3600",
    "crashes": "kill -SEGV $$",
    "prints garbage": "head -c 5000 /dev/urandom; exit 0",
    "prints nothing": "exit 1",
}
IS_GONE = "is gone"

NOTES = ("killed: not done after", "died of signal 11", "its output is not JSON", "it printed nothing")
"""The notes in a crash about each misbehaviour."""


class FaultyWalker:
    def __init__(self, directory: Path, real: Path) -> None:
        self.path = directory / "walker"
        self._away = directory / "walker-away"
        self._fault = directory / "walker-fault"
        self.mend()
        self.path.write_text(f'#!/bin/sh\n. {shlex.quote(str(self._fault))}\nexec {shlex.quote(str(real))} "$@"\n')
        self.path.chmod(0o755)

    def behave(self, fault: str) -> None:
        """Misbehave like this in every run that begins from now on."""
        if fault == IS_GONE:
            self.path.rename(self._away)
        else:
            self._write(FAULTS[fault])

    def mend(self) -> None:
        self._write("")
        if self._away.exists():
            self._away.rename(self.path)

    def _write(self, text: str) -> None:
        new = self._fault.with_suffix(".new")
        new.write_text(text)
        new.replace(self._fault)
