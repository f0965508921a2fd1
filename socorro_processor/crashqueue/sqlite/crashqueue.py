"""SQLiteCrashQueue: the queues of one machine in one SQLite file, without a server."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from socorro_processor.configuration import DotDict, Namespace, Seconds, WholeNumber
from socorro_processor.crashqueue.base import (
    QUEUES,
    CrashQueueBase,
    Delivery,
    Depth,
    Depths,
    InFlight,
    QueueName,
    SetAsideCrash,
    SetAsideState,
    check_queue,
    delay_after,
    reason_of,
)
from socorro_processor.crashqueue.history import History
from socorro_processor.crashqueue.options import delivery_options
from socorro_processor.crashqueue.outcomes import Outcomes, decode_outcomes, encode_outcomes
from socorro_processor.crashqueue.sqlite.candidates import HISTORY, Candidates
from socorro_processor.crashqueue.sqlite.file import SQLiteFile, body_of, examine_file, text_of
from socorro_processor.crashqueue.sqlite.in_flight import read_in_flight
from socorro_processor.crashqueue.sqlite.leases import GIVE_BACK, Lease, Leases
from socorro_processor.crashqueue.sqlite.owners import Heartbeat, OwnerFile, boot_id, boot_time
from socorro_processor.crashqueue.sqlite.set_aside import (
    add_set_aside,
    drop_oldest_rejected,
    read_set_aside,
    remove_set_aside,
)
from socorro_processor.crashqueue.sqlite.strays import BODY, QUEUE, has_strays, mend_strays
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.monitoring.metrics import METRICS

DEATHS_UNTIL_SUSPECT = 2
"""The number of deaths of its processor that makes a crash a suspect, to be delivered alone.

It may have caused them, or only been in flight. Processed alone, it harms no bystander.
"""

HEARTBEAT_INTERVAL = 1.0  # seconds
SHORTEST_LEASE = 10.0
"""Seconds. A lease is renewed after a third of this; the heartbeat may be late on a busy machine."""

LONGEST_BACKOFF = 5.0  # seconds
STRAYS_INTERVAL = 1.0  # seconds

POLL_INTERVAL = 0.03
"""Seconds between two looks at the file's version while idle: a new crash must begin within 50 ms."""

ADD = "INSERT INTO crash (body, queue, work, submitted) VALUES (?, ?, ?, ?)"
# Rows without a time, from an older version, are older than all others; nobody knows by how much.
OLDEST = """
    SELECT CASE WHEN EXISTS (SELECT 1 FROM crash WHERE queue = :queue AND submitted IS NULL) THEN NULL
    ELSE (SELECT min(submitted) FROM crash WHERE queue = :queue) END, EXISTS (SELECT 1 FROM crash WHERE queue = :queue)
"""
RETRY = f"""
    UPDATE crash SET state = 'delayed', due = ?, due_boot = ?, retries = retries + 1, transient = ?,
    attempts = attempts + ?, reason = ?, reason_retry = retries + 1, owner = NULL, begun = 0,
    {", ".join(f"{name} = ?" for name in HISTORY)}
"""  # built from constants  # nosec B608

