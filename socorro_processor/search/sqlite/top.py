"""The signatures that crash most, from the roll-up or, if that has not all fields of the filters, from the crashes."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from socorro_processor.search.base import Top, TopSignature
from socorro_processor.search.indexed_crash import MILLISECONDS_OF_DAY
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
        # Two queries, because `seen` may lack crashes without a signature.
        seen = {
            number: (first, last)
            for number, first, last in self._rows(
                "SELECT signature, min(first), max(last) FROM seen WHERE signature IN ({}) GROUP BY 1", listed
            )
        }
        days = self._days(first_day, last_day, listed)
        systems = self._systems(first_day, last_day, listed)
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
                    systems=systems.get(number, {}),
                    days=tuple(days[number].get(day_number(first_day) + each, 0) for each in range(length)),
                )
                for number in listed
            ),
        )

    def _counts(self, first_day: date, last_day: date) -> dict[int, int]:
        """Return the crashes of each signature."""
        source, condition, count = self._source(first_day, last_day)
        sql = condition.select(f"signature, {count}", "GROUP BY 1", source)
        return dict(self._connection.execute(sql, condition.parameters).fetchall())

    def _days(self, first_day: date, last_day: date, listed: Sequence[int]) -> dict[int, dict[int, int]]:
        source, condition, count = self._source(first_day, last_day, listed)
        day = "day" if self._roll_up is not None else f"date / {MILLISECONDS_OF_DAY}"
        days: dict[int, dict[int, int]] = defaultdict(dict)
        sql = condition.select(f"signature, {day}, {count}", "GROUP BY 1, 2", source)
        for signature, number, crashes in self._connection.execute(sql, condition.parameters):
            days[signature][number] = crashes
        return days

    def _systems(self, first_day: date, last_day: date, listed: Sequence[int]) -> dict[int, dict[str | None, int]]:
        source, condition, count = self._source(first_day, last_day, listed)
        name = "os_name"
        if self._roll_up is None:
            own = "(SELECT os_name FROM own WHERE own.n = crash.n)"
            name = f"CASE WHEN os_name = {OWN} THEN {own} ELSE coalesce(os_name, '') END"
        sql = condition.select(f"signature, {name}, {count}", "GROUP BY 1, 2 ORDER BY 3 DESC", source)
        rows = self._connection.execute(sql, condition.parameters).fetchall()
        words = sorted({system for _, system, _ in rows if isinstance(system, int)})
        texts = self._by_number("SELECT id, text FROM word WHERE id IN ({})", words)
        systems: dict[int, dict[str | None, int]] = defaultdict(dict)
        for signature, system, crashes in rows:
            shown = (texts.get(system) if isinstance(system, int) else system) or None
            systems[signature][shown] = systems[signature].get(shown, 0) + crashes
        return systems

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
