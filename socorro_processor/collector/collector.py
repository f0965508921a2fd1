"""The collector behind an address to which clients post crashes: whatever it answers with a crash id is never lost.

    file = collector.begin()
    ...                                     # a reader writes the files of the upload into it
    answer = collector.accept(submission, file, datetime.now(UTC))

A web server is not part of it: it deals in bytes and files.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from socorro_processor.collector import limits
from socorro_processor.collector.acceptance import Acceptance, Answer
from socorro_processor.collector.disk import Disk
from socorro_processor.collector.handover import Handover
from socorro_processor.collector.keys import read_product_keys
from socorro_processor.collector.known_crashes import KnownCrashes
from socorro_processor.collector.mover import Mover
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.refused import RefusedUpload, RefusedUploads
from socorro_processor.collector.spool import Spool, SpoolFile, Step, no_step
from socorro_processor.collector.submission import Submission
from socorro_processor.collector.throttling import read_rules
from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, Seconds, WholeNumber, names, size
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

STOP_TIME = 10.0
"""Seconds that ``stop`` waits for the crash that is being handed over. It stays in the spool if that takes longer."""


@dataclass(frozen=True)
class CollectorStatus:
    """The state of the spool, for readiness, pages and people."""

    crashes: int
    """The number of crashes that are yet to be handed over."""
    size: int
    """Their bytes."""
    oldest_age: float
    """Seconds since the oldest of them arrived."""
    reserve: int
    reserve_wanted: int
    """Bytes on the disk that are kept for uploads, now and while there is room."""
    set_aside: int
    """The number of crashes that an operator has to look at."""
    failing: str
    """Why uploads are refused with 503; empty if they are not."""
    waits_for: str
    """Why nothing is handed over now; empty if it is."""


class Collector(RequiredConfig):
    """Takes uploads into a spool and hands them over to a store and a queue. May be used from any thread."""

    required_config = Namespace()
    required_config.add_option(
        "spool",
        default="socorro-data/spool",
        doc="directory of the crashes that were answered and are yet to be stored and queued; on a local disk",
    )
    required_config.add_option(
        "reserve",
        default="256M",
        doc="bytes of the disk that the spool keeps for itself, for uploads while the disk is full; 0: none",
        from_string_converter=lambda text: 0 if text.strip() == "0" else size(text),
    )
    required_config.add_option(
        "throttle_rules",
        default="[]",
        doc="JSON array of rules that accept, defer, reject or share crashes, the first that fits; empty: all are "
        "accepted; docs/collector.rst has examples",
        from_string_converter=read_rules,
    )
    required_config.add_option(
        "never_stored",
        default="",
        doc="names of annotations that are dropped before anything is written, separated by commas",
        from_string_converter=names,
    )
    required_config.add_option(
        "uuid_keys",
        default="",
        doc="keys, separated by commas, with which a client may choose the crash id itself (empty: none may)",
        from_string_converter=names,
        secret=True,
    )
    required_config.add_option(
        "product_keys",
        default="{}",
        doc='JSON object of products and the keys of which an upload must have one, such as {"Browser": ["secret"]}; '
        "products that are not named need none",
        from_string_converter=read_product_keys,
        secret=True,
    )
    required_config.add_option(
        "store_time",
        default="2",
        doc="seconds that an answer may wait until the store says whether it has the crash already",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "threads",
        default="4",
        doc="crashes that are saved at once when they are handed over; their ids are queued in order",
        from_string_converter=WholeNumber(1, 64),
    )
    required_config.add_option(
        "maximum_tries",
        default="10",
        doc="failures of a crash, while others are handed over, after which it is set aside in the spool",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_refused",
        default="200",
        doc="number of refused uploads that are kept, with the reason, for people to look at",
        from_string_converter=WholeNumber(1, 10_000),
    )

    required_config.update(limits.required_config)

    def __init__(
        self,
        config: DotDict,
        store: CrashStorageBase,
        queue: CrashQueueBase,
        *,
        disk: Disk | None = None,
        step: Step = no_step,
        random: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        """Open the spool. ``store`` and ``queue`` may be away; the caller closes them after ``stop``.

        Raises ConfigurationError.
        """
        if not store.can("get_raw_crash"):
            raise ConfigurationError(f"{store} cannot be the source: it returns no raw crashes")
        self._spool = Spool(Path(config.spool), config.reserve, disk=disk, step=step)
        known = KnownCrashes(store, config.store_time)
        self._acceptance = Acceptance(
            self._spool,
            known,
            config.throttle_rules,
            never_stored=config.never_stored,
            uuid_keys=config.uuid_keys,
            product_keys=config.product_keys,
            random=random,
        )
        handover = Handover(self._spool, store, queue, config.threads, step)
        self._mover = Mover(self._spool, handover, config.maximum_tries)
        self._refused = RefusedUploads(self._spool.directory / "refused.jsonl", config.maximum_refused)
        for rule in config.throttle_rules.rejecting:
            METRICS.expect("collector.rejected", rule=rule)
        for reason in ("damaged", "failed"):
            METRICS.expect("collector.set_aside", reason=reason)

    def start(self) -> None:
        """Begin to hand crashes over, those of an earlier process first."""
        self._mover.start()

    def stop(self) -> None:
        """Stop handing over, and release the spool. No other method may be in use, or be called later."""
        if not self._mover.stop(STOP_TIME):
            logger.warning("a crash is still being handed over; it stays in the spool")
            return
        self._spool.close()

    def begin(self) -> SpoolFile:
        """Return the file that the files of one upload are written into. Raises SpoolFull, SpoolFailing."""
        return self._spool.begin()

    def accept(self, submission: Submission, file: SpoolFile, moment: datetime, key: str = "") -> Answer:
        """Take an upload that was read to its end. Return once it cannot be lost, which is what the answer promises.

        ``moment`` is the time of the upload, with its time zone UTC; ``key`` what the client sent as such. Raises
        Refused, SpoolFull and SpoolFailing; ``file`` is discarded then.
        """
        try:
            answer = self._acceptance.accept(submission, file, moment, key)
        finally:
            self.discard(file)
        if answer.discarded:
            METRICS.increment("collector.rejected", rule=answer.discarded)
        elif answer.is_known:
            METRICS.increment("collector.known")
        else:
            METRICS.increment("collector.accepted")
        return answer

    def discard(self, file: SpoolFile) -> None:
        """Forget an upload that was broken off or refused. Changes nothing after ``accept``."""
        file.discard()

    def refuse(self, refused: Refused, size: int, client: str) -> None:
        """Note a refusal for people. ``size`` is the number of bytes read; ``client`` the sender, as far as known."""
        METRICS.increment("collector.refused")
        self._refused.add(refused.status, refused.code, refused.words, size, client)

    def holds(self, crash_id: str) -> bool:
        """Return True if a crash is still in the spool, so that it may be in the store, and not in the queue yet."""
        return self._spool.holds(crash_id)

    def refused_uploads(self) -> list[RefusedUpload]:
        """Return the last refused uploads, the newest first."""
        return self._refused.newest_first()

    def status(self) -> CollectorStatus:
        spool = self._spool
        return CollectorStatus(
            crashes=spool.depth,
            size=spool.size,
            oldest_age=spool.oldest_age,
            reserve=spool.reserve,
            reserve_wanted=spool.reserve_wanted,
            set_aside=spool.count_set_aside(),
            failing=spool.failure,
            waits_for=self._mover.waits_for,
        )
