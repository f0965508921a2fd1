"""The leases of the embedded queue: which owner has which crash in flight, and what happens when the owner dies.

A lease belongs to an owner, which is one queue object of one process. It becomes void

- as soon as the owner dies: its lock is free (see ``owners``);
- at a reboot;
- when the owner has not renewed it for ``lease_time``, by a clock that nobody can set. This is for owners that hang,
  or whose lock a child process inherited.

The crash then waits again: with the same attempt if that had not begun, otherwise with the next, and one death more.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from socorro_processor.crashqueue.base import this_process
from socorro_processor.crashqueue.sqlite.file import SQLiteFile
from socorro_processor.crashqueue.sqlite.owners import Heartbeat, OwnerFile
from socorro_processor.crashqueue.sqlite.strays import BODY, OWNERS, as_whole_number
from socorro_processor.errors import CrashQueueError

OWNER_CHECK_INTERVAL = 1.0
"""Seconds until the death of a processor is noticed."""

GIVE_BACK = "UPDATE crash SET state = 'waiting', owner = NULL, begun = 0"


@dataclass(frozen=True)
class Lease:
    """One delivery of a crash; another delivery of it is another lease."""

    row: int
    takes: int
    """The number of times that the row was taken."""
    body: bytes


logger = logging.getLogger(__name__)


class Leases:
    """Keeps the leases of one owner, and frees those of dead owners.

    ``given_back`` is called when crashes that were dropped wait again. Methods raise CrashQueueError, and may be called
    from any thread, except ``free_the_dead``.
    """

    def __init__(
        self,
        file: SQLiteFile,
        lease_time: float,
        *,
        clock: Callable[[], float],
        boot: str,
        owner: OwnerFile,
        heartbeat: Heartbeat,
        given_back: Callable[[], None],
    ) -> None:
        self._file = file
        self._lease_time = lease_time
        self._clock = clock
        self._boot = boot
        self._owner = owner
        self._heartbeat = heartbeat
        self._given_back = given_back
        self._lock = threading.Lock()
        self._claimed = False
        self._held: set[Lease] = set()
        self._dropped: set[Lease] = set()
        self._renewed_at = -math.inf
        self._owners_checked_at = -math.inf
        self._expiry_counts_from = math.inf
        self._beat_failed = False

    @property
    def owner_name(self) -> str:
        """The name of this owner."""
        return self._owner.name

    @property
    def held(self) -> frozenset[Lease]:
        """The leases that were taken and have not ended."""
        with self._lock:
            return frozenset(self._held)

    def claim(self) -> None:
        """Become an owner whose death others notice. Call it before the first ``take``."""
        with _owner_files():
            self._owner.claim()
        self._claimed = True
        self._heartbeat.start(self._beat)

    def take(self, connection: sqlite3.Connection, row: int, body: bytes) -> Lease:
        """Put a crash in flight, within the caller's transaction; call ``hold`` after that."""
        (takes,) = connection.execute(
            f"UPDATE crash SET state = 'in flight', body = {BODY}, takes = takes + 1, owner = ?,"  # nosec B608
            " taken_at = ?, taken_take = takes + 1 WHERE id = ? RETURNING takes",
            (self._owner.name, self._clock(), row),
        ).fetchone()
        # In the same transaction, so that nothing is in flight without a lease that can run out.
        self._renew(connection)
        return Lease(row, takes, body)

    def hold(self, lease: Lease) -> None:
        """Renew a lease from now on: the transaction that took it was committed."""
        with self._lock:
            self._held.add(lease)

    def change(
        self, connection: sqlite3.Connection, lease: Lease, statement: str, parameters: tuple[object, ...] = ()
    ) -> list[tuple[int]]:
        """Execute ``statement`` on a leased crash; return a row with its attempts, or no row if the lease is void."""
        return connection.execute(
            f"{statement} WHERE id = ? AND takes = ? AND state = 'in flight'"  # built from constants  # nosec B608
            f" RETURNING {as_whole_number('attempts')} + {as_whole_number('begun')}",
            (*parameters, lease.row, lease.takes),
        ).fetchall()

    def end(self, lease: Lease) -> None:
        """Note that a lease has ended, and that the file says so."""
        with self._lock:
            self._held.discard(lease)

    def drop(self, lease: Lease) -> None:
        """Note that a lease has ended, but not in the file: the crash is given back later."""
        with self._lock:
            self._held.discard(lease)
            self._dropped.add(lease)

    def close(self) -> None:
        """Give everything back and stop being an owner. Raises nothing: other owners would free the crashes."""
        self._heartbeat.stop()
        # A process that only submits or looks has nothing to give back, and may not be allowed to write.
        if self._claimed:
            try:
                self.give_back_all()
            except CrashQueueError as error:
                logger.warning("other processors will take the crashes in flight: %s", error)
        with suppress(OSError):
            self._owner.give_up()

    def give_back_all(self) -> None:
        """Give back all crashes that, according to the file, this owner has in flight."""
        with self._file.transaction("give back the crashes in flight") as connection:
            connection.execute(f"{GIVE_BACK} WHERE owner = ? AND state = 'in flight'", (self._owner.name,))
            connection.execute("DELETE FROM owner WHERE name = ?", (self._owner.name,))

    def free_the_dead(self) -> None:
        """Free the crashes that dead owners had in flight. Does nothing if it did so less than a second ago."""
        now = self._clock()
        unseen_for = now - self._owners_checked_at
        if unseen_for < OWNER_CHECK_INTERVAL:
            return
        if unseen_for > self._lease_time / 2:
            # This process has just started, or it slept, and so may others have: with the machine, or because nobody
            # could write. Let them renew their leases before judging.
            self._expiry_counts_from = now + self._lease_time / 4
        with self._file.reading("look for dead processors") as connection:
            rows = connection.execute(OWNERS).fetchall()
        owners: dict[str, tuple[str, float]] = {name: (boot, expires) for name, boot, expires in rows}
        with _owner_files():
            for name in (owners.keys() | self._owner.all_names()) - {self._owner.name}:
                if self._owner.remove_if_dead(name, partial(self._free, name)) or name not in owners:
                    continue
                boot, expires = owners[name]
                expired = expires <= now and now >= self._expiry_counts_from
                if expired or boot != self._boot:
                    self._free(name, expires)
        self._owners_checked_at = now

    def _free(self, owner: str, seen_expiry: float | None = None) -> None:
        with self._file.transaction("free the crashes of a dead processor") as connection:
            # The owner may have renewed its leases since they were read.
            deleted = connection.execute(
                "DELETE FROM owner WHERE name = ? AND expires = coalesce(?, expires)", (owner, seen_expiry)
            ).rowcount
            if not deleted:
                return
            freed = connection.execute(
                "UPDATE crash SET state = 'waiting', owner = NULL, attempts = attempts + begun,"
                " deaths = deaths + begun, begun = 0 WHERE owner = ? AND state = 'in flight'",
                (owner,),
            ).rowcount
        if freed:
            logger.warning("a processor died or hangs; crashes in flight that come back: %d", freed)

    def _renew(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        connection.execute(
            "INSERT INTO owner (name, boot, expires, process) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET boot = excluded.boot, expires = excluded.expires",
            (self._owner.name, self._boot, now + self._lease_time, this_process()),
        )

    def _beat(self) -> None:
        """Renew the leases, if there are any, and give back dropped crashes.

        Success is noted only after the commit: the next beat makes up for one that failed.
        """
        with self._lock:
            held, dropped = bool(self._held), set(self._dropped)
        now = self._clock()
        is_due = held and now >= self._renewed_at + self._lease_time / 3
        if not is_due and not dropped:
            return
        try:
            with self._file.transaction("renew the leases") as connection:
                self._renew(connection)
                for lease in dropped:
                    self.change(connection, lease, GIVE_BACK)
        except CrashQueueError as error:
            if not self._beat_failed:
                logger.warning("%s", error)
            self._beat_failed = True
            return
        self._beat_failed = False
        self._renewed_at = now
        with self._lock:
            self._dropped -= dropped
        if dropped:
            self._given_back()


@contextmanager
def _owner_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CrashQueueError(f"the owner files beside the queue must be readable and writable: {error}") from error
