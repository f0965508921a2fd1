"""The signatures that crash most, from the roll-ups or, if none has all fields of the filters, from the crashes."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Any

from socorro_processor.crashstorage.indexed_crash import MILLISECONDS_OF_DAY
from socorro_processor.fields.searchable import DIMENSIONS
from socorro_processor.search.base import MAXIMUM_SYSTEMS, TopOrder
from socorro_processor.search.results import ComparedSignature, Comparison, Standing, Top, TopSignature
from socorro_processor.search.sqlite.conditions import Condition, RolledUp, day_number, day_range, moment_of
from socorro_processor.search.sqlite.roll_ups import INSTALLATIONS, RollUp, has_installations
from socorro_processor.search.sqlite.schema import OWN
from socorro_processor.search.sqlite.snapshot import Snapshot, texts_of

MOST_KEPT = 500_000
"""Rows that are kept, 16 MB; of more rows, those of the listed signatures are read again."""

_Row = tuple[int, int, int | str, int]
"""A signature, a day, a system as roll-ups have it, and their crashes."""
_LONG = 0.25
"""A part of the time that the index has crashes of; installations in more than that are counted by their table."""


class TopSignatures:
    """Counts in one snapshot."""

    def __init__(
        self, snapshot: Snapshot, crashes: Condition, rolled_up: RolledUp | None, records: Condition, most_kept: int
    ) -> None:
        """``rolled_up`` is None if the filters name fields that no roll-up has; ``records``: on ``seen``.

        ``most_kept``: rows of a roll-up in memory, as MOST_KEPT.
        """
        self._snapshot = snapshot
        self._connection = snapshot.connection
        self._crashes = crashes
        self._rolled_up = rolled_up
        self._records = records
        self._most_kept = most_kept

    def top(self, first_day: date, last_day: date, limit: int, offset: int, order: TopOrder) -> Top:
        length = (last_day - first_day).days + 1
        before = self._counts(first_day - timedelta(days=length), first_day - timedelta(days=1))
        rows = _KeptRows(self._most_kept)
        now: Counter[int] = Counter()
        totals: Counter[int] = Counter()
        for batch in self._batches(first_day, last_day):
            signatures, days_of_rows, _, numbers = columns = tuple(zip(*batch, strict=True))
            _add(now, signatures, numbers)
            _add(totals, days_of_rows, numbers)
            rows.add(columns)
        total, total_before = sum(now.values()), sum(before.values())
        ranks, ranks_before = _ranks(now), _ranks(before)
        installations = self._installations(first_day, last_day) if order == "installations" else None
        values = {
            number: (
                *([installations.get(number, 0)] if installations is not None else []),
                *([crashes / total - before.get(number, 0) / (total_before or 1)] if order == "difference" else []),
                crashes,
                -number,
            )
            for number, crashes in now.items()
        }
        listed = sorted(values, key=values.__getitem__, reverse=True)[offset : offset + limit]
        if installations is None:
            installations = self._installations_of(first_day, last_day, listed)
        texts = texts_of(self._snapshot, "signature", listed)
        seen = self._seen(listed)
        kept = rows.of(listed) if rows.has_all else chain(*self._batches(first_day, last_day, listed))
        days, systems = self._days_and_systems(kept)
        return Top(
            first_day,
            last_day,
            total,
            total_before,
            len(now),
            tuple(
                TopSignature(
                    signature=texts.get(number),
                    rank=ranks[now[number]],
                    crashes=now[number],
                    share=now[number] / total,
                    rank_before=ranks_before[before[number]] if number in before else None,
                    crashes_before=before.get(number, 0),
                    share_before=before.get(number, 0) / total_before if total_before else 0.0,
                    installations=installations.get(number, 0),
                    first_seen=moment_of(seen[number][0]) if number in seen else None,
                    last_seen=moment_of(seen[number][1]) if number in seen else None,
                    systems=dict(systems[number].most_common(MAXIMUM_SYSTEMS)),
                    days=tuple(days[number][day_number(first_day) + each] for each in range(length)),
                )
                for number in listed
            ),
            tuple(totals[day_number(first_day) + each] for each in range(length)),
        )

    def compare(self, other: TopSignatures, first_day: date, last_day: date, limit: int) -> Comparison:
        """Return the signatures of this search and of another."""
        counts, other_counts = self._counts(first_day, last_day), other._counts(first_day, last_day)
        listed = {
            number for each in (counts, other_counts) for number in heapq.nlargest(limit, each, key=each.__getitem__)
        }
        texts = texts_of(self._snapshot, "signature", list(listed))
        compared = [
            ComparedSignature(texts.get(number), counts.get(number, 0), other_counts.get(number, 0))
            for number in sorted(listed)
        ]
        compared.sort(key=lambda each: each.crashes + each.other_crashes, reverse=True)
        return Comparison(
            sum(counts.values()), sum(other_counts.values()), len(counts.keys() | other_counts.keys()), tuple(compared)
        )

    def choices(self, first_day: date, last_day: date, size: int) -> dict[str, tuple[str, ...]]:
        """Return the most frequent values of each dimension."""
        source, condition, count = self._source(self._roll_up(*DIMENSIONS), first_day, last_day)
        fields = ", ".join(f"{self._dimension(name)} AS {name}" for name in DIMENSIONS)
        grouping = f"GROUP BY {', '.join(map(str, range(1, 1 + len(DIMENSIONS))))}"
        combinations = condition.select(f"{fields}, {count} AS crashes", grouping, source)
        # The crashes are read once; they have few combinations of these values.
        each = " UNION ALL ".join(
            f"SELECT * FROM (SELECT '{name}', {name}, sum(crashes) FROM combination WHERE {name} <> ''"
            f" GROUP BY 2 ORDER BY 3 DESC LIMIT {size})"  # nosec B608
            for name in DIMENSIONS
        )
        rows = self._connection.execute(
            f"WITH combination AS MATERIALIZED ({combinations}) {each}", condition.parameters
        ).fetchall()
        texts = texts_of(self._snapshot, "word", [value for _, value, _ in rows if isinstance(value, int)])
        counts: dict[str, Counter[str]] = {name: Counter() for name in DIMENSIONS}
        for name, value, crashes in rows:
            counts[name][texts.get(value, "") if isinstance(value, int) else value] += crashes
        return {
            name: tuple(sorted(filter(None, values), key=lambda value: (-values[value], value)))
            for name, values in counts.items()
        }

    def standing(self, signature: Condition, first_day: date, last_day: date) -> Standing:
        """Return the place of the signature for which the condition is true."""
        counts = self._counts(first_day, last_day)
        number = self._connection.execute(signature.select("id", source="signature"), signature.parameters).fetchone()
        crashes = counts.get(number[0], 0) if number else 0
        return Standing(
            crashes,
            self._installations_of(first_day, last_day, number)[number[0]] if crashes else 0,
            1 + sum(each > crashes for each in counts.values()) if crashes else None,
            len(counts),
            sum(counts.values()),
        )

    def _counts(self, first_day: date, last_day: date) -> Counter[int]:
        """Return the crashes of each signature."""
        counts: Counter[int] = Counter()
        roll_up = self._roll_up("signature")
        for part in self._parts(roll_up, first_day, last_day):
            source, condition, count = self._source(roll_up, *part)
            sql = condition.select(f"signature, {count}", "GROUP BY 1", source)
            for batch in self._snapshot.batches(sql, condition.parameters):
                _add(counts, *zip(*batch, strict=True))
        return counts

    def _batches(
        self, first_day: date, last_day: date, listed: Sequence[int] | None = None
    ) -> Iterator[Sequence[_Row]]:
        """Yield the crashes of all signatures, or of those listed, by day and system."""
        name = self._dimension("os_name")
        roll_up = self._roll_up("signature", "os_name")
        # A part that is one day is grouped by it, too, only if its rows are in that order anyway.
        grouping = "GROUP BY 1, 3" if roll_up is not None and roll_up.is_by_day else "GROUP BY 1, 2, 3"
        for part in self._parts(roll_up, first_day, last_day):
            source, condition, count = self._source(roll_up, *part, listed)
            sql = condition.select(f"signature, {self._day}, {name}, {count}", grouping, source)
            yield from self._snapshot.batches(sql, condition.parameters)

    def _roll_up(self, *fields: str) -> RollUp | None:
        """Return the roll-up to read, with these fields; None if it is to be the crashes."""
        return None if self._rolled_up is None else self._rolled_up.narrowest(*fields)

    def _parts(self, roll_up: RollUp | None, first_day: date, last_day: date) -> Iterable[tuple[date, date]]:
        """Return the days that are read at once: each alone if that is their order, so that sorting takes less time."""
        if roll_up is None or not roll_up.is_by_day:
            return [(first_day, last_day)]
        days = (first_day + timedelta(days=number) for number in range((last_day - first_day).days + 1))
        return ((each, each) for each in days)

    def _days_and_systems(
        self, rows: Iterable[_Row]
    ) -> tuple[Mapping[int, Counter[int]], Mapping[int, Counter[str | None]]]:
        """Return the crashes of each signature by day, and by system."""
        days: dict[int, Counter[int]] = defaultdict(Counter)
        systems: dict[int, Counter[int | str]] = defaultdict(Counter)
        for signature, number, system, crashes in rows:
            of_days, of_systems = days[signature], systems[signature]
            of_days[number] = of_days.get(number, 0) + crashes
            of_systems[system] = of_systems.get(system, 0) + crashes
        words = sorted({system for each in systems.values() for system in each if isinstance(system, int)})
        texts = texts_of(self._snapshot, "word", words)
        named: dict[int, Counter[str | None]] = defaultdict(Counter)
        for signature, each in systems.items():
            for system, crashes in each.items():
                named[signature][(texts.get(system) if isinstance(system, int) else system) or None] += crashes
        return days, named

    def _installations(self, first_day: date, last_day: date) -> dict[int, int]:
        """Return the known installations of all signatures; this reads all crashes of these days, or their table."""
        if self._has_installations(first_day, last_day):
            condition = self._of_installations(first_day, last_day)
            # In the order of the table, they need not be sorted.
            each = condition.select("signature", "GROUP BY signature, installation", INSTALLATIONS)
            sql = f"SELECT signature, count(*) FROM ({each}) GROUP BY 1"  # nosec B608
        else:
            condition = self._of_crashes(first_day, last_day)
            sql = condition.select("signature, count(DISTINCT installation)", "GROUP BY 1")
        return dict(self._connection.execute(sql, condition.parameters).fetchall())

    def _installations_of(self, first_day: date, last_day: date, listed: Sequence[int]) -> dict[int, int]:
        """Return the known installations of each of these signatures; a table or an index has all that this needs."""
        if self._has_installations(first_day, last_day):
            condition = self._of_installations(first_day, last_day).also("signature = ?")
            sql = condition.select("count(DISTINCT installation)", source=INSTALLATIONS)
        else:
            condition = self._of_crashes(first_day, last_day).also("signature = ? AND installation IS NOT NULL")
            # Sorting them takes less time than count(DISTINCT), which looks each of them up if they are in no order.
            sql = f"SELECT count(*) FROM ({condition.select('1', 'GROUP BY installation')})"  # nosec B608
        return {
            number: self._connection.execute(sql, [*condition.parameters, number]).fetchone()[0] for number in listed
        }

    def _seen(self, listed: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return when each signature was seen first and last."""
        condition = self._records.also(f"signature IN ({', '.join('?' * len(listed))})", *listed)
        sql = condition.select("signature, min(first), max(last)", "GROUP BY 1", "seen")
        rows = self._connection.execute(sql, condition.parameters)
        return {number: (first, last) for number, first, last in rows}

    def _has_installations(self, first_day: date, last_day: date) -> bool:
        """Return True if the table of installations has all fields of the filters, and is read sooner than crashes.

        It has those of all days in one order, without any to sort.
        """
        if self._rolled_up is None or self._rolled_up.fields - {"signature"} or not has_installations(self._connection):
            return False
        ((first, last),) = self._connection.execute(
            "SELECT (SELECT min(date) FROM crash), (SELECT max(date) FROM crash)"
        )
        asked = ((last_day - first_day).days + 1) * MILLISECONDS_OF_DAY
        return first is not None and asked > _LONG * (last - first)

    def _of_installations(self, first_day: date, last_day: date) -> Condition:
        assert self._rolled_up is not None
        ends = "SELECT (SELECT min(day) FROM daily), (SELECT max(day) FROM daily)"
        ((first, last),) = self._connection.execute(ends)
        days = day_number(first_day), day_number(last_day)
        if first is not None and days[0] <= first and last <= days[1]:
            # Of all days, they are counted in half the time.
            return self._rolled_up.condition
        return self._rolled_up.condition.also("day >= ? AND day <= ?", *days)

    @property
    def _day(self) -> str:
        return f"date / {MILLISECONDS_OF_DAY}" if self._rolled_up is None else "day"

    def _dimension(self, name: str) -> str:
        """Return the SQL of a dimension as roll-ups have it: the number of a word, a text, or the empty text."""
        if self._rolled_up is not None:
            return name
        own = f"(SELECT {name} FROM own WHERE own.n = crash.n)"  # nosec B608
        return f"CASE WHEN {name} = {OWN} THEN {own} ELSE coalesce({name}, '') END"

    def _source(
        self, roll_up: RollUp | None, first_day: date, last_day: date, listed: Sequence[int] | None = None
    ) -> tuple[str, Condition, str]:
        """Return table, condition and count of crashes."""
        if roll_up is None or self._rolled_up is None:
            source, condition, count = "crash", self._of_crashes(first_day, last_day), "count(*)"
        else:
            days = day_number(first_day), day_number(last_day)
            # The rows of one day are in the order of the other columns, and SQLite knows that only of an equality.
            condition = (
                self._rolled_up.condition.also("day = ?", days[0])
                if days[0] == days[1]
                else self._rolled_up.condition.also("day >= ? AND day <= ?", *days)
            )
            source, count = roll_up.name, "sum(crashes)"
        if listed is not None:
            condition = condition.also(f"signature IN ({', '.join('?' * len(listed))})", *listed)
        return source, condition, count

    def _of_crashes(self, first_day: date, last_day: date) -> Condition:
        return self._crashes.also("date >= ? AND date < ?", *day_range(first_day, last_day))


