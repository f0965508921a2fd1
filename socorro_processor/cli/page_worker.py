"""The program that makes pages of lists beside ``socorro serve``.

    python -P -m socorro_processor.cli.page_worker DESCRIPTOR

The descriptor is a connection: options and environment come first, and then requests. It ends with its connection, or
its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import closing
from multiprocessing.connection import Connection

from socorro_processor.cli.main import read_configuration
from socorro_processor.configuration import split_command_line
from socorro_processor.machine.core_dumps import forbid_core_dumps
from socorro_processor.machine.malloc import keep_memory_flat
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.web.list_maker import make_pages


def run(descriptor: int) -> None:
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    keep_memory_flat()
    with closing(Connection(descriptor)) as connection:
        handed_over = json.loads(connection.recv_bytes())
        # Not visible from outside, unlike the environment that a process starts with.
        os.environ.update(handed_over["environment"])
        configuration, _ = read_configuration(split_command_line(handed_over["options"])[0], os.environ)
        set_up_logging(configuration.values.logging)
        make_pages(configuration.values, connection)


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    forbid_core_dumps()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    run(int(sys.argv[1]))
