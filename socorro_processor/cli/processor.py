"""``socorro processor``: the daemon."""

from __future__ import annotations

import argparse
import logging

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.cli.command import Command
from socorro_processor.configuration import Configuration
from socorro_processor.machine.malloc import keep_memory_flat
from socorro_processor.monitoring.log import set_up_logging

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    set_up_logging(configuration.values.logging)
    for warning in configuration.warnings:
        logger.warning(warning)
    keep_memory_flat()
    return ProcessorApp(configuration.values).main()


COMMAND = Command(
    name="processor",
    summary="Run the processor: take crash ids from the queues until told to stop.",
    description=(
        "SIGTERM or SIGINT: finish what is begun, give the rest back, end with 0; a second one ends at once. SIGHUP: "
        "read signature lists and reference data again."
    ),
    exit_codes={
        0: "ended when it was told to",
        70: "a crash hung, or the file of the queue was removed: start it again",
    },
    example="socorro processor --admin.conf=config/processor.ini --health.port=8000",
    run=run,
    is_service=True,
)
