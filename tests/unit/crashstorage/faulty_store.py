"""A store for tests that fails as it is told."""

from __future__ import annotations

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.base import Dump
from socorro_processor.crashstorage.memory import InMemoryCrashStorage


class FaultyStore(InMemoryCrashStorage):
    """A store in memory; while there is an ``error``, everything raises it. ``written`` lists the keys."""

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self.error: Exception | None = None
        self.written: list[str] = []

    def fail_with(self, error: Exception | None) -> None:
        """Set ``error``, even through a wrapper, which only passes on calls."""
        self.error = error

    def put(self, key: str, content: Dump) -> None:
        self.check()
        self.written.append(key)
        super().put(key, content)

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        self.check()
        return super().get(key, maximum_size)

    def delete(self, key: str) -> bool:
        self.check()
        return super().delete(key)

    def setup(self) -> None:
        self.check()
        self.written.append("set up")

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.written.append("closed")
        self.check()
