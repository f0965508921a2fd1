"""``socorro serve`` as a service: its parts, the signals, and a clean end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict

from socorro_processor import __version__
from socorro_processor.app.service_manager import CLOSING_TIME, ServiceManager
from socorro_processor.collector.collector import Collector
from socorro_processor.collector.limits import Limits
from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.reopened import ReopenedQueue
from socorro_processor.monitoring import statsd
from socorro_processor.monitoring.health import Health
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.web.all_pages import NAVIGATION, all_pages
from socorro_processor.web.application import application
from socorro_processor.web.http.health import Probes
from socorro_processor.web.http.listening import listen, origin_of
from socorro_processor.web.http.server import WebServer
from socorro_processor.web.minute_rates import MinuteRates
from socorro_processor.web.pages.notices import Notices
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.processor.processor_child import ProcessorChild
from socorro_processor.web.server_parts import ServerParts
from socorro_processor.web.submit.submit import Submit
from socorro_processor.web.upkeep import Upkeep

logger = logging.getLogger(__name__)

_TICK = 0.5  # seconds
_SPOOL_INTERVAL = 1.0
"""Seconds between two looks at the spool."""
_QUEUE_INTERVAL = 0.1
"""Seconds between two looks at the files of the queue, as in a processor that waits for crashes."""
_DISK_INTERVAL = 15.0
"""Seconds between two looks at the room on the disks."""


class Service:
    """Runs until SIGTERM or SIGINT: then takes no more requests, finishes those in work, and ends with its processor.

    A second signal ends it at once; what clients were promised is on the disk. SIGHUP goes to the processor, which
    reads signature lists and reference data again.
    """

    def __init__(self, config: DotDict, processor_program: Sequence[str], options: Sequence[str]) -> None:
        """``processor_program`` and ``options``: see ``ProcessorChild``."""
        self._config = config
        self._processor_program = processor_program
        # The server sends what both measure, and answers probes for both.
        self._options = [*options, "--metrics.statsd_host=", "--health.port=0"]
        self._health = Health(config.health.maximum_silence)
        self._service = ServiceManager()
        self._rates = MinuteRates()
        self._processor: ProcessorChild | None = None
        self._spool: dict[str, object] = {}
        self._notices = Notices()
        self._stopping = False

    def main(self, started: Callable[[str], None]) -> int:
        """Serve until told to stop; ``started`` gets the beginning of the server's addresses. Return the exit code.

        Raises SocorroError, such as for a port that is taken.
        """
        config = self._config
        with ExitStack() as closing:
            # First: nothing has happened yet if another server runs already.
            listener = listen(config.web.host, config.web.port)
            closing.callback(listener.close)
            closing.enter_context(statsd.sending_metrics(config.metrics))
            METRICS.gauge("info", 1, version=__version__)
            METRICS.add_sink(self._rates)
            # It is told to stop at once, and waited for when all else has ended.
            closing.callback(self._wait_for_processor)
            self._collector = self._start_collector(closing)
            submit = Submit(self._collector, Limits.of(config.collector), config.web)
            closing.callback(submit.close)
            if config.web.processor:
                self._processor = ProcessorChild(self._processor_program, self._options, os.environ, self._health)
            probes = Probes(self._health, lambda: self._spool)
            parts = ServerParts(self._collector, self._health, self._processor, self._rates)
            templates = Pages(NAVIGATION, self._notices.notices)
            pages = list(all_pages(config, parts, closing, templates))
            self._server = WebServer(application(submit, probes, pages, templates), listener, config.web)
            asyncio.run(self._run(lambda: started(origin_of(listener))))
        logger.info("the server has ended")
        return 0

    def _start_collector(self, closing: ExitStack) -> Collector:
        source, queue_config = self._config.source, self._config.new_crash_source
        store = source.crashstorage_class(source)
        closing.callback(store.close)
        self._queue = queue = ReopenedQueue(queue_config, queue_config.new_crash_source_class)
        closing.callback(queue.close)
        collector = Collector(self._config.collector, store, queue)
        closing.callback(collector.stop)
        collector.start()
        self._upkeep = Upkeep(self._config, queue, collector.holds, self._health, self._notices)
        closing.callback(self._upkeep.stop)
        self._upkeep.start()
        return collector

    def _wait_for_processor(self) -> None:
        if self._processor:
            self._processor.close(self._config.producer_consumer.shutdown_timeout + CLOSING_TIME)

    async def _run(self, started: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        watching = [
            loop.create_task(each()) for each in (self._tick, self._watch_spool, self._watch_queue, self._watch_disks)
        ]
        self._service.ready()
        started()
        await self._server.run_until_stopped()
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            self._health.note_sign_of_life()
            self._service.alive()
            if self._processor is None or self._processor.has_reported:
                self._health.resolve("start")
            problems = self._health.problems()
            words = "; ".join(f"{part}: {problem}" for part, problem in problems.items())
            self._service.status(f"not ready: {words}" if words else "ready")
            await asyncio.sleep(_TICK)

    async def _watch_spool(self) -> None:
        while True:
            # In a thread: a disk may be slow, or hang.
            status = await asyncio.to_thread(self._collector.status)
            self._spool = asdict(status)
            for part, problem in (("spool", status.failing), ("handover", status.waits_for)):
                if problem:
                    self._health.add_problem(part, problem)
                else:
                    self._health.resolve(part)
            await asyncio.sleep(_SPOOL_INTERVAL)

    async def _watch_queue(self) -> None:
        while True:
            # In a thread: if its files were removed, it is saved, which takes time.
            await asyncio.to_thread(self._queue.look)
            await asyncio.sleep(_QUEUE_INTERVAL)

    async def _watch_disks(self) -> None:
        while True:
            # In a thread, like the spool.
            await asyncio.to_thread(self._upkeep.look_at_disks)
            await asyncio.sleep(_DISK_INTERVAL)

    def _stop(self, number: int) -> None:
        name = signal.Signals(number).name
        if not self._stopping:
            logger.info("%s: finishing the requests in work, a second signal ends at once", name)
            self._stopping = True
            self._health.note_stop()
            self._service.stopping(self._config.web.shutdown_time + CLOSING_TIME)
        self._server.stop()
        if self._processor:
            self._processor.stop()

    def _reload(self) -> None:
        if self._processor:
            self._processor.reload()
