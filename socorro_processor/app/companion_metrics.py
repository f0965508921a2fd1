"""What the companion process measures, told to the processor: one statsd prefix and one ``/metrics`` for both.

A pipe, a line of JSON for each: ``["increment", "symbol_cache.hits", 3, []]``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from socorro_processor.monitoring.metrics import Labels, Metrics


class PipeSink:
    """The companion's end. What does not go into the pipe at once is lost: the processor may hang."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def increment(self, name: str, value: int, labels: Labels) -> None:
        self._send("increment", name, value, labels)

    def gauge(self, name: str, value: float, labels: Labels) -> None:
        self._send("gauge", name, value, labels)

    def duration(self, name: str, seconds: float, labels: Labels) -> None:
        self._send("duration", name, seconds, labels)

    def _send(self, kind: str, name: str, value: float, labels: Labels) -> None:
        # Lines of less than 4 kB go into a pipe as a whole or not at all.
        with suppress(OSError):
            os.write(self._descriptor, json.dumps([kind, name, value, labels]).encode() + b"\n")


def relay(pipe: BinaryIO, metrics: Metrics) -> None:
    """The processor's end: take over what comes, until the companion has ended."""
    tell: dict[str, Callable[..., None]] = {
        "increment": metrics.increment,
        "gauge": metrics.gauge,
        "duration": metrics.duration,
    }
    with pipe:
        for line in pipe:
            kind, name, value, labels = json.loads(line)
            tell[kind](name, value, **dict(labels))
