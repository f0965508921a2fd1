"""The processor as a daemon: signals, readiness, and a clean end."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import tempfile
import threading
import time
from contextlib import ExitStack
from types import FrameType
from typing import NoReturn

from socorro_processor import __version__
from socorro_processor.app import companion
from socorro_processor.app.fetch_transform_save import FetchTransformSaveWithSeparateNewCrashSourceApp
from socorro_processor.app.queue_gauges import QueueGauges
from socorro_processor.app.service_manager import CLOSING_TIME, ServiceManager
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.app.watchdog import EXIT_CODE
from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.jobs import options as job_options
from socorro_processor.machine.bounded_program import kill_all
from socorro_processor.monitoring import health, statsd
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.line_writer import drain_output, unblocking_stderr
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.reference.provider import refresh_providers

logger = logging.getLogger(__name__)

_CHECK_INTERVAL = 5.0
"""Seconds between two checks while a part is not ready."""
_CHECK_INTERVAL_WHEN_READY = 10.0
"""Seconds between two checks of the stores while all are ready: no crash tells an idle processor of a failure."""
_FIRST_CHECK_TIME = 30.0
"""Seconds that the first check may delay the start."""
_FIRST_CONNECTION_TIME = 2.0
"""Seconds that the first connection to the queue may delay it."""
_STATUS_INTERVAL = 5.0
"""Seconds between two status messages to the service manager."""
_LAST_WORDS_TIME = 0.5
"""Seconds for the log to be written at a second signal."""


class ProcessorApp(FetchTransformSaveWithSeparateNewCrashSourceApp):
    """Runs until SIGTERM or SIGINT: then takes no more crashes, finishes those in work, gives the rest back and ends.

    A second signal ends it at once. SIGHUP reloads signature lists and reference data. If systemd started the
    processor, it is told all that, and also that the processor is alive."""

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
        self._next_status = 0.0
        self._checking: threading.Thread | None = None

    def main(self) -> int:
        """Process crashes until told to stop. Return the exit code."""
        signal.signal(signal.SIGTERM, self._on_stop_signal)
        signal.signal(signal.SIGINT, self._on_stop_signal)
        signal.signal(signal.SIGHUP, self._on_reload_signal)
        # A SIGHUP during the start may tell of lists that changed after they were read.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        # The last resort of the watchdog must end the process.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        # A service manager that hears nothing any more sends SIGABRT: the stacks then show what hangs.
        faulthandler.enable(unblocking_stderr())
        self.health.watch_with(self.watchdog.look)
        self._service = ServiceManager()
        # Files that libraries put in the default directory must also be found and removed if this process is killed.
        tempfile.tempdir = str(self.directory.path)
        with ExitStack() as closing:
            closing.callback(self.close)
            closing.enter_context(statsd.sending_metrics(self.config.metrics))
            METRICS.gauge("info", 1, version=__version__)
            closing.callback(health.HealthServer(self.config.health, self.health).close)
            queue = self.crash_queue()
            closing.callback(queue.close)
            # A queue whose files were removed is saved; this process was perhaps frozen, and could not look before.
            self.watchdog.before_end = queue.lost
            gauges = QueueGauges(queue)
            closing.callback(gauges.close)
            closing.callback(kill_all)
            if command := companion.command(self.config):
                closing.callback(companion.CompanionProcess(command).close)
            audit = AuditLog(self.config.logging, needs_file=False)
            closing.callback(audit.close)
            manager = self.task_manager(queue, lambda: self._tick(manager, queue, gauges), audit)
            self._check_first(queue)
            self.watchdog.start()
            closing.callback(self.watchdog.stop)
            self._service.ready()
            logger.info("the processor runs, pid %d", os.getpid())
            manager.run()
        logger.info("the processor has ended")
        return EXIT_CODE if queue.lost() else 0

    # Signal handlers interrupt the main thread anywhere, even while it holds a lock: they only set a flag for `_tick`.

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop_signal:
            _end_at_once(128 + number)
        self._stop_signal = number

    def _on_reload_signal(self, number: int, frame: FrameType | None) -> None:
        self._reload = True

    def _tick(self, manager: TaskManager, queue: CrashQueueBase, gauges: QueueGauges) -> None:
        self.health.note_sign_of_life()
        self.watchdog.alive()
        if self.watchdog.look() is None:
            self._service.alive()
        if lost := queue.lost():
            logger.critical("%s; the processor ends with %d", lost, EXIT_CODE)
            _end_at_once(EXIT_CODE)
        if self._stop_signal and not self._stopping:
            self._stopping = True
            name = signal.Signals(self._stop_signal).name
            logger.info("%s: finishing the crashes in work, a second signal ends at once", name)
            self.health.note_stop()
            self._service.status("finishing the crashes in work")
            self._service.stopping(self.config.producer_consumer.shutdown_timeout + CLOSING_TIME)
            manager.stop()
        if self._reload:
            self._reload = False
            self._service.reloading()
            if self.pipeline.reload():
                logger.info("signature lists and reference data were read again")
            else:
                logger.error("not all signature lists and reference data could be read again, see above")
            self._service.ready()
        refresh_providers()
        if self._stopping:
            return
        if trouble := queue.unavailable() or gauges.failure:
            self.health.add_problem("queue", trouble)
        else:
            self.health.resolve("queue")
        if time.monotonic() >= self._next_check:
            problems = self.health.problems()
            self._next_check = time.monotonic() + (_CHECK_INTERVAL if problems else _CHECK_INTERVAL_WHEN_READY)
            self._check_in_thread(with_pipeline=bool(problems))
        if time.monotonic() >= self._next_status:
            self._next_status = time.monotonic() + _STATUS_INTERVAL
            self._service.status(self._status())

    def _status(self) -> str:
        """Return a line for ``systemctl status``."""
        if problems := self.health.problems():
            return "not ready: " + "; ".join(f"{part}: {problem}" for part, problem in problems.items())
        counters = METRICS.snapshot().counters
        ends = (("crash.saved", "saved"), ("crash.retried", "tried again"), ("crash.parked", "parked"))
        counts = ((sum(count for (each, _), count in counters.items() if each == name), end) for name, end in ends)
        return "ready; since the start " + ", ".join(f"{count} {end}" for count, end in counts)

    def _check_first(self, queue: CrashQueueBase) -> None:
        """Wait until every part has been checked once, unless that takes too long; no crash is taken before."""
        checking = self._check_in_thread()
        started = time.monotonic()
        while not self._stop_signal and (
            ((checking is None or checking.is_alive()) and time.monotonic() < started + _FIRST_CHECK_TIME)
            or (queue.unavailable() and time.monotonic() < started + _FIRST_CONNECTION_TIME)
        ):
            time.sleep(0.02)
            self.health.note_sign_of_life()
            checking = checking or self._check_in_thread()

    def _check_in_thread(self, *, with_pipeline: bool = True) -> threading.Thread | None:
        """Check every part in a separate thread: services that time out must not block the main loop.

        Return the thread; None if the machine has no thread left for it.
        """
        if self._checking is None or not self._checking.is_alive():
            checking = threading.Thread(target=self._check, args=(with_pipeline,), name="check", daemon=True)
            try:
                checking.start()
            except RuntimeError as error:
                logger.warning("the parts cannot be checked now: %s", error)
                return None
            self._checking = checking
        return self._checking

    def _check(self, with_pipeline: bool) -> None:
        self.check(with_pipeline=with_pipeline)
        self.health.resolve("start")


def _end_at_once(code: int) -> NoReturn:
    """End the process. Crashes in work are delivered again, as after any other death of a processor."""
    kill_all()
    drain_output(_LAST_WORDS_TIME)
    os._exit(code)
