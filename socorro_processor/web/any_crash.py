"""Tell whether a crash was ever taken, for a page that explains why none is there."""

from __future__ import annotations

from socorro_processor.collector.collector import Collector
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import CrashStorageError, NoStoreYetError
from socorro_processor.monitoring.metrics import METRICS, Metrics
from socorro_processor.search.base import CrashIndex


def has_crashes(
    collector: Collector, index: CrashIndex | None, source: CrashStorageBase, metrics: Metrics = METRICS
) -> bool:
    """Return True if the spool, the index or the source has a crash, or this server has taken one.

    A store that is away may have some; one that was not made yet has none.
    """
    if metrics.snapshot().counter("collector.accepted") or collector.status().crashes:
        return True
    if index is not None and index.state().crashes:
        return True
    try:
        return source.can("newest") and next(iter(source.newest(1)), None) is not None
    except NoStoreYetError:
        return False
    except CrashStorageError:
        return True
