"""Two versions of a product, side by side: the signatures that only one of them has, and those whose share changed.

A share is that of the version's own crashes. A signature that one version lacks says little if that version has few
crashes: with the share of the other version it would have been expected there less than LEAST_EXPECTED times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from socorro_processor.search.results import ComparedSignature, Comparison
from socorro_processor.web.pages.address import Address
from socorro_processor.web.top.top_view import NO_SIGNATURE, crashes_link, signature_link

LEAST_CRASHES = 20
"""With fewer crashes of a version its shares mean little."""
LEAST_EXPECTED = 3
"""A signature that would be expected less often than this may be missing by chance, in 1 case of 20 at least."""
_LEAST_CHANGE = 0.05
"""A smaller change is 0.0 on the page."""


class Side(NamedTuple):
    """A signature in one version."""

    crashes: int
    share: float
    address: str
    """The search for these crashes."""


class Row(NamedTuple):
    signature: str
    address: str
    is_signature: bool
    """False for the crashes without one."""
    a: Side
    b: Side
    change: float
    """The share in b less that in a, in points."""
    bar: float
    """The change as a part of the greatest in the page, from -1 to 1; 0 if the page says that it is 0.0."""
    may_be_chance: bool
    """True if the version that lacks the signature has too few crashes to say that."""


class Group(NamedTuple):
    kind: str
    title: str
    rows: list[Row]
    signatures: int
    """All of the group, also those that are not shown."""
    crashes: int
    """The crashes of all of the group, in both versions."""


@dataclass(frozen=True)
class ComparisonView:
    a: str
    b: str
    crashes_a: int
    crashes_b: int
    groups: list[Group]
    left_out: int
    """Signatures that are too rare to be compared."""
    too_few: list[tuple[str, int]]
    """The versions with fewer than LEAST_CRASHES crashes, but some, and how many."""
    a_page: str
    b_page: str
    """The pages of the top crashes of each version."""


def comparison_view(address: Address, versions: tuple[str, str], compared: Comparison, shown: int) -> ComparisonView:
    """Return the view; ``address`` has the filters of both versions, ``shown`` is the number of rows of a group."""
    a, b = versions
    totals = compared.crashes, compared.other_crashes
    of_versions = address.with_filter("version", a), address.with_filter("version", b)
    changes = [_change(each, totals) for each in compared.signatures]
    greatest = max(map(abs, changes), default=0) or 1
    pairs = list(zip(compared.signatures, changes, strict=True))
    groups = []
    for kind, title, members in (
        ("only-b", f"Only in {b}", [pair for pair in pairs if not pair[0].crashes]),
        ("only-a", f"Only in {a}", [pair for pair in pairs if not pair[0].other_crashes]),
        ("both", "In both, the most changed first", [pair for pair in pairs if all(_counts(pair[0]))]),
    ):
        members.sort(key=lambda pair: abs(pair[1]), reverse=True)
        rows = [_row(of_versions, each, totals, change, change / greatest) for each, change in members[:shown]]
        groups.append(Group(kind, title, rows, len(members), sum(sum(_counts(each)) for each, _ in members)))
    return ComparisonView(
        a,
        b,
        *totals,
        groups,
        compared.count - len(compared.signatures),
        [(version, total) for version, total in zip(versions, totals, strict=True) if 0 < total < LEAST_CRASHES],
        *(str(each.to("/")) for each in of_versions),
    )


def _counts(each: ComparedSignature) -> tuple[int, int]:
    return each.crashes, each.other_crashes


def _change(each: ComparedSignature, totals: Sequence[int]) -> float:
    a, b = (crashes / (total or 1) for crashes, total in zip(_counts(each), totals, strict=True))
    return 100 * (b - a)


def _row(
    of_versions: tuple[Address, Address],
    each: ComparedSignature,
    totals: tuple[int, int],
    change: float,
    bar: float,
) -> Row:
    counts = _counts(each)
    shares = [crashes / (total or 1) for crashes, total in zip(counts, totals, strict=True)]
    a, b = (
        Side(crashes, share, crashes_link(address, each.signature) if crashes else "")
        for crashes, share, address in zip(counts, shares, of_versions, strict=True)
    )
    return Row(
        NO_SIGNATURE if each.signature is None else each.signature,
        signature_link(of_versions[0].without_equality("version"), each.signature),
        each.signature is not None,
        a,
        b,
        change,
        bar if abs(change) >= _LEAST_CHANGE else 0.0,
        not all(counts) and max(shares) * totals[counts.index(0)] < LEAST_EXPECTED,
    )
