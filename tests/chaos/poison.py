"""A rule of an operator, with crashes that are poison to it: they end the processor, or its thread."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from socorro_processor.pipeline.rule import Crash, Rule

ANNOTATION = "ChaosPoison"

POISONS = {
    "kills": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfaults": lambda: ctypes.string_at(0),
    "hangs": lambda: time.sleep(3600),
    "ends its thread": sys.exit,
}


class PoisonRule(Rule):
    """Do what the crash's annotation says."""

    def predicate(self, crash: Crash) -> bool:
        return ANNOTATION in crash.raw

    def action(self, crash: Crash) -> bool:
        POISONS[crash.raw[ANNOTATION]]()
        return True
