"""Functions that the checks share: the processor that systemd runs, its crashes, and reports of systemd."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path("/opt/socorro")
SOCORRO = CHECKOUT / ".venv" / "bin" / "socorro"
CONFIGURATION = Path("/etc/socorro/processor.ini")
ENVIRONMENT = Path("/etc/socorro/processor.env")
STATE = Path("/var/lib/socorro")
PROCESSOR = "socorro-processor.service"
WITHIN = 600.0
"""Seconds for what takes seconds on a real machine: this one is emulated, ten times slower, and shares its cores."""


class Bad(Exception):
    """A check that has failed."""


def died_and_restarted(signal: str, end: str, fault: str) -> str:
    pid, restarts, since = main_pid(), number_of_restarts(), now()
    began = time.monotonic()
    must("/bin/sh", "-c", f"kill -{signal} {pid}")
    back_again(pid, restarts)
    lines = journal(PROCESSOR, since)
    if end not in lines or fault not in lines:
        raise Bad(f"no {end} or no {fault} in {lines}")
    return f"ready again after {time.monotonic() - began:.0f} s"


def back_again(pid: int, restarts: int) -> None:
    wait("a restart", lambda: number_of_restarts() == restarts + 1 and main_pid() not in (0, pid))
    wait("ready again", is_ready)


def is_ready() -> bool:
    state, status = show(PROCESSOR, "ActiveState", "StatusText")
    return state == "active" and status.startswith("ready")


def process(sample: str) -> dict[str, object]:
    """Submit a sample, and return its processed crash."""
    crash_id = submit(sample)
    wait(f"the processed crash {crash_id}", processed_crash(crash_id).exists)
    return load(crash_id)


def load(crash_id: str) -> dict[str, object]:
    processed: dict[str, object] = json.loads(processed_crash(crash_id).read_bytes())
    return processed


def submit(sample: str) -> str:
    directory = CHECKOUT / "samples" / sample
    done = as_socorro(
        "submit", str(directory / "upload_file_minidump.dmp"), "--raw-crash", str(directory / "raw_crash.json")
    )
    if done.returncode:
        raise Bad(f"submit: {done.stderr}")
    return done.stdout.split()[-1]


def processed_crash(crash_id: str) -> Path:
    return STATE / "socorro-data" / "crashes" / "v1" / "processed_crash" / crash_id


def version_of(processed: dict[str, object]) -> str:
    processing = processed["processing"]
    assert isinstance(processing, dict)
    return str(processing["processor_version"])


def as_socorro(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``socorro`` as the units do: user, directory, configuration and environment."""
    settings = dict(line.split("=", 1) for line in ENVIRONMENT.read_text().splitlines() if line)
    return subprocess.run(
        ["runuser", "-u", "socorro", "--", str(SOCORRO), *arguments],
        cwd=STATE,
        env={"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "SOCORRO__ADMIN__CONF": str(CONFIGURATION), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def processes_of(user: str) -> list[str]:
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        # A process that ends meanwhile does not count.
        with suppress(FileNotFoundError, ProcessLookupError):
            if process.owner() == user:
                commands.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return commands


def readiness() -> tuple[int, str]:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def show(unit: str, *properties: str) -> list[str]:
    """Return the values of a unit's properties, in the order in which they are named."""
    lines = must("systemctl", "show", unit, *(f"--property={name}" for name in properties)).splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return ["" if values[name] in ("n/a", "[not set]") else values[name] for name in properties]


def main_pid() -> int:
    return int(show(PROCESSOR, "MainPID")[0])


def number_of_restarts() -> int:
    return int(show(PROCESSOR, "NRestarts")[0])


def now() -> float:
    """Return a time for `journal`, at which all earlier messages have arrived there."""
    must("journalctl", "--sync")
    return time.time()


def journal(unit: str, since: float = 0.0) -> str:
    """Return the messages of a unit, and of systemd about it, since then."""
    # Not by a cursor: systemd 252 leaves out the first line of the unit after it.
    return must("journalctl", "--unit", unit, "--output=cat", "--no-pager", f"--since=@{since:.6f}")


def wait(what: str, condition: Callable[[], object], within: float = WITHIN) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            (status,) = show(PROCESSOR, "StatusText")
            raise Bad(f"{what}: not after {within:.0f} s; the status is {status!r}")
        time.sleep(0.5)


def expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Bad(f"{what}: {found}, not {expected}")


def must(*command: str) -> str:
    done = run(*command)
    if done.returncode:
        raise Bad(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")


def one_line(text: str) -> str:
    return " / ".join(line.strip() for line in text.splitlines() if line.strip())
