"""SQLiteCrashQueue: the queues of one machine in one SQLite file. Nothing to install or to run."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, fields
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast

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
    parse_delays,
    reason_of,
)
from socorro_processor.crashqueue.fair_order import DEFAULT_WEIGHTS, FairOrder, RetryOrder, parse_weights
from socorro_processor.crashqueue.history import History, history_of
from socorro_processor.crashqueue.outcomes import Outcomes, decode_outcomes, encode_outcomes
from socorro_processor.crashqueue.sqlite.file import SQLiteFile, body_of, examine_file, text_of
from socorro_processor.crashqueue.sqlite.in_flight import in_flight
from socorro_processor.crashqueue.sqlite.leases import GIVE_BACK, Lease, Leases
from socorro_processor.crashqueue.sqlite.owners import Heartbeat, OwnerFile, boot_id, boot_time
from socorro_processor.crashqueue.sqlite.set_aside import (
    add_set_aside,
    drop_oldest_rejected,
    read_set_aside,
    remove_set_aside,
)
from socorro_processor.crashqueue.sqlite.strays import BODY, QUEUE, has_strays, mend_strays, whole
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.monitoring.metrics import METRICS

DEATHS_UNTIL_SUSPECT = 2
"""So many deaths of its processor make a crash a suspect, which is delivered alone.

It may be the cause of them, or was only in flight meanwhile: the next death hits no bystander.
"""

HEARTBEAT_INTERVAL = 1.0
SHORTEST_LEASE = 10.0
"""Seconds. It is renewed after a third of it, by a heart that beats each second on a busy machine."""

LONGEST_BACKOFF = 5.0
STRAYS_INTERVAL = 1.0

POLL_INTERVAL = 0.03
"""Seconds between two looks at the file's version while idle, of the 50 ms that a crash may wait."""

IN_FLIGHT = "SELECT body FROM crash WHERE state = 'in flight'"

# What a queue delivers next, but none whose id is in flight already: first those that were not tried
# yet, whose `due` is NULL, as they were submitted; then the others, the one that was due first. A
# retried crash that fails again goes behind all others that are due: they go round.
HISTORY = [field.name for field in fields(History)]
FATE = ", ".join([*map(whole, ("attempts", "retries", "deaths")), *HISTORY])
CANDIDATES = f"""
    SELECT id, {BODY}, {FATE} FROM crash
    WHERE queue = ? AND state = 'waiting'
    AND {BODY} NOT IN ({IN_FLIGHT})
"""  # of our own words  # nosec B608
NEXT = f"{CANDIDATES} ORDER BY due, id"
NEXT_RETRIED = f"{CANDIDATES} AND due IS NOT NULL ORDER BY due, id"
DUE = "SELECT id FROM crash WHERE state = 'delayed' AND due <= ?"
DUE_NEXT = f"""
    SELECT id FROM crash WHERE state = 'delayed' AND due > ? AND transient AND {BODY} NOT IN ({IN_FLIGHT})
    ORDER BY due, id LIMIT 1
"""  # of our own words  # nosec B608
PROBED = f"""
    SELECT {QUEUE}, id, {BODY}, {FATE} FROM crash
    WHERE id = ? AND state = 'waiting' AND {BODY} NOT IN ({IN_FLIGHT})
"""  # of our own words  # nosec B608
ADD = "INSERT INTO crash (body, queue, work, submitted) VALUES (?, ?, ?, ?)"
# Rows of a version that did not write it down are older than all others, nobody knows by how much.
OLDEST = """
    SELECT CASE WHEN EXISTS (SELECT 1 FROM crash WHERE queue = :queue AND submitted IS NULL) THEN NULL
    ELSE (SELECT min(submitted) FROM crash WHERE queue = :queue) END, EXISTS (SELECT 1 FROM crash WHERE queue = :queue)
"""
RETRY = f"""
    UPDATE crash SET state = 'delayed', due = ?, due_boot = ?, retries = retries + 1, transient = ?,
    attempts = attempts + ?, reason = ?, reason_retry = retries + 1, owner = NULL, begun = 0,
    {", ".join(f"{name} = ?" for name in HISTORY)}
"""  # of our own words  # nosec B608

_BODIES_AT_ONCE = 10_000
_TOLD_AT_MOST = 1_000

