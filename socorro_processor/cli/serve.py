"""``socorro serve`` takes crashes over HTTP, and processes them."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from socorro_processor.cli.command import Command
from socorro_processor.configuration import Configuration
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import SocorroError
from socorro_processor.machine.malloc import keep_memory_flat
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.keeper import bounded_root

logger = logging.getLogger(__name__)

_PROCESSOR = (sys.executable, "-P", "-m", "socorro_processor.cli.processor_child")
_SAMPLE = Path("samples/segfault/upload_file_minidump.dmp")
"""The minidump to try it with, in a checkout."""


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    try:
        # An extra, so that a processor can be installed without it.
        from socorro_processor.web.service import Service
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("socorro_processor"):
            raise
        raise SocorroError(
            f"socorro serve needs {error.name}, which is not installed: pip install 'socorro-processor[web]' brings it"
        ) from error
    set_up_logging(configuration.values.logging)
    for warning in configuration.warnings:
        logger.warning(warning)
    keep_memory_flat()
    service = Service(configuration.values, _PROCESSOR, configuration.command_line())
    return service.main(lambda origin: _say_where(origin, configuration))


def _say_where(origin: str, configuration: Configuration) -> None:
    source = configuration.values.source
    dump = _SAMPLE if _SAMPLE.is_file() else "PATH"
    form = f"-F upload_file_minidump=@{dump} -F ProductName=Example -F Version=1.0"
    lines = [
        f"Crashes are taken at {origin}/submit; {origin} says more.",
        "To try it, in another terminal:",
        f"  curl --fail-with-body {form} {origin}/submit",
        f"Then open {origin}/report/CRASH_ID, with the id that it prints.",
    ]
    if source.crashstorage_class is FileSystemCrashStorage:
        if root := bounded_root(configuration.values):
            lines.append(Bounds.of(configuration.values.retention, root).in_words())
        lines.append(f"Crashes are kept in {Path(source.root).absolute()}. Ctrl-C ends the server.")
    print("\n".join(lines), flush=True)


COMMAND = Command(
    name="serve",
    summary="Take crashes over HTTP, and process them: all on one machine, in one command.",
    description=(
        "It listens on http://127.0.0.1:8000, takes crashes at /submit, and runs a processor beside the server. "
        "Without a configuration everything is kept in socorro-data, in the directory where it is started. An upload "
        "is answered once it is on the disk; it goes to store and queue behind that.\n\n"
        "On SIGTERM or SIGINT it finishes the requests and crashes in work, and ends with 0; a second signal ends it "
        "at once. On SIGHUP the processor reads signature lists and reference data again."
    ),
    exit_codes={
        0: "stopped by a signal",
        1: "failed: the port or the directory of the spool is in use, or cannot be used",
    },
    example=(
        "socorro serve\n"
        "socorro serve --web.port=8001 --admin.conf=config/processor.ini\n"
        "curl -F upload_file_minidump=@app.dmp http://127.0.0.1:8000/submit"
    ),
    run=run,
    is_service=True,
)
