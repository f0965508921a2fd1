"""Keep a store within its bounds: remove old crashes, those beyond a size, and surplus dumps, a little at a time.

What is removed goes in the same way as by ``socorro remove``. A crash that a processor or the collector still needs
stays, however old it is. What was begun when the process died is finished by the next round.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import Literal

from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import TransientStorageError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.removal import Record, Removal
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.clock import DAY, doubted_until
from socorro_processor.retention.ledger import DUMPS_GO, GOES, STAYS, Candidate, Ledger
from socorro_processor.retention.store import RetainedStore
from socorro_processor.retention.survey import Pace, Survey
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

logger = logging.getLogger(__name__)

Reason = Literal["age", "bytes", "product"]
REASONS: tuple[Reason, ...] = ("age", "bytes", "product")

Needed = Callable[[Sequence[str]], set[str]]
"""Returns those of a few crashes that have to stay: they wait, are in work, are parked or are still in the spool."""

LEDGER = "retention/ledger.sqlite"
"""The path of the ledger below the root of the store."""

_AT_ONCE = 50
_UNFINISHED = 500
"""Crashes of earlier rounds that are finished in a round at most."""
_SWEPT = "swept"
_SOURCE = "source"


@dataclass
class Round:
    """The findings and deeds of a round."""

    crashes: int = 0
    size: int = 0
    """Bytes on the disk of all crashes, after the round."""
    removed: Counter[str] | None = None
    """The number of crashes removed by each reason."""
    dumps_removed: int = 0
    doubted_until: float | None = None
    """Until when nothing is removed by age, although there are old crashes; None if that is not so."""
    excess: int = 0
    """Bytes above the bound that could not be removed, because their crashes are needed."""
    problem: str = ""
    """The crash that could not be removed, and why; empty if all could."""
    looked: float = 0.0
    """Seconds that the look at the store took."""


class Retention:
    """Keeps one store within its bounds. For one thread, and one process at a time."""

    def __init__(
        self,
        store: RetainedStore,
        bounds: Bounds,
        needed: Needed,
        audit: Record,
        *,
        index: SQLiteSearchIndex | None = None,
        reader: SQLiteCrashIndex | None = None,
        pace: Pace = lambda: None,
    ) -> None:
        """``index`` and ``reader``: the store's search index, to be written and read. The caller closes all of them."""
        self._store = store
        self._bounds = bounds
        self._needed = needed
        self._audit = audit
        self._index = index
        self._reader = reader
        self._pace = pace
        # The index comes first: of a crash whose removal is interrupted, files are left that the next look finds.
        stores: dict[str, CrashStorageBase] = {"search index": index} if index else {}
        self._removal = Removal(stores | {_SOURCE: store}, _NoRecord())
        for reason in REASONS:
            METRICS.expect("retention.removed", reason=reason)

    def run(self, now: float) -> Round:
        """Do all that is to be done at ``now`` (as ``time.time``). Raises SocorroError, and what ``pace`` raises."""
        done = Round(removed=Counter())
        if not self._store.exists():
            return done
        with METRICS.timer("retention.round"), closing(Ledger(self._store.root / LEDGER)) as ledger:
            survey = Survey(self._store, self._reader, ledger, self._pace, now)
            try:
                self._finish(ledger, survey, done)
                done.looked = survey.look()
                survey.measure()
                self._by_age(ledger, now, done)
                self._by_product(ledger, done)
                self._by_size(ledger, done)
                self._surplus_dumps(ledger, survey, now, done)
                self._sweep(ledger, now)
            finally:
                self._record(done)
            done.crashes, done.size = ledger.total()
        METRICS.gauge("retention.crashes", done.crashes)
        METRICS.gauge("retention.bytes", done.size)
        return done

    def _by_age(self, ledger: Ledger, now: float, done: Round) -> None:
        doubted = doubted_until(ledger, now)
        if not self._bounds.days:
            return
        oldest = partial(ledger.oldest, before=now - self._bounds.days * DAY)
        if doubted is None:
            self._take(ledger, oldest, lambda crash: True, "age", done)
        elif oldest(1, None):
            done.doubted_until = doubted

    def _by_product(self, ledger: Ledger, done: Round) -> None:
        if not self._bounds.products:
            return
        for product, size in ledger.products():
            bound = self._bounds.of_product(product)
            if bound and size > bound:
                self._take(ledger, partial(ledger.oldest, product=product), _Excess(size - bound), "product", done)

    def _by_size(self, ledger: Ledger, done: Round) -> None:
        size = ledger.total()[1]
        if not self._bounds.size or size <= self._bounds.size:
            return
        excess = _Excess(size - self._bounds.size)
        self._take(ledger, ledger.oldest, excess, "bytes", done)
        done.excess = max(0, excess.left)

    def _surplus_dumps(self, ledger: Ledger, survey: Survey, now: float, done: Round) -> None:
        most = self._bounds.dumps
        if not most:
            return
        because = (
            f"on {datetime.fromtimestamp(now, UTC):%Y-%m-%d}, because only those of a signature's newest "
            f"{'crash' if most == 1 else f'{most} crashes'} are kept (retention.keep_dumps)"
        )
        for signature in ledger.crowded(most):
            after: Candidate | None = None
            while batch := ledger.surplus(signature, most, _AT_ONCE, after):
                after = batch[-1]
                free = self._free(batch)
                ledger.doom(free, DUMPS_GO)
                self._strip(ledger, survey, free, because, done)

    def _take(
        self,
        ledger: Ledger,
        next_ones: Callable[[int, Candidate | None], list[Candidate]],
        goes: Callable[[Candidate], bool],
        reason: Reason,
        done: Round,
    ) -> None:
        """Remove crashes that nobody needs, as long as ``goes`` says so."""
        after: Candidate | None = None
        while batch := next_ones(_AT_ONCE, after):
            after = batch[-1]
            free = set(self._free(batch))
            left = [crash for crash in batch if crash.crash_id in free]
            chosen = [crash.crash_id for crash in takewhile(goes, left)]
            ledger.doom(chosen, GOES)
            self._remove(ledger, chosen, reason, done)
            if len(chosen) < len(left):
                return

    def _free(self, crashes: Sequence[Candidate]) -> list[str]:
        crash_ids = [crash.crash_id for crash in crashes]
        needed = self._needed(crash_ids)
        self._pace()
        return [crash_id for crash_id in crash_ids if crash_id not in needed]

    def _remove(self, ledger: Ledger, crash_ids: Sequence[str], reason: Reason | None, done: Round) -> None:
        """Remove crashes that are noted as such. One that the index keeps is left for the next round."""
        for crash_id in crash_ids:
            crash = self._removal.run(crash_id)
            failed = {name: each.error for name, each in crash.stores.items() if each.state == "failed"}
            if failed:
                done.problem = f"crash {crash_id} cannot be removed: {'; '.join(failed.values())}"
            if _SOURCE in failed:
                # Others would fail as well.
                raise TransientStorageError(done.problem)
            if not failed:
                ledger.removed([crash_id])
                if reason and done.removed is not None:
                    done.removed[reason] += 1
                    METRICS.increment("retention.removed", reason=reason)
            self._pace()

    def _strip(self, ledger: Ledger, survey: Survey, crash_ids: Sequence[str], because: str, done: Round) -> None:
        """Remove the dumps of crashes that are noted as such."""
        for crash_id in crash_ids:
            self._store.remove_dumps(crash_id, because)
            survey.measure_again([crash_id])
            ledger.doom([crash_id], STAYS)
            done.dumps_removed += 1
            METRICS.increment("retention.dumps_removed")
            self._pace()

    def _finish(self, ledger: Ledger, survey: Survey, done: Round) -> None:
        """Finish what an earlier round, perhaps of a process that was killed, has begun."""
        going = ledger.doomed(GOES, _UNFINISHED)
        stripped = ledger.doomed(DUMPS_GO, _UNFINISHED)
        if not going and not stripped:
            return
        needed = self._needed([*going, *stripped])
        # Of a crash that is removed, the raw crash goes first: while it is there, nothing has gone yet.
        stays = [crash_id for crash_id in going if crash_id in needed and self._store.has_raw_crash(crash_id)]
        self._remove(ledger, [crash_id for crash_id in going if crash_id not in stays], None, done)
        for crash_id in stripped:
            because = self._store.dumps_removed(crash_id)
            if because and self._store.has_raw_crash(crash_id):
                self._strip(ledger, survey, [crash_id], because, done)
            else:
                stays.append(crash_id)
        ledger.doom(stays, STAYS)

    def _sweep(self, ledger: Ledger, now: float) -> None:
        """Once a day, remove the texts that only removed crashes had from the search index."""
        swept = ledger.get_time(_SWEPT)
        if self._index is not None and not 0 <= now - (swept or -math.inf) < DAY:
            self._index.sweep()
            ledger.set_time(_SWEPT, now)

    def _record(self, done: Round) -> None:
        """Write a line into the audit log, if anything was removed."""
        counts = {f"by_{reason}": count for reason, count in (done.removed or {}).items()}
        if done.dumps_removed:
            counts["dumps_of"] = done.dumps_removed
        if counts:
            self._audit.write("old crashes were removed", {name: str(count) for name, count in counts.items()})


class _Excess:
    """Bytes above a bound: says of each crash, in order, whether it goes, and counts it."""

    def __init__(self, size: int) -> None:
        self.left = size

    def __call__(self, crash: Candidate) -> bool:
        if self.left <= 0:
            return False
        self.left -= crash.size
        return True


class _NoRecord:
    """Takes no line for each crash: a round writes one line."""

    def write(self, message: str, fields: Mapping[str, str]) -> None:
        pass