Candidate = tuple[Any, ...]
"""id, body, and what FATE names"""

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class SQLiteCrashQueue(CrashQueueBase):
    """Queues in one SQLite file on a local disk, for any number of processes of one machine.

    Beside ``path`` are SQLite's own ``-wal`` and ``-shm`` and a directory ``.owners``. Bodies are any
    text. Crashes of one queue are delivered in the order in which they were submitted. Those that
    come again after a ``retry`` go round in the order in which they were due: after the others, but
    each fourth crash of a queue at least is one of them. The same id submitted twice is processed twice, one after
    the other. A processor's death is noticed within a second (see ``leases``).

    ``new_crashes`` waits on its own, up to ``idle_delay`` seconds before each None (longer only while
    another program keeps the file locked: ``busy_timeout``), so that its caller need not. It ends
    soon after ``close``.

    Where ``begin``, ``ack``, ``retry``, ``park``, ``reject`` or ``release`` raises CrashQueueError, the
    caller drops the delivery and goes on: this queue gives the crash back as soon as the file can
    be written again, with the same attempt. ``begin`` raises also for a delivery whose lease ran
    out; the others then change nothing.

    Where ``path`` or what SQLite keeps beside it is removed or replaced meanwhile, the queue is ``lost`` to this
    process: nothing more is confirmed, and ``new_crashes`` has no more (see ``sqlite_guard``).

    Not to be used across ``os.fork``. The keyword arguments are for tests.
    """

    required_config = Namespace()
    required_config.add_option(
        "path",
        default="socorro-data/queue.sqlite",
        doc="the file of the queues, on a local disk; created where there is none",
    )
    required_config.add_option(
        "weights",
        default=DEFAULT_WEIGHTS,
        doc="how many crashes of each queue are taken in turn while all have work",
        from_string_converter=parse_weights,
    )
    required_config.add_option(
        "retry_delays",
        default="1, 5, 15, 30, 60",
        doc="seconds until the first, second, ... retry of a crash; the last of them for all later ones; at most 60",
        from_string_converter=parse_delays,
    )
    required_config.add_option(
        "lease_time",
        default=60.0,
        doc="seconds after which the crashes of a processor that hangs are given to others; at least 10",
        from_string_converter=Seconds(SHORTEST_LEASE),
    )
    required_config.add_option(
        "idle_delay",
        default=0.5,
        doc="seconds to wait for a crash before saying there is none",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "busy_timeout",
        default=5.0,
        doc="seconds to wait while another process writes the file",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "maximum_rejected",
        default=100_000,
        doc="how many rejected ids are kept for operators to see, or a hundredth more; the oldest go",
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
            raise ConfigurationError(f"lease_time {config.lease_time:g}: at least {SHORTEST_LEASE:g} s are needed")
        path = Path(config.path)
        self._clock = clock
        self._boot = boot or boot_id()
        self._wall_clock = wall_clock
        self._order = FairOrder(config.weights)
        self._retry_order = RetryOrder()
        self._probed: int | None = None
        self._heard: int | None = None
        self._suspect: Delivery | None = None
        self._suspect_is_out = False
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
    def to_look(cls, config: DotDict) -> SQLiteCrashQueue:
        return cls(config, create=False)

    @classmethod
    def examine(cls, config: DotDict) -> str:
        return examine_file(Path(config.path), config.busy_timeout)

    def lost(self) -> str:
        return self._file.lost

    def unavailable(self) -> str:
        return self._failure

    def new_crashes(self) -> Iterator[Delivery | None]:
        self.told()  # what was told so far was for others
        while not self._closing.is_set():
            deadline = time.monotonic() + self.config.idle_delay
            delivery = self._next_or_none()
            while delivery is None and not self._file.lost and self._wait_for_change(deadline):
                delivery = self._next_or_none()
            # What was taken while close() ran was given back by it.
            if not self._closing.is_set():
                yield delivery

    def begin(self, delivery: Delivery) -> None:
        lease = self._lease_of(delivery)
        with self._dropped_on_error(delivery, "begin") as connection:
            mine = self._leases.change(connection, lease, "UPDATE crash SET begun = 1")
        if not mine:
            self._end(lease)
            raise CrashQueueError(f"cannot begin {delivery.crash_id[:60]!r}: its lease ran out; it comes again")

    def ack(self, delivery: Delivery) -> None:
        lease = self._lease_of(delivery)
        with self._dropped_on_error(delivery, "ack") as connection:
            self._leases.change(connection, lease, "DELETE FROM crash")
        self._end(lease)

    def retry(self, delivery: Delivery, reason: str, *, transient: bool, history: History | None = None) -> None:
        lease = self._lease_of(delivery)
        delays: tuple[float, ...] = self.config.retry_delays
        delay = delays[min(delivery.retries, len(delays) - 1)]
        logger.debug("%.60r will be tried again in %g s: %s", delivery.crash_id, delay, reason)
        with self._dropped_on_error(delivery, "retry") as connection:
            self._leases.change(
                connection,
                lease,
                RETRY,
                (
                    self._clock() + delay,
                    self._boot,
                    transient,
                    not transient,
                    reason_of(reason),
                    *astuple(history or delivery.history),
                ),
            )
        self._end(lease)

    def probe(self) -> None:
        with self._file.transaction("try a delayed crash") as connection:
            now = self._clock()
            probed = connection.execute(
                f"UPDATE crash SET due = ? WHERE id = ({DUE_NEXT}) RETURNING id",  # of our own words  # nosec B608
                (now, now),
            ).fetchall()
        self._probed = probed[0][0] if probed else None
        self._woken.set()

    def park(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "parked", reason)

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._set_aside(delivery, "rejected", reason)

    def release(self, delivery: Delivery) -> None:
        lease = self._lease_of(delivery)
        with self._dropped_on_error(delivery, "release") as connection:
            self._leases.change(connection, lease, GIVE_BACK)
        self._end(lease)

    def submit(self, crash_id: str, queue: QueueName = "normal", work: str = "") -> None:
        if queue not in QUEUES:
            raise CrashQueueError(
                f"cannot submit {crash_id[:60]!r}: {queue!r} is not a queue; there are {', '.join(QUEUES)}"
            )
        with self._file.transaction(f"submit {crash_id[:60]!r}", durable=True) as connection:
            connection.execute(ADD, (body_of(crash_id), queue, work, self._wall_clock().timestamp()))
        self._woken.set()

    def depths(self) -> Depths:
        counts = {(queue, state): 0 for queue in QUEUES for state in ("waiting", "delayed", "in flight")}
        with self._file.reading("count the crashes") as connection:
            # One query a state, each answered by that state's index alone.
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
        return in_flight(self._file, self._clock(), self._wall_clock(), ids=ids)

    def pending(self, crash_ids: Collection[str]) -> set[str]:
        found: set[str] = set()
        bodies = [body_of(crash_id) for crash_id in crash_ids]
        for first in range(0, len(bodies), _BODIES_AT_ONCE):
            asked = bodies[first : first + _BODIES_AT_ONCE]
            query = f"SELECT {BODY} FROM crash WHERE {BODY} IN ({', '.join('?' * len(asked))})"  # of our own words  # nosec B608
            with self._file.reading("look for crashes") as connection:
                found.update(text_of(body) for (body,) in connection.execute(query, asked))
        return found

    def set_aside(self, state: SetAsideState) -> Iterator[SetAsideCrash]:
        return read_set_aside(self._file, state)

    def requeue(self, crash: SetAsideCrash) -> bool:
        with self._file.transaction(f"requeue {crash.crash_id[:60]!r}", durable=True) as connection:
            if not remove_set_aside(connection, crash):
                return False
            connection.execute(ADD, (body_of(crash.crash_id), crash.queue, crash.work, self._wall_clock().timestamp()))
        self._woken.set()
        return True

    def tell(self, outcomes: Outcomes) -> None:
        try:
            with self._file.transaction("tell the other processors of outcomes") as connection:
                (last,) = connection.execute(
                    "INSERT INTO outcome (owner, body) VALUES (?, ?) RETURNING id",
                    (self._leases.owner_name, encode_outcomes(outcomes)),
                ).fetchone()
                connection.execute("DELETE FROM outcome WHERE id <= ?", (last - _TOLD_AT_MOST,))
        except CrashQueueError as error:
            logger.debug("%s", error)

    def told(self) -> list[Outcomes]:
        try:
            with self._file.reading("read the outcomes of the other processors") as connection:
                (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM outcome").fetchone()
                rows = connection.execute(
                    f"SELECT owner, {BODY} FROM outcome WHERE id > ? ORDER BY id",  # of our own words  # nosec B608
                    (last if self._heard is None else self._heard,),
                ).fetchall()
        except CrashQueueError as error:
            logger.debug("%s", error)
            return []
        self._heard = last
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
        """Return the next delivery. An error of the file is logged once; it is tried again with backoff."""
        self._woken.clear()
        if self._failures and self._clock() < self._look_again_at:
            return None
        try:
            delivery = self._next_delivery()
        except CrashQueueError as error:
            if not (self._failures or self._file.lost or self._closing.is_set()):
                logger.error("no new crashes until this is mended: %s", error)
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
            # No wait for the event: it costs twice the processor time, and wakes no sooner for
            # what other processes do.
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
            # In flight from now on, so that other processes pass by it. It waits here until all
            # else has ended, and as nothing more is taken, that is bound to happen.
            self._suspect, self._suspect_is_out = delivery, False
            held = self._leases.held
        if not self._suspect_is_out and held == {self._lease_of(self._suspect)}:
            self._suspect_is_out = True
            return self._suspect
        return None

    def _mend_strays(self) -> None:
        now = self._clock()
        if now < self._strays_looked_for_at + STRAYS_INTERVAL:
            return
        with self._file.reading("look for rows that no processor wrote") as connection:
            found = has_strays(connection, now)
        if found:
            with self._file.transaction("mend rows that no processor wrote") as connection:
                mended = mend_strays(connection, now)
            logger.warning(
                "mended rows of the queue %s that would never have been delivered: %d", self.config.path, mended
            )
        self._strays_looked_for_at = now

    def _take(self) -> Delivery | None:
        probed, self._probed = self._probed, None
        with self._file.reading("look for crashes") as connection:
            # A look needs no lock on the file: idle processors do not get into the way of others.
            held = {lease.body for lease in self._leases.held}
            heads = self._heads(connection, held)
            if not any(heads.values()) and not connection.execute(f"{DUE} LIMIT 1", (self._clock(),)).fetchone():
                # The order must know that the priority queue was empty.
                self._order.take(dict.fromkeys(QUEUES, 0))
                return None
        self._leases.claim()
        with self._file.transaction("take a crash") as connection:
            if self._closing.is_set():
                return None
            due = f"UPDATE crash SET state = 'waiting' WHERE id IN ({DUE})"  # of our own words  # nosec B608
            connection.execute(due, (self._clock(),))
            chosen = self._probed_one(connection, probed, held) or self._next_one(connection, held)
            if chosen is None:
                return None
            queue, (row, body, attempts, retries, deaths, *history) = chosen
            lease = self._leases.take(connection, row, body)
        self._leases.hold(lease)
        self._retry_order.took(queue, retried=retries > 0)
        suspect = deaths >= DEATHS_UNTIL_SUSPECT
        return Delivery(
            text_of(body),
            queue,
            attempts + 1,
            retries,
            suspect,
            history_of(dict(zip(HISTORY, history, strict=True))),
            tag=lease,
        )

    @staticmethod
    def _probed_one(
        connection: sqlite3.Connection, row: int | None, held: set[bytes]
    ) -> tuple[QueueName, Candidate] | None:
        for queue, *candidate in connection.execute(PROBED, (row,)).fetchall():
            if candidate[1] not in held:
                return queue, tuple(candidate)
        return None

    def _next_one(self, connection: sqlite3.Connection, held: set[bytes]) -> tuple[QueueName, Candidate] | None:
        heads = self._heads(connection, held)
        queue = self._order.take({queue: len(rows) for queue, rows in heads.items()})
        if queue is None:
            return None
        head = heads[queue][0]
        if self._retry_order.retried_first(queue):
            (head,) = self._first(connection, NEXT_RETRIED, queue, held, 1) or [head]
        return queue, head

    def _heads(self, connection: sqlite3.Connection, held: set[bytes]) -> dict[QueueName, list[Candidate]]:
        # Two are enough to know whether one is left.
        return {queue: self._first(connection, NEXT, queue, held, 2) for queue in QUEUES}

    @staticmethod
    def _first(
        connection: sqlite3.Connection, query: str, queue: QueueName, held: set[bytes], count: int
    ) -> list[Candidate]:
        """Return up to ``count`` crashes, without those that this process is still at, although it lost them meanwhile:
        its disk may have stood still for longer than a lease."""
        with closing(connection.execute(query, (queue,))) as rows:
            return list(islice((row for row in rows if row[1] not in held), count))

    def _set_aside(self, delivery: Delivery, state: SetAsideState, reason: str) -> None:
        lease = self._lease_of(delivery)
        maximum: int = self.config.maximum_rejected
        gone = 0
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
                # At each hundredth of them: to count a hundred thousand takes longer than all else that is done here.
                if number % max(1, maximum // 100) == 0:
                    gone = drop_oldest_rejected(connection, maximum)
        if gone:
            METRICS.increment("queue.rejected_dropped", gone)
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
        """End the delays from before a reboot: their times mean nothing any more."""
        with self._file.reading("look for crashes delayed before a reboot") as connection:
            found = connection.execute("SELECT 1 FROM crash WHERE due_boot <> ? LIMIT 1", (self._boot,)).fetchone()
        if found:
            with self._file.transaction("end the delays from before a reboot") as connection:
                connection.execute("UPDATE crash SET due = 0, due_boot = ? WHERE due_boot <> ?", (self._boot,) * 2)
