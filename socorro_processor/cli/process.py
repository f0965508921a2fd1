"""``socorro process`` does the daemon's steps in the foreground, and processes minidumps that are in no store."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from socorro_processor.app.fetch_transform_save import FetchTransformSaveApp
from socorro_processor.cli.command import Command
from socorro_processor.cli.crash_files import add_annotations_argument, names_files
from socorro_processor.cli.crash_ids import FORMS, crash_id_of
from socorro_processor.cli.process_files import process_files
from socorro_processor.cli.show import add_report_arguments
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.history import FORCE, NO_HISTORY, History
from socorro_processor.errors import ConfigurationError, InvalidCrashID, SocorroError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.stackwalk import stackwalker
from socorro_processor.untrusted import plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "crashes",
        metavar="CRASH_ID|DUMP",
        nargs="+",
        help=f"a crash in the source store: {FORMS}; or a minidump: a file, a directory with *.dmp below it, or "
        "NAME=FILE for a further dump of one crash",
    )
    parser.add_argument(
        "--force", action="store_true", help="save the new result even if it is worse than the earlier one"
    )
    for_minidumps = parser.add_argument_group("for minidumps")
    for_minidumps.add_argument(
        "--symbols",
        metavar="DIR",
        action="append",
        default=[],
        type=Path,
        help="a directory of symbol files in the Breakpad layout, instead of the configured ones; may be given "
        "more than once",
    )
    add_annotations_argument(for_minidumps)
    add_report_arguments(for_minidumps)
    for_minidumps.add_argument("--json", action="store_true", help="print the processed crash itself, a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    set_up_logging(configuration.values.logging)
    if sys.stderr.isatty() and configuration.values.logging.level != "DEBUG":
        # A line about the stackwalker would come before each report.
        stackwalker.logger.setLevel(logging.WARNING)
    ids = [word for word in arguments.crashes if _is_crash_id(word)]
    if not any(names_files(word) for word in arguments.crashes if word not in ids):
        return _process_ids(arguments, configuration)
    if ids:
        raise ConfigurationError(
            f"cannot process crash ids and minidumps at once: {plain(ids[0])} is a crash id, others are files"
        )
    if arguments.force:
        raise ConfigurationError("--force is for crash ids: a minidump has no earlier result")
    return process_files(arguments, configuration)


def _process_ids(arguments: argparse.Namespace, configuration: Configuration) -> int:
    dump_options = ("symbols", "raw_crash", "all_threads", "modules", "json")
    if misplaced := [name for name in dump_options if getattr(arguments, name)]:
        raise ConfigurationError(
            f"--{misplaced[0].replace('_', '-')} is for minidumps, and no file has any of these names"
        )
    app = FetchTransformSaveApp(configuration.values)
    history = History(work=FORCE) if arguments.force else NO_HISTORY
    failed = 0
    with ExitStack() as stack:
        stack.callback(app.close)
        audit: AuditLog | None = None
        # A broken stackwalker would replace the result of each crash by an empty one.
        app.pipeline.check()
        for crash_id in arguments.crashes:
            try:
                crash_id = crash_id_of(crash_id)
                result = app.steps.run(crash_id, history=history)
            except InvalidCrashID as error:
                failed += 1
                say(f"{crash_id}: {error}; and there is no such file")
            except SocorroError as error:
                failed += 1
                say(f"{crash_id}: {error}")
            else:
                if result.kept_because:
                    # Made only when there is something to write: perhaps only the processor's user may make the file.
                    audit = audit or stack.enter_context(
                        closing(AuditLog(configuration.values.logging, needs_file=False))
                    )
                    audit.write_kept(crash_id, result.kept_because)
                    hint = "" if arguments.force else " (--force replaces it)"
                    say(f"{crash_id} keeps its earlier result{hint}: {result.kept_because}")
                print(f"{crash_id} {plain(result.signature)}")
    return 1 if failed else 0


def _is_crash_id(word: str) -> bool:
    try:
        crash_id_of(word)
    except InvalidCrashID:
        return False
    return True


COMMAND = Command(
    name="process",
    summary="Process crashes in the foreground, without a queue; or print the report of a minidump.",
    description=(
        "It prints the signature of each crash. Minidumps that are in no store are processed by the same rules, and "
        "the report of each is printed: nothing is saved, and no configuration is needed.\n\n"
        "A new result that is worse than the earlier one does not replace it: if the dump has expired, the stack "
        "cannot be walked any more, or fewer modules have symbols. Standard error says so, and the earlier result's "
        "signature is printed."
    ),
    exit_codes={
        0: "every store has the result of each crash; or the report of each minidump was printed",
        1: "some could not be processed, or are not minidumps",
    },
    example=(
        "socorro process 0bba61c5-dfc3-43e7-dead-8afd20161123\n"
        "socorro process crash.dmp --symbols=symbols/ --raw-crash=crash.json"
    ),
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor", "app", "logging"),
)
