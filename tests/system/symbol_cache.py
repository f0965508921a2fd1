"""The manager of a symbol cache, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from socorro_processor.cli.main import main
from tests.system.daemon import DEADLINE, eventually

KILOBYTE = 1 << 10


class SymbolCache:
    """A cache in a directory; ends every manager that it started."""

    def __init__(self, directory: Path, size: int, verbosity: int = 1) -> None:
        """``size`` is in kilobytes."""
        self.path = directory / "cache"
        self.limit = size * KILOBYTE
        self.options = [
            f"--companion_process.symbol_cache_path={self.path}",
            f"--companion_process.symbol_cache_size={size}k",
            f"--companion_process.verbosity={verbosity}",
        ]
        self.log = directory / "log"
        self._processes: list[subprocess.Popen[bytes]] = []

    def manage(self, *program: str) -> subprocess.Popen[bytes]:
        """Start a manager, which may have to wait for another one."""
        program = program or (sys.executable, "-m", "socorro_processor.app.companion")
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*program, *self.options],
                env={"PATH": os.environ["PATH"]},
                cwd=self.path.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def status(self, capsys: Any) -> dict[str, Any]:
        """Return the output of ``socorro symbols status --json``."""
        capsys.readouterr()
        main(["symbols", "status", "--json", *self.options], environ={})
        status: dict[str, Any] = json.loads(capsys.readouterr().out)
        return status

    def write(self, name: str, size: int) -> Path:
        """Write a symbol file of this many kilobytes."""
        path = self.path / f"{name}.pdb" / "ABCDEF0123456789" / f"{name}.sym"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size * KILOBYTE)
        return path

    def names(self) -> set[str]:
        return {path.stem for path in self.path.rglob("*.sym")}

    def bytes(self) -> int:
        """Return the size of the cache's files, even if some come and go meanwhile."""
        return sum(size_of(Path(directory, file)) for directory, _, files in os.walk(self.path) for file in files)

    def empty_directories(self) -> list[str]:
        return [directory for directory, below, files in os.walk(self.path) if not below and not files]

    def wait_for_log(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.log.read_text().count(text) >= times, lambda: self.log.read_text())

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait(DEADLINE)


def size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def end(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(DEADLINE)
