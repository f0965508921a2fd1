"""The processor as a daemon: signals, readiness, and a clean end."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from contextlib import ExitStack
from types import FrameType

from socorro_processor import health, statsd
from socorro_processor.app import companion
from socorro_processor.app.fetch_transform_save import FetchTransformSaveWithSeparateNewCrashSourceApp
from socorro_processor.app.queue_gauges import QueueGauges
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.jobs import options as job_options
from socorro_processor.reference.provider import refresh_providers
from socorro_processor.stackwalk.command import kill_all

logger = logging.getLogger(__name__)

_CHECK_INTERVAL = 5.0
"""Seconds between two looks at a part that was not ready."""
_FIRST_CHECK_TIME = 30.0
"""Seconds that the first look may hold up the start."""


class ProcessorApp(FetchTransformSaveWithSeparateNewCrashSourceApp):
    """Runs until SIGTERM or SIGINT: then it takes no more crashes, finishes those that are begun,
    gives the rest back and ends. A second signal ends it at once. SIGHUP reloads signature lists
    and reference data."""

    required_config = Namespace()
    required_config.health = health.required_config
    required_config.cron = job_options.required_config
    required_config.update(companion.companion_options())

    def __init__(self, config: DotDict) -> None:
        super().__init__(config, health.Health(config.health.maximum_silence))
        self._stop_signal = 0
        self._stopping = False
        self._reload = False
        self._next_check = 0.0
        self._checking: threading.Thread | None = None

    def main(self) -> int:
        """Process crashes until told to stop. Returns the exit code."""
        signal.signal(signal.SIGTERM, self._on_stop_signal)
        signal.signal(signal.SIGINT, self._on_stop_signal)
        signal.signal(signal.SIGHUP, self._on_reload_signal)
        # Also what is put anywhere by default must be found, and removed, when this process was killed.
        tempfile.tempdir = str(self.directory.path)
        with ExitStack() as closing:
            closing.callback(self.close)
            closing.enter_context(statsd.sending_metrics(self.config.metrics))
            closing.callback(health.HealthServer(self.config.health, self.health).close)
            queue = self.crash_queue()
            closing.callback(queue.close)
            closing.callback(QueueGauges(queue).close)
            closing.callback(kill_all)
            if command := companion.command(self.config):
                closing.callback(companion.CompanionProcess(command).close)
            manager = self.task_manager(queue, lambda: self._tick(manager))
            self._check_first()
            self.watchdog.start()
            closing.callback(self.watchdog.stop)
            logger.info("the processor runs, pid %d", os.getpid())
            manager.run()
        logger.info("the processor has ended")
        return 0

    # Signal handlers interrupt the main thread anywhere, also where it holds a lock: they only leave a
    # word for `_tick`.

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop_signal:
            # At once: what is in work comes again, as after any other death of a processor.
            kill_all()
            os._exit(128 + number)
        self._stop_signal = number

    def _on_reload_signal(self, number: int, frame: FrameType | None) -> None:
        self._reload = True

    def _tick(self, manager: TaskManager) -> None:
        self.health.alive()
        self.watchdog.alive()
        if self._stop_signal and not self._stopping:
            self._stopping = True
            name = signal.Signals(self._stop_signal).name
            logger.info("%s: finishing what is begun, a second signal ends at once", name)
            self.health.stops()
            manager.stop()
        if self._reload:
            self._reload = False
            if self.pipeline.reload():
                logger.info("signature lists and reference data were read again")
            else:
                logger.error("not all signature lists and reference data could be read again, see above")
        refresh_providers()
        if not self._stopping and self.health.problems() and time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + _CHECK_INTERVAL
            self._check_aside()

    def _check_first(self) -> None:
        """No crash is taken before every part was looked at once, unless that takes too long."""
        checking = self._check_aside()
        deadline = time.monotonic() + _FIRST_CHECK_TIME
        while checking.is_alive() and not self._stop_signal and time.monotonic() < deadline:
            checking.join(0.05)
            self.health.alive()

    def _check_aside(self) -> threading.Thread:
        """Check every part in a thread of its own: services that time out must not hold up the main loop."""
        if self._checking is None or not self._checking.is_alive():
            self._checking = threading.Thread(target=self._check, name="check", daemon=True)
            self._checking.start()
        return self._checking

    def _check(self) -> None:
        self.check()
        self.health.resolved("start")
