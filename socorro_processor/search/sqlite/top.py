"""The signatures that crash most, from the roll-up or, if that has not all fields of the filters, from the crashes."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from socorro_processor.search.base import MAXIMUM_SYSTEMS, Top, TopSignature
from socorro_processor.search.indexed_crash import MILLISECONDS_OF_DAY
from socorro_processor.search.signature_counts import Standing
from socorro_processor.search.sqlite.conditions import Condition, day_number, day_range, moment_of
from socorro_processor.search.sqlite.schema import NO_SIGNATURE, OWN


class TopSignatures:
    """Counts in one snapshot of an open file."""

    def __init__(self, connection: sqlite3.Connection, crashes: Condition, roll_up: Condition | None) -> None:
        """``roll_up`` is None if the filters name fields that the roll-up does not have."""
        self._connection = connection
        self._crashes = crashes
        self._roll_up = roll_up

    def top(self, first_day: date, last_day: date, limit: int, offset: int) -> Top:
        length = (last_day - first_day).days + 1
        before = self._counts(first_day - timedelta(days=length), first_day - timedelta(days=1))
        now = self._counts(first_day, last_day)
        total, total_before = sum(now.values()), sum(before.values())
        ranks, ranks_before = _ranks(now), _ranks(before)
        listed = sorted(now, key=lambda signature: (-now[signature], signature))[offset : offset + limit]
        texts = self._by_number("SELECT id, text FROM signature WHERE id IN ({})", listed)
        seen = {
            number: (first, last)
            for number, first, last in self._rows(
                "SELECT signature, min(first), max(last) FROM seen WHERE signature IN ({}) GROUP BY 1", listed
            )
        }
        days, systems = self._days_and_systems(first_day, last_day, listed)
        installations = self._installations(first_day, last_day, listed)
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
        )

    def standing(self, signature: Condition, first_day: date, last_day: date) -> Standing:
        """Return the place of the signature for which the condition is true."""
        counts = self._counts(first_day, last_day)
        number = self._connection.execute(signature.select("id", source="signature"), signature.parameters).fetchone()
        crashes = counts.get(number[0], 0) if number else 0
        return Standing(
            crashes,
            self._installations(first_day, last_day, number)[number[0]] if crashes else 0,
            1 + sum(each > crashes for each in counts.values()) if crashes else None,
            len(counts),
            sum(counts.values()),
        )

    def _counts(self, first_day: date, last_day: date) -> dict[int, int]:
        """Return the crashes of each signature."""
        source, condition, count = self._source(first_day, last_day)
        sql = condition.select(f"signature, {count}", "GROUP BY 1", source)
        return dict(self._connection.execute(sql, condition.parameters).fetchall())

    def _days_and_systems(
        self, first_day: date, last_day: date, listed: Sequence[int]
    ) -> tuple[Mapping[int, Counter[int]], Mapping[int, Counter[str | None]]]:
        """Return the crashes of each signature by day, and by system."""
        source, condition, count = self._source(first_day, last_day, listed)
        day, name = "day", "os_name"
        if self._roll_up is None:
            own = "(SELECT os_name FROM own WHERE own.n = crash.n)"
            day = f"date / {MILLISECONDS_OF_DAY}"
            name = f"CASE WHEN os_name = {OWN} THEN {own} ELSE coalesce(os_name, '') END"
        sql = condition.select(f"signature, {day}, {name}, {count}", "GROUP BY 1, 2, 3", source)
        days: dict[int, Counter[int]] = defaultdict(Counter)
        systems: dict[int, Counter[int | str]] = defaultdict(Counter)
        for signature, number, system, crashes in self._connection.execute(sql, condition.parameters):
            days[signature][number] += crashes
            systems[signature][system] += crashes
        words = sorted({system for each in systems.values() for system in each if isinstance(system, int)})
        texts = self._by_number("SELECT id, text FROM word WHERE id IN ({})", words)
        named: dict[int, Counter[str | None]] = defaultdict(Counter)
        for signature, each in systems.items():
            for system, crashes in each.items():
                named[signature][(texts.get(system) if isinstance(system, int) else system) or None] += crashes
        return days, named

    def _installations(self, first_day: date, last_day: date, listed: Sequence[int]) -> dict[int, int]:
        """Return the known installations of each signature; an index has all that this needs."""
        condition = self._of_crashes(first_day, last_day)
        sql = condition.also("signature = ?").select("count(DISTINCT installation)")
        return {
            number: self._connection.execute(sql, [*condition.parameters, number]).fetchone()[0] for number in listed
        }

    def _source(
        self, first_day: date, last_day: date, listed: Sequence[int] | None = None
    ) -> tuple[str, Condition, str]:
        """Return table, condition and count of crashes."""
        if self._roll_up is None:
            source, condition, count = "crash", self._of_crashes(first_day, last_day), "count(*)"
        else:
            days = day_number(first_day), day_number(last_day)
            condition = self._roll_up.also("day >= ? AND day <= ?", *days)
            source, count = "daily", "sum(crashes)"
        if listed is not None:
            condition = condition.also(f"signature IN ({', '.join('?' * len(listed))})", *listed)
        return source, condition, count

    def _of_crashes(self, first_day: date, last_day: date) -> Condition:
        return self._crashes.also("date >= ? AND date < ?", *day_range(first_day, last_day))

    def _by_number(self, sql: str, numbers: Sequence[int]) -> dict[int, str]:
        return {row[0]: row[1] for row in self._rows(sql, numbers) if row[0] != NO_SIGNATURE}

    def _rows(self, sql: str, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.format(", ".join("?" * len(numbers))), numbers).fetchall()


def _ranks(counts: dict[int, int]) -> dict[int, int]:
    """Return the rank by the number of crashes: one more than the number of signatures with more."""
    ranks: dict[int, int] = {}
    for place, crashes in enumerate(sorted(counts.values(), reverse=True), 1):
        ranks.setdefault(crashes, place)
    return ranks
