"""A stackwalker that is the real one until it is told to behave otherwise."""

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

NOTES = ("killed, it was not done after", "died of signal 11", "what it printed is no JSON", "it printed nothing")
"""How the processor says in a crash that the stackwalker did one of these."""


class FaultyWalker:
    def __init__(self, directory: Path, real: Path) -> None:
        self.path = directory / "walker"
        self._away = directory / "walker-away"
        self._fault = directory / "walker-fault"
        self.mend()
        self.path.write_text(f'#!/bin/sh\n. {shlex.quote(str(self._fault))}\nexec {shlex.quote(str(real))} "$@"\n')
        self.path.chmod(0o755)

    def behave(self, fault: str) -> None:
        """Like this from now on, in every run that begins."""
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