_BODIES_AT_ONCE = 10_000
_MOST_OUTCOMES = 1_000

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class SQLiteCrashQueue(CrashQueueBase):
    """Queues in one SQLite file on a local disk, for any number of processes of one machine.

    Beside ``path`` are SQLite's ``-wal`` and ``-shm`` and a directory ``.owners``. Bodies are any text. Within a queue,
    untried crashes are delivered in the order of submission. Retries come after them, in the order in which they came
    due, but at least every fourth crash is a retry while any is due. An id that is submitted twice is processed twice,
    one after the other. The death of a processor is noticed within a second (see ``leases``).

    ``new_crashes`` waits up to ``idle_delay`` seconds before each None (longer only while another program keeps the
    file locked: ``busy_timeout``). It ends soon after ``close``.

    If ``begin``, ``ack``, ``retry``, ``park``, ``reject`` or ``release`` raises CrashQueueError, this queue gives the
    crash back as soon as the file can be written again, with the same attempt. If the lease of a delivery has run out,
    ``begin`` raises, and the others change nothing.

    If ``path``, or a file that SQLite keeps beside it, is removed or replaced in use, the queue is ``lost`` to this
    process: nothing more is confirmed, and ``new_crashes`` delivers nothing (see ``sqlite_guard``).

    Not to be used across ``os.fork``. The keyword arguments are for tests.
    """

    required_config = Namespace()
    required_config.add_option(
        "path",
        default="socorro-data/queue.sqlite",
        doc="the file of the queues, on a local disk; created if it does not exist",
    )
    required_config.update(delivery_options())
    required_config.add_option(
        "lease_time",
        default=60.0,
        doc="seconds after which other processors get the crashes of one that hangs; at least 10",
        from_string_converter=Seconds(SHORTEST_LEASE),
    )
    required_config.add_option(
        "busy_timeout",
        default=5.0,
        doc="seconds to wait for another process that writes the file",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "maximum_rejected",
        default=100_000,
        doc="number of rejected ids to keep for operators, up to a hundredth more; older ones are dropped",
        from_string_converter=WholeNumber(0),
    )

    def __init__(
        self,
        config: DotDict,
        *,
        clock: Callable[[], float] = boot_time,
        boot: str | None = None,
        owner: OwnerFile | None = None,
        heartbeat: Heartbeat | None = None,
        wall_clock: Callable[[], datetime] = utc_now,
        create: bool = True,
    ) -> None:
        super().__init__(config)
        if config.lease_time < SHORTEST_LEASE:
            raise ConfigurationError(f"lease_time {config.lease_time:g}: must be at least {SHORTEST_LEASE:g} s")
        path = Path(config.path)
        self._clock = clock
        self._boot = boot or boot_id()
        self._wall_clock = wall_clock
        self._candidates = Candidates(config.weights)
        self._last_outcome: int | None = None
        self._suspect: Delivery | None = None
        self._suspect_is_delivered = False
        self._failures = 0
        self._failure = ""
        self._look_again_at = 0.0
        self._strays_looked_for_at = -math.inf
        self._closing = threading.Event()
        self._woken = threading.Event()
        self._file = SQLiteFile(path, config.busy_timeout, create=create)
        self._leases = Leases(
            self._file,
            config.lease_time,
            clock=clock,
            boot=self._boot,
            owner=owner or OwnerFile(path.with_name(path.name + ".owners")),
            heartbeat=heartbeat or Heartbeat(HEARTBEAT_INTERVAL),
            given_back=self._woken.set,
        )
        self._end_delays_from_before_a_reboot()

    @classmethod
    def without_creating(cls, config: DotDict) -> SQLiteCrashQueue:
        return cls(config, create=False)

    @classmethod
    def examine(cls, config: DotDict) -> str:
        return examine_file(Path(config.path), config.busy_timeout)

    def lost(self) -> str:
        self._file.look()
        return self._file.lost

    def unavailable(self) -> str:
        return self._failure

    def new_crashes(self) -> Iterator[Delivery | None]:
        self.take_outcomes()  # earlier ones were for other processors
        while not self._closing.is_set():
            deadline = time.monotonic() + self.config.idle_delay
            delivery = self._next_or_none()
            while delivery is None and not self._file.lost and self._wait_for_change(deadline):
                delivery = self._next_or_none()
            # close() has given back what was taken while it ran.
            if not self._closing.is_set():
                yield delivery

    def begin(self, delivery: Delivery) -> None:
        lease = self._lease_of(delivery)
        with self._dropped_on_error(delivery, "begin") as connection:
            is_leased = self._leases.change(connection, lease, "UPDATE crash SET begun = 1")
        if not is_leased:
            self._end(lease)
            raise CrashQueueError(
                f"cannot begin {delivery.crash_id[:60]!r}: its lease has run out; the crash comes again"
            )

    def ack(self, delivery: Delivery) -> None:
        self._end_delivery(delivery, "ack", "DELETE FROM crash")

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        delay = delay_after(delivery.retries, self.config.retry_delays)
        logger.debug("%.60r will be tried again in %g s: %s", delivery.crash_id, delay, reason)
        values = (self._clock() + delay, self._boot, transient, not transient, reason_of(reason))
        self._end_delivery(delivery, "retry", RETRY, values + astuple(history or delivery.history))

    def probe(self) -> None:
        with self._file.transaction("try a delayed crash") as connection:
            self._candidates.probe(connection, self._clock())
        self._woken.set()

    def park(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "parked", reason)

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "rejected", reason)

    def release(self, delivery: Delivery) -> None:
        self._end_delivery(delivery, "release", GIVE_BACK)

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        check_queue(queue, crash_id)
        with self._file.transaction(f"submit {crash_id[:60]!r}", durable=True) as connection:
            connection.execute(ADD, (body_of(crash_id), queue, work, self._wall_clock().timestamp()))
        self._woken.set()

    def depths(self) -> Depths:
        counts = {(queue, state): 0 for queue in QUEUES for state in ("waiting", "delayed", "in flight")}
        with self._file.reading("count the crashes") as connection:
            # One query for each state, so that the index of the state answers it alone.
            for state in ("waiting", "in flight"):
                query = f"SELECT {QUEUE}, count(*) FROM crash WHERE state = '{state}' GROUP BY 1"  # nosec B608
                rows = connection.execute(query)
                counts.update(((queue, state), count) for queue, count in rows)
            for queue, due, count in connection.execute(
                f"SELECT {QUEUE}, due <= ?, count(*) FROM crash WHERE state = 'delayed' GROUP BY 1, 2",  # nosec B608
                (self._clock(),),
            ):
                counts[queue, "waiting" if due else "delayed"] += count
            aside = dict(connection.execute("SELECT state, count(*) FROM kept GROUP BY state").fetchall())
            oldest = {queue: self._age_of_the_oldest(connection, queue) for queue in QUEUES}
        queues = {
            queue: Depth(counts[queue, "waiting"], counts[queue, "delayed"], counts[queue, "in flight"], oldest[queue])
            for queue in QUEUES
        }
        return Depths(queues, parked=aside.get("parked", 0), rejected=aside.get("rejected", 0))

    def in_flight(self, *, ids: bool = False) -> InFlight:
        return read_in_flight(self._file, self._clock(), self._wall_clock(), ids=ids)

    def pending(self, crash_ids: Collection[str]) -> set[str]:
        pending: set[str] = set()
        bodies = [body_of(crash_id) for crash_id in crash_ids]
        for first in range(0, len(bodies), _BODIES_AT_ONCE):
            batch = bodies[first : first + _BODIES_AT_ONCE]
            query = f"SELECT {BODY} FROM crash WHERE {BODY} IN ({', '.join('?' * len(batch))})"  # nosec B608
            with self._file.reading("look for crashes") as connection:
                pending.update(text_of(body) for (body,) in connection.execute(query, batch))
        return pending

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        return read_set_aside(self._file, state)

    def requeue(self, crash: SetAsideCrash) -> bool:
        with self._file.transaction(f"requeue {crash.crash_id[:60]!r}", durable=True) as connection:
            if not remove_set_aside(connection, crash):
                return False
            connection.execute(ADD, (body_of(crash.crash_id), crash.queue, crash.work, self._wall_clock().timestamp()))
        self._woken.set()
        return True

    def reject_parked(self, crash: SetAsideCrash) -> bool:
        with self._file.transaction(f"reject {crash.crash_id[:60]!r}", durable=True) as connection:
            if not remove_set_aside(connection, crash):
                return False
            add_set_aside(connection, replace(crash, state="rejected"))
            dropped = drop_oldest_rejected(connection, self.config.maximum_rejected)
        if dropped:
            METRICS.increment("queue.rejected_dropped", dropped)
        return True

    def tell_outcomes(self, outcomes: Outcomes) -> None:
        try:
            with self._file.transaction("tell the other processors of outcomes") as connection:
                (last,) = connection.execute(
                    "INSERT INTO outcome (owner, body) VALUES (?, ?) RETURNING id",
                    (self._leases.owner_name, encode_outcomes(outcomes)),
                ).fetchone()
                connection.execute("DELETE FROM outcome WHERE id <= ?", (last - _MOST_OUTCOMES,))
        except CrashQueueError as error:
            logger.debug("%s", error)

    def take_outcomes(self) -> list[Outcomes]:
        try:
            with self._file.reading("read the outcomes of the other processors") as connection:
                (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM outcome").fetchone()
                rows = connection.execute(
                    f"SELECT owner, {BODY} FROM outcome WHERE id > ? ORDER BY id",  # built from constants  # nosec B608
                    (last if self._last_outcome is None else self._last_outcome,),
                ).fetchall()
        except CrashQueueError as error:
            logger.debug("%s", error)
            return []
        self._last_outcome = last
        return [decode_outcomes(body) for owner, body in rows if owner != self._leases.owner_name]

    def purge(self, name: QueueName | SetAsideState) -> int:
        if name in QUEUES:
            query = "DELETE FROM crash WHERE queue = ? AND state <> 'in flight'"
        else:
            query = "DELETE FROM kept WHERE state = ?"
        with self._file.transaction(f"purge {name}", durable=True) as connection:
            return connection.execute(query, (name,)).rowcount

    def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            self._woken.set()
            self._leases.close()
            self._file.close()

    def _age_of_the_oldest(self, connection: sqlite3.Connection, queue: QueueName) -> float | None:
        submitted, any_there = connection.execute(OLDEST, {"queue": queue}).fetchone()
        if not any_there:
            return 0.0
        if not isinstance(submitted, float) or submitted < 0:
            return None
        # The clock may have been set back.
        return max(0.0, self._wall_clock().timestamp() - submitted)

    def _next_or_none(self) -> Delivery | None:
        """Return the next delivery. An error of the file is logged once; later calls retry with backoff."""
        self._woken.clear()
        if self._failures and self._clock() < self._look_again_at:
            return None
        try:
            delivery = self._next_delivery()
        except CrashQueueError as error:
            if not (self._failures or self._file.lost or self._closing.is_set()):
                logger.error("cannot take crashes: %s; trying again until it works", error)
            self._look_again_at = self._clock() + min(LONGEST_BACKOFF, 0.1 * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            self._failure = str(error)
            return None
        if self._failures:
            logger.info("the queue %s works again", self.config.path)
            self._failures = 0
            self._failure = ""
        return delivery

    def _wait_for_change(self, deadline: float) -> bool:
        """Return once something may have changed, or False at the deadline (of ``time.monotonic``)."""
        while not self._closing.is_set() and (left := deadline - time.monotonic()) > 0:
            # Waiting for the event would cost twice the CPU time, and would not wake for other processes.
            time.sleep(min(left, POLL_INTERVAL))
            if self._woken.is_set() or self._file.changed():
                return True
        return False

    def _next_delivery(self) -> Delivery | None:
        self._leases.free_the_dead()
        self._mend_strays()
        held = self._leases.held
        if self._suspect is not None and self._lease_of(self._suspect) not in held:
            self._suspect = None
        if self._suspect is None:
            delivery = self._take()
            if delivery is None or not delivery.suspect:
                return delivery
            # The suspect is in flight from now on, so that other processes pass it by. It waits here until everything
            # else has ended, which is bound to happen because nothing more is taken.
            self._suspect, self._suspect_is_delivered = delivery, False
            held = self._leases.held
        if not self._suspect_is_delivered and held == {self._lease_of(self._suspect)}:
            self._suspect_is_delivered = True
            return self._suspect
        return None

    def _mend_strays(self) -> None:
        now = self._clock()
        if now < self._strays_looked_for_at + STRAYS_INTERVAL:
            return
        with self._file.reading("look for rows that no processor wrote") as connection:
            must_mend = has_strays(connection, now)
        if must_mend:
            with self._file.transaction("mend rows that no processor wrote") as connection:
                mended = mend_strays(connection, now)
            logger.warning(
                "mended rows of the queue %s that would never have been delivered: %d", self.config.path, mended
            )
        self._strays_looked_for_at = now

    def _take(self) -> Delivery | None:
        held = {lease.body for lease in self._leases.held}
        with self._file.reading("look for crashes") as connection:
            # Looking needs no lock on the file, so idle processors do not slow others down.
            if not self._candidates.has_any(connection, held, self._clock()):
                return None
        self._leases.claim()
        with self._file.transaction("take a crash") as connection:
            if self._closing.is_set():
                return None
            chosen = self._candidates.choose(connection, held, self._clock())
            if chosen is None:
                return None
            lease = self._leases.take(connection, chosen.row, chosen.body)
        self._leases.hold(lease)
        return Delivery(
            text_of(chosen.body),
            chosen.queue,
            chosen.attempts + 1,
            chosen.retries,
            suspect=chosen.deaths >= DEATHS_UNTIL_SUSPECT,
            history=chosen.history,
            tag=lease,
        )

    def _set_aside(self, delivery: Delivery, state: SetAsideState, reason: str) -> None:
        lease = self._lease_of(delivery)
        maximum: int = self.config.maximum_rejected
        dropped = 0
        with self._dropped_on_error(delivery, f"set aside as {state}") as connection:
            for (attempts,) in self._leases.change(connection, lease, "DELETE FROM crash"):
                number = add_set_aside(
                    connection,
                    SetAsideCrash(
                        delivery.crash_id,
                        state,
                        reason,
                        self._wall_clock(),
                        attempts,
                        delivery.queue,
                        delivery.history.work,
                    ),
                )
                # Not each time: counting a hundred thousand rows takes longer than everything else here.
                if number % max(1, maximum // 100) == 0:
                    dropped = drop_oldest_rejected(connection, maximum)
        if dropped:
            METRICS.increment("queue.rejected_dropped", dropped)
        self._end(lease)

    def _end_delivery(
        self, delivery: Delivery, doing: str, statement: str, parameters: tuple[object, ...] = ()
    ) -> None:
        lease = self._lease_of(delivery)
        with self._dropped_on_error(delivery, doing) as connection:
            self._leases.change(connection, lease, statement, parameters)
        self._end(lease)

    @contextmanager
    def _dropped_on_error(self, delivery: Delivery, doing: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.transaction(f"{doing} {delivery.crash_id[:60]!r}") as connection:
                yield connection
        except CrashQueueError:
            self._leases.drop(self._lease_of(delivery))
            self._woken.set()
            raise

    def _end(self, lease: Lease) -> None:
        self._leases.end(lease)
        self._woken.set()

    @staticmethod
    def _lease_of(delivery: Delivery) -> Lease:
        return cast(Lease, delivery.tag)

    def _end_delays_from_before_a_reboot(self) -> None:
        """End the delays from before a reboot: their times have lost their meaning."""
        with self._file.reading("look for crashes delayed before a reboot") as connection:
            row = connection.execute("SELECT 1 FROM crash WHERE due_boot <> ? LIMIT 1", (self._boot,)).fetchone()
        if row:
            with self._file.transaction("end the delays from before a reboot") as connection:
                connection.execute("UPDATE crash SET due = 0, due_boot = ? WHERE due_boot <> ?", (self._boot,) * 2)
