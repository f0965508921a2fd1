"""``socorro submit``: what a collector does with a crash, from the shell."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.cli.command import Command, build
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import QUEUES
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase, check_dump_name
from socorro_processor.errors import CrashQueueError, CrashStorageError, SocorroError
from socorro_processor.serialization import NotJSON, decode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dumps",
        metavar="DUMP",
        nargs="+",
        help="a minidump; NAME=FILE names it, where the crash has more than the main one",
    )
    parser.add_argument("--raw-crash", metavar="FILE", type=Path, help="the crash's annotations, a JSON object")
    parser.add_argument("--queue", choices=QUEUES, default="normal", help="which queue (default: normal)")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of the bare crash id")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    dumps = dict(_dump(argument) for argument in arguments.dumps)
    if len(dumps) < len(arguments.dumps):
        raise SocorroError("two dumps have the same name; name the further ones: NAME=FILE")
    now = datetime.now(UTC)
    crash_id = new_crash_id(now.date())
    raw_crash = {"submitted_timestamp": now.isoformat(), **_annotations(arguments.raw_crash), "uuid": crash_id}
    store = build("source", configuration)
    queue = build("new_crash_source", configuration)
    try:
        _save(store, raw_crash, dumps, crash_id)
        try:
            queue.submit(crash_id, arguments.queue)
        except CrashQueueError as error:
            raise SocorroError(
                f"{crash_id} is in the store, but in no queue (`socorro process {crash_id}` does without): {error}"
            ) from error
    finally:
        queue.close()
        store.close()
    print(json.dumps({"crash_id": crash_id, "queue": arguments.queue}) if arguments.json else crash_id)
    return 0


def _save(store: CrashStorageBase, raw_crash: dict[str, Any], dumps: dict[str, Path], crash_id: str) -> None:
    try:
        store.save_raw_crash(raw_crash, dumps, crash_id)
    except CrashStorageError:
        # Nobody will ever ask for what was saved of it.
        with suppress(CrashStorageError, NotImplementedError):
            store.remove(crash_id)
        raise


def _dump(argument: str) -> tuple[str, Path]:
    name, equals, file = argument.partition("=")
    if not equals or Path(argument).exists():
        name, file = MAIN_DUMP, argument
    path = Path(file)
    if not path.is_file():
        raise SocorroError(f"{path} is no file that can be read")
    if path.stat().st_size == 0:
        print(f"socorro: {path} is empty", file=sys.stderr)
    return check_dump_name(name), path


def _annotations(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        annotations = decode(path.read_bytes(), lambda note: print(f"socorro: {path}: {note}", file=sys.stderr))
    except OSError as error:
        raise SocorroError(f"cannot read {path}: {error.strerror}") from error
    except NotJSON as error:
        raise SocorroError(f"{path} is {error}") from error
    if not isinstance(annotations, dict):
        raise SocorroError(f"{path} is no JSON object, but annotations by name are expected")
    return annotations


COMMAND = Command(
    name="submit",
    summary="Put a minidump into the store and its crash id into the queue; print the crash id.",
    example="socorro submit crash.dmp --raw-crash=crash.json",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "new_crash_source", "resource"),
)
