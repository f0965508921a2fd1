"""The apps that take crash ids from a queue, and fetch, transform and save the crashes on a task manager."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from socorro_processor.app.crash_steps import CrashSteps
from socorro_processor.app.delivery_handler import DeliveryHandler
from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.store_queue import StoreCrashQueue
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.watchdog import Watchdog
from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, Seconds, WholeNumber, class_converter
from socorro_processor.configuration.components import create
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashStorageError, ProcessingEnvironmentError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.health import Health
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline

logger = logging.getLogger(__name__)


_DEFAULT_SOURCE = "socorro_processor.crashstorage.filesystem.FileSystemCrashStorage"
_DEFAULT_DESTINATION = "socorro_processor.search.indexed_filesystem.IndexedFileSystemCrashStorage"


def number_of_threads(config: DotDict) -> int:
    """Return how many crashes this configuration has in work at once."""
    # A single-threaded task manager has no such option.
    return int(config.producer_consumer.get("number_of_threads", 1))


class FetchTransformSaveApp(RequiredConfig):
    """Takes crash ids and crashes from one store, and processes each crash that has not been processed yet."""

    required_config = Namespace()
    required_config.namespace("source", doc="where raw crashes and dumps are fetched from")
    required_config.source.add_option(
        "crashstorage_class",
        default=_DEFAULT_SOURCE,
        doc="the store that raw crashes and dumps are fetched from",
        from_string_converter=class_converter,
    )
    required_config.namespace("destination", doc="where processed crashes are saved")
    required_config.destination.add_option(
        "crashstorage_class",
        default=_DEFAULT_DESTINATION,
        doc="the store that processed crashes are saved to; PolyCrashStorage for several",
        from_string_converter=class_converter,
    )
    required_config.namespace("processor", doc="the pipeline and its rules")
    required_config.processor.add_option(
        "processor_class",
        default="socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026",
        doc="the pipeline that turns a raw crash into a processed one; MozillaProcessorAlgorithm2015 if a "
        "configuration sets other options of processor.*, or uses names of 2016, and does not name it",
        from_string_converter=class_converter,
    )
    required_config.namespace("producer_consumer", doc="the task manager and its threads")
    required_config.producer_consumer.add_option(
        "producer_consumer_class",
        default="socorro_processor.app.threaded_task_manager.ThreadedTaskManager",
        doc="the task manager: ThreadedTaskManager, or TaskManager for a single thread",
        from_string_converter=class_converter,
    )
    required_config.namespace("app", doc="the processor as a whole")
    required_config.app.add_option(
        "maximum_attempts",
        default="5",
        doc="attempts at a crash before it is parked: at least 1",
        from_string_converter=WholeNumber(1),
    )
    required_config.app.add_option(
        "maximum_crash_time",
        default="900",
        doc="seconds in work after which a crash counts as hanging: the processor logs all stacks and exits with code "
        "70. Must exceed what the stackwalker may take for all dumps of a crash.",
        from_string_converter=Seconds(above=True),
    )
    required_config.app.add_option(
        "temporary_directory",
        default="",
        doc="directory for dumps of crashes in work (empty: a private one in the system's temporary directory)",
    )

    def __init__(self, config: DotDict, health: Health | None = None) -> None:
        """Build every component that ``config`` names. Raises SocorroError."""
        self.config = config
        self.health = health or Health()
        self.source: CrashStorageBase = create(config.source.crashstorage_class, config.source)
        self.destination: CrashStorageBase = create(config.destination.crashstorage_class, config.destination)
        self.pipeline: ProcessorPipeline = create(config.processor.processor_class, config.processor)
        self.breaker = OutageBreaker(self.health)
        # Before anything runs a program: with it, what a processor that is killed leaves is found.
        self.directory = ProcessDirectory(config.app.temporary_directory)
        try:
            self.pipeline.clean_up()
            for line in self.pipeline.prepare(number_of_threads(config)):
                logger.info("%s", line)
        except BaseException:
            self.directory.close()
            raise
        self.watchdog = Watchdog(config.app.maximum_crash_time)
        self.steps = CrashSteps(self.source, self.pipeline, self.destination, self.directory)

    def crash_queue(self) -> CrashQueueBase:
        """Return a new connection to the queue that crash ids come from."""
        return StoreCrashQueue(self.source, self.directory.path)

    def task_manager(
        self, queue: CrashQueueBase, tick: Callable[[], None] = lambda: None, audit: AuditLog | None = None
    ) -> TaskManager:
        """Return the task manager that handles the deliveries of ``queue`` once it is run.

        ``audit`` records each crash that keeps its earlier result.
        """
        handler = DeliveryHandler(
            queue, self.steps, self.breaker, self.watchdog, self.config.app.maximum_attempts, audit=audit
        )
        manager: TaskManager = self.config.producer_consumer.producer_consumer_class(
            self.config.producer_consumer, queue, handler, self.breaker, tick
        )
        return manager

    def check(self, *, with_pipeline: bool = True) -> None:
        """Tell ``health`` which parts cannot work now.

        With ``with_pipeline`` the rules are checked too, which takes a stackwalk.
        """
        begun = time.monotonic()
        parts: dict[str, CrashStorageBase | ProcessorPipeline] = {
            "source": self.source,
            "destination": self.destination,
        }
        if with_pipeline:
            parts["processor"] = self.pipeline
        all_usable = True
        for name, part in parts.items():
            try:
                part.check()
            except (CrashStorageError, ProcessingEnvironmentError) as error:
                self.health.add_problem(name, str(error))
                all_usable = False
            except Exception as error:
                logger.debug("%s cannot be checked", name, exc_info=True)
                self.health.add_problem(name, f"cannot be checked: {type(error).__name__}: {error}")
                all_usable = False
            else:
                self.health.resolve(name)
        if all_usable and with_pipeline:
            self.breaker.parts_are_usable(since=begun)

    def close(self) -> None:
        """Close every part. A failure is logged, and the others are still closed."""
        for part in (self.pipeline, self.destination, self.source, self.directory):
            try:
                part.close()
            except Exception:
                logger.exception("%s could not be closed", type(part).__name__)


class FetchTransformSaveWithSeparateNewCrashSourceApp(FetchTransformSaveApp):
    """Takes crash ids from ``new_crash_source``, the crashes themselves from ``source``."""

    required_config = Namespace()
    required_config.namespace("new_crash_source", doc="the queues that crash ids come from")
    required_config.new_crash_source.add_option(
        "new_crash_source_class",
        default="socorro_processor.crashqueue.sqlite.crashqueue.SQLiteCrashQueue",
        doc="the crash queue",
        from_string_converter=class_converter,
    )

    def crash_queue(self) -> CrashQueueBase:
        config = self.config.new_crash_source
        queue: CrashQueueBase = config.new_crash_source_class(config)
        return queue
