"""The sources of the page of the queues: queue, spool, rates, the processor, and what each store answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.audit import Audit
from socorro_processor.web.minute_rates import MinuteRates
from socorro_processor.web.pages.once import Once
from socorro_processor.web.queues.component_checks import Check, ComponentChecks
from socorro_processor.web.server_parts import ProcessorState, ServerParts

_PATIENCE = 5.0
"""Seconds that a page waits for another one that has the queue."""


@dataclass(frozen=True)
class QueueSources:
    """Threads may share it."""

    connect: Callable[[], CrashQueueBase]
    """Returns a queue of the page's own: a broker's queue that stayed open would keep its parked crashes from others.
    Raises CrashQueueError."""
    queue_name: str
    spool: Callable[[], CollectorStatus]
    rates: MinuteRates
    processor: Callable[[], ProcessorState]
    checks: ComponentChecks
    audit: Audit
    once: Once = field(default_factory=Once)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(
        cls, values: DotDict, parts: ServerParts, stores: Mapping[str, CrashStorageBase], audit: Audit
    ) -> QueueSources:
        """Return the sources of a whole configuration; ``stores`` are its source and its destination."""
        section = values.new_crash_source
        queue_class = section.new_crash_source_class
        return cls(
            lambda: queue_class.without_creating(section),
            queue_class.__name__,
            parts.collector.status,
            parts.rates,
            parts.processor_state,
            ComponentChecks(_checks_of(stores)),
            audit,
        )

    @contextmanager
    def queue(self) -> Iterator[CrashQueueBase]:
        """Yield the queue; one page has it at a time. Raises CrashQueueError."""
        if not self._alone.acquire(timeout=_PATIENCE):
            raise CrashQueueError("the queue is slow, and other pages wait for it already: load this page again")
        try:
            with closing(self.connect()) as queue:
                yield queue
        finally:
            self._alone.release()


def _checks_of(stores: Mapping[str, CrashStorageBase]) -> dict[str, tuple[str, Check | None]]:
    return {
        part: (str(store), store.examine if store.can("check") or store.can("examine") else None)
        for part, store in each_store(stores)
    }
