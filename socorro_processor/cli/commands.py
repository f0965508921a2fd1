"""The commands of ``socorro``. Each is imported only when it is run."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from socorro_processor.cli.command import Command

COMMANDS = {
    "processor": "run the processor: take crash ids from the queues until told to stop",
    "process": "process crashes in the foreground, without a queue; or report on a minidump",
    "serve": "take crashes over HTTP, and process them: all on one machine",
    "token": "make, list and remove tokens, by which people show serve who they are",  # nosec B105
    "reprocess": "put crashes into the reprocessing queue again",
    "submit": "put minidumps into the store and their crash ids into the queue",
    "list": "list the newest crashes of the store",
    "search": "find crashes by any field; or build the search index",
    "top": "list the signatures that crash most",
    "show": "print a report of a processed crash",
    "fetch": "copy the raw files of a crash into a directory",
    "queue": "show the queues and what was set aside, and put that back",
    "remove": "erase crashes from the source and from every destination",
    "signature": "sign processed crashes by today's lists, and say why",
    "siglists": "check the signature lists, or preview the effect of changed ones",
    "symbols": "add symbols of your own binaries, list those that crashes missed, fetch, upload and manage them",
    "cron": "run a job, as timers do; or show how the jobs ended",
    "setup": "create what queues and stores need: queues, buckets, schema, index template",
    "doctor": "check the configuration and everything that it names, and say what to do",
    "completion": "print a script by which a shell completes this command",
}
"""The summaries of the commands, by name; the module of each is ``socorro_processor.cli.NAME``."""


def load(name: str) -> Command:
    command: Command = importlib.import_module(f"socorro_processor.cli.{name}").COMMAND
    return command


def all_commands() -> Iterator[Command]:
    """Yield all commands, each before its subcommands."""
    for command in map(load, COMMANDS):
        yield command
        yield from command.subcommands.values()
