"""``socorro processor`` runs the daemon."""

from __future__ import annotations

import argparse
import logging

from socorro_processor.app.former_crashes import former_crash_warning
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
    app = ProcessorApp(configuration.values)
    if configuration.algorithm.is_default and (warning := former_crash_warning(app.destination)):
        logger.warning("%s", warning)
    return app.main()


COMMAND = Command(
    name="processor",
    summary="Run the processor: take crash ids from the queues until told to stop.",
    description=(
        "On SIGTERM or SIGINT it finishes the crashes in work, gives the rest back and ends with 0; a second signal "
        "ends it at once. On SIGHUP it reads signature lists and reference data again."
    ),
    exit_codes={
        0: "stopped by a signal",
        70: "a crash hung, or the queue's file was removed: start it again",
    },
    example="socorro processor --admin.conf=config/processor.ini --health.port=8000",
    run=run,
    is_service=True,
)
