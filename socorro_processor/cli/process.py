"""``socorro process``: the same steps as the daemon's, in the foreground."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing

from socorro_processor.app.fetch_transform_save import FetchTransformSaveApp
from socorro_processor.audit import AuditLog
from socorro_processor.cli.command import Command
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.history import FORCE, NOTHING, History
from socorro_processor.errors import SocorroError
from socorro_processor.log import set_up_logging


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crash_ids", metavar="CRASH_ID", nargs="+", help="a crash in the source store")
    parser.add_argument(
        "--force", action="store_true", help="save the new result also where it is worse than the earlier one"
    )


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    set_up_logging(configuration.values.logging)
    app = FetchTransformSaveApp(configuration.values)
    history = History(work=FORCE) if arguments.force else NOTHING
    failed = 0
    with ExitStack() as stack:
        stack.callback(app.close)
        audit: AuditLog | None = None
        # A stackwalker that is none would make each crash an empty one, over what was made of it before.
        app.pipeline.check()
        for crash_id in arguments.crash_ids:
            try:
                crash_id = check_crash_id(crash_id.strip().lower())
                result = app.steps.run(crash_id, history=history)
            except SocorroError as error:
                failed += 1
                print(f"socorro: {crash_id}: {error}", file=sys.stderr)
            else:
                if result.kept_because:
                    # The file is not made before there is something to write: it may be the processor's user's to make.
                    audit = audit or stack.enter_context(
                        closing(AuditLog(configuration.values.logging, needs_file=False))
                    )
                    audit.write_kept(crash_id, result.kept_because)
                    print(
                        f"socorro: {crash_id} keeps its earlier result (--force replaces it): {result.kept_because}",
                        file=sys.stderr,
                    )
                print(f"{crash_id} {plain(result.signature)}")
    return 1 if failed else 0


COMMAND = Command(
    name="process",
    summary="Process crashes in the foreground, without a queue; print the signature of each.",
    description=(
        "Process crashes in the foreground, without a queue; print the signature of each.\n\n"
        "A new result that is worse than the earlier one does not replace it: where the dump has expired, the stack\n"
        "cannot be walked any more, or symbols for fewer modules were found. Standard error says so, and the\n"
        "signature printed is the earlier result's.\n\n"
        "Exit code: 0 each crash has its result in every store, be it the earlier one; 1 some could not be processed;\n"
        "2 wrong arguments or configuration."
    ),
    example="socorro process 0bba61c5-dfc3-43e7-dead-8afd20161123",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor", "app", "logging", "resource"),
)
