"""Crashes to report, and what ``socorro show`` prints of them."""

import io
import re
from typing import Any

from rich.console import Console

from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.printed_report import Shown, print_report

CRASH_ID = "0bba61c5-dfc3-43e7-dead-8afd20161123"
SGR = re.compile(r"\x1b\[[0-9;]*m")


def report(crash: dict[str, Any], **options: Any) -> str:
    """Return the report as it is printed in a pipe."""
    file = io.StringIO()
    _print(crash, Console(file=file, force_terminal=False, highlight=False), **options)
    return file.getvalue()


def on_terminal(crash: dict[str, Any], width: int = 120, environ: dict[str, str] | None = None, **options: bool) -> str:
    file = io.StringIO()
    environ = {"TERM": "xterm-256color", **(environ or {})}
    console = Console(file=file, force_terminal=True, width=width, highlight=False, _environ=environ)
    _print(crash, console, **options)
    return file.getvalue()


def _print(
    crash: dict[str, Any], console: Console, *, all_threads: bool = False, modules: bool = False, **context: Any
) -> None:
    print_report(CrashReport(crash, **context), console, Shown(all_threads, modules))


def lines_of_stack(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if re.match(r" *\d+  ", line)]


def processed(*frames: Any, **more: Any) -> dict[str, Any]:
    """Return a crash whose crashing thread, the second of two, has these frames."""
    thread = {"frames": list(frames), "thread_name": "Decoder", "threads_index": 1}
    json_dump = {
        "status": "OK",
        "crash_info": {"crashing_thread": 1, "type": "SIGSEGV", "address": "0x0000000000000010"},
        "crashing_thread": thread,
        "threads": [{"frames": [{"frame": 0, "function": "poll", "trust": "context"}], "thread_name": "main"}, thread],
        "modules": [
            {"filename": "libcodec.so", "version": "4.1", "debug_id": "AB1", "loaded_symbols": True},
            {"filename": "libc.so.6", "debug_file": "libc.so.6", "debug_id": "C0FFEE0", "missing_symbols": True},
            {"filename": "libz.so", "debug_id": "DD2"},
        ],
    }
    crash = {
        "uuid": CRASH_ID,
        "signature": "codec::decode",
        "product": "Player",
        "version": "3.2",
        "release_channel": "beta",
        "build": "20161120",
        "os_name": "Linux",
        "os_version": "4.8",
        "os_pretty_version": "Linux",
        "cpu_name": "amd64",
        "cpu_info": "family 6 | 4",
        "reason": "SIGSEGV",
        "address": "0x0000000000000010",
        "crash_time": 1479859200,
        "uptime": 3725,
        "install_age": 172800,
        "submitted_timestamp": "2016-11-23T00:01:00+00:00",
        "completed_datetime": "2016-11-23T00:02:00+00:00",
        "processing": {"processor_version": "1.0", "attempt": 2, "durations": {"stackwalk": 1.25}},
        "processor_notes": "host:17; exploitability information missing",
        "success": True,
        "mdsw_status_string": "OK",
        "additional_minidumps": [],
        "json_dump": json_dump,
    }
    return crash | more


def frame(number: object = 0, **more: Any) -> dict[str, Any]:
    return {"frame": number, "module": "libcodec.so", "trust": "cfi"} | more
