"""A small disk, in memory, that can be full."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self


class Disk:
    """Mounted on ``directory`` within a ``with``; if it cannot be mounted, an ordinary directory."""

    def __init__(self, directory: Path, size: int) -> None:
        self.directory = directory
        self._size = size
        self.impossible = ""
        """The reason why it cannot be full; empty if it can."""

    def __enter__(self) -> Self:
        self.directory.mkdir()
        mounted = _run("mount", "-t", "tmpfs", "-o", f"size={self._size}", "chaos", str(self.directory))
        if mounted.returncode:
            self.impossible = f"only root can mount a small disk here ({mounted.stderr.strip()})"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.impossible:
            _run("umount", "--lazy", str(self.directory))

    def fill(self) -> None:
        """Shrink it to its content, so that no more fits."""
        for _ in range(100):
            status = os.statvfs(self.directory)
            if self._resize((status.f_blocks - status.f_bfree) * status.f_frsize):
                return
            # Its content has grown meanwhile.
        raise RuntimeError(f"{self.directory} could not be filled")

    def make_room(self) -> None:
        if not self._resize(self._size):
            raise RuntimeError(f"{self.directory} could not be made larger again")

    def _resize(self, size: int) -> bool:
        return _run("mount", "-o", f"remount,size={max(size, 4096)}", str(self.directory)).returncode == 0


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)