class _KeptRows:
    """Rows in 32 bytes each; none if there are more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.has_all = True
        self._columns = tuple(array("q") for _ in range(4))
        self._systems: dict[int | str, int] = {}

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        signatures, days, systems, crashes = columns
        if len(self._columns[0]) + len(signatures) > self._most:
            self.has_all = False
            self._columns = tuple(array("q") for _ in range(4))
        if self.has_all:
            known = self._systems
            numbers = [known.setdefault(each, len(known)) for each in systems]
            for kept, values in zip(self._columns, (signatures, days, numbers, crashes), strict=True):
                kept.extend(values)

    def of(self, listed: Iterable[int]) -> Iterator[_Row]:
        wanted, systems = set(listed), list(self._systems)
        for signature, day, system, crashes in zip(*self._columns, strict=True):
            if signature in wanted:
                yield signature, day, systems[system], crashes


def _add(counts: Counter[int], keys: Iterable[int], numbers: Iterable[int]) -> None:
    of_key = counts.get
    for key, number in zip(keys, numbers, strict=True):
        counts[key] = of_key(key, 0) + number


def _ranks(counts: dict[int, int]) -> dict[int, int]:
    """Return the rank by the number of crashes: one more than the number of signatures with more."""
    ranks: dict[int, int] = {}
    for place, crashes in enumerate(sorted(counts.values(), reverse=True), 1):
        ranks.setdefault(crashes, place)
    return ranks
