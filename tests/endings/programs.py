"""Programs in C++, C, Rust and Go that end in all the ways in which programs end, each with its minidump.

They do not know of minidumps: a library that is loaded before them has ``samples/crash-guard`` write one. All are
compiled with optimization and debug information, like released programs.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import crash_guard
from tests.shared import require

SOURCES = Path(__file__).parent / "programs"
DEADLINE = 60.0

# A function that ends with a call would be gone from the stack.
_OPTIMIZED = ("-O2", "-g", "-fno-optimize-sibling-calls")

_SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize=object-size", "-fno-sanitize-recover=all")

_COMPILED: Mapping[str, tuple[str, ...]] = {
    "libcrane.so": ("gcc", "-shared", "-fPIC", "-O2", "-g", "crane.c"),
    "skiff": ("gcc", *_OPTIMIZED, "-pthread", "skiff.c"),
    "ferry": (
        *("g++", "-std=c++20", *_OPTIMIZED, "-pthread", "ferry.cpp", "-ldl"),
        *("-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_ASSERTIONS", "-fstack-protector-strong"),
    ),
    "raft": ("g++", *_OPTIMIZED, *_SANITIZED, "raft.cpp"),
    "barge": ("rustc", "--edition=2021", "-O", "-g", "-Cpanic=abort", "barge.rs"),
    "barge-unwind": ("rustc", "--edition=2021", "-O", "-g", "-Cpanic=unwind", "barge.rs"),
    "canal": ("go", "build", "-C", "canal"),
}
"""The command that makes each; ``-o`` and its path are appended."""

_ENVIRONMENT = {
    # Otherwise the stack has leftovers of the loader, which a scan for frames would find.
    "LD_BIND_NOW": "1",
    # The guard's library comes before that of the sanitizer, which objects to that.
    "ASAN_OPTIONS": "abort_on_error=1:verify_asan_link_order=0",
    "UBSAN_OPTIONS": "abort_on_error=1",
    "RUST_BACKTRACE": "0",
}

_SIGNALS = {"deadlock": signal.SIGABRT, "hung": signal.SIGABRT, "terminated": signal.SIGTERM}
"""Endings that come from outside: the signal that is sent while the program waits."""


@dataclass(frozen=True)
class Programs:
    """All programs, built."""

    directory: Path
    guard: Path

    @classmethod
    def build(cls, directory: Path) -> Programs:
        """Build the programs whose compilers are installed."""
        require(shutil.which("gcc") is not None, f"no gcc: {crash_guard.CI_INSTALLS}")
        crash_guard.build()
        library = directory / "libguard.so"
        _compile(
            "gcc", "-shared", "-fPIC", "guard.c", crash_guard.ARCHIVE, "-Wl,--exclude-libs,ALL", "-lm", output=library
        )
        for name, command in _COMPILED.items():
            if shutil.which(command[0]):
                _compile(*command, output=directory / name)
        return cls(directory, library)

    def has(self, program: str) -> bool:
        return (self.directory / program).exists()

    def require(self, program: str) -> None:
        """Skip the test where the program's compiler is missing."""
        require(self.has(program), f"no {_COMPILED[program][0]}, and so no {program}")

    def built(self) -> list[Path]:
        return [self.directory / name for name in _COMPILED if self.has(name)]

    def end(self, program: str, ending: str, dump: Path) -> None:
        """Let a program end in this way, with its minidump in ``dump``."""
        # With a stack of 1 MB the overflow comes sooner, and the dump is smaller.
        limits = ["sh", "-c", 'ulimit -c 0; ulimit -s 1024; exec "$@"', "sh"]
        preload = ["env", f"LD_PRELOAD={self.guard}", f"ENDING_DUMP={dump}"]
        command = [*limits, *preload, self.directory / program, ending]
        with subprocess.Popen(
            command,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                if ending in _SIGNALS:
                    _wait_until_it_waits(process)
                    process.send_signal(_SIGNALS[ending])
                # The end of the output is also the end of the guard.
                printed, _ = process.communicate(timeout=DEADLINE)
            finally:
                process.kill()
        assert process.returncode < 0, f"{program} {ending} ended with {process.returncode}: {printed}"
        assert "crash_guard" not in printed, printed
        assert dump.stat().st_size > 0


def versions() -> tuple[str, ...]:
    """Return the installed versions of gcc, rustc, go and Debian, in the form that the table of endings uses."""
    return (
        *(_first_number(*command) for command in (("gcc", "-dumpfullversion"), ("rustc", "-V"), ("go", "version"))),
        _first_number("cut", "--delimiter=.", "--fields=1", "/etc/debian_version"),
    )


def _first_number(*command: str) -> str:
    """Return the first number that a command prints, with two parts at most; empty if there is none."""
    if shutil.which(command[0]) is None:
        return ""
    printed = subprocess.run(command, capture_output=True, text=True).stdout
    found = re.search(r"\d+(\.\d+)?", printed)
    return found[0] if found else ""


def _compile(*command: str | Path, output: Path) -> None:
    done = subprocess.run([*command, "-o", output], cwd=SOURCES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _wait_until_it_waits(process: subprocess.Popen[str]) -> None:
    """Wait until the program has printed a line and sleeps: it sleeps only in the call after that line."""
    assert process.stdout
    assert process.stdout.readline() == "waits\n"
    deadline = time.monotonic() + DEADLINE
    while Path("/proc", str(process.pid), "stat").read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.001)
