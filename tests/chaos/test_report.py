from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from socorro_processor.crashqueue.base import SetAsideCrash
from socorro_processor.errors import CrashIDNotFound
from tests.chaos.report import Report, Tally
from tests.chaos.submitter import HEALTHY, UNKNOWN, Submitted

POISON = "poison: kills"


class Queue:
    """The attributes of a queue that the report reads."""

    def __init__(self, parked: list[str], rejected: list[str]) -> None:
        self._kept = {"parked": parked, "rejected": rejected}

    def set_aside(self, state: Any) -> Any:
        now = datetime.now(UTC)
        return iter([SetAsideCrash(crash_id, state, "a reason", now, 5, "normal") for crash_id in self._kept[state]])


class NoWalks:
    """Crashes with or without a stack, and nothing to compare them with."""

    def symbols_of(self, dump: str, processed: Any) -> str:
        return "all" if "json_dump" in processed else ""

    def difference(self, dump: str, processed: Any) -> str:
        return ""


def report(
    submitted: list[Submitted], *stores: dict[str, Any], parked: tuple[str, ...] = (), rejected: tuple[str, ...] = ()
) -> Report:
    def reader(store: dict[str, Any]) -> Any:
        def read(crash_id: str) -> Any:
            try:
                return store[crash_id]
            except KeyError:
                raise CrashIDNotFound(crash_id) from None

        return read

    tally = Tally({f"store{number}": reader(store) for number, store in enumerate(stores)}, NoWalks())
    tally.count(submitted, Queue(list(parked), list(rejected)))  # type: ignore[arg-type]
    return Report("a run", submitted, tally, 0, Counter(), {}, Counter(), [])


GOOD = {"success": True, "json_dump": {}}


def test_a_crash_that_every_store_has_is_as_it_must_be():
    assert report([Submitted("a", HEALTHY)], {"a": GOOD}, {"a": GOOD}).is_clean


def test_a_crash_that_one_store_lacks_is_lost():
    crash = Submitted("a", HEALTHY)
    found = report([crash], {"a": GOOD}, {})

    assert found.lost == [crash]
    assert not found.is_clean


@pytest.mark.parametrize(("kind", "where"), [(POISON, "parked"), (UNKNOWN, "rejected")])
def test_a_crash_that_must_be_set_aside_and_is_not_is_lost(kind, where):
    crash = Submitted("a", kind)

    assert report([crash], {}, **{where: ("a",)}).is_clean
    assert report([crash], {}).lost == [crash]


@pytest.mark.parametrize("where", ["parked", "rejected"])
def test_a_healthy_crash_that_is_set_aside_is_wronged_even_if_it_is_saved_too(where):
    found = report([Submitted("a", HEALTHY)], {"a": GOOD}, **{where: ("a",)})

    assert found.wronged == {"a": f"{where}: a reason"}
    assert not found.is_clean


@pytest.mark.parametrize(
    ("processed", "is_spoilt"),
    [
        (GOOD, False),
        ({"success": True, "processor_notes": "fine"}, True),
        ({"success": False, "processor_notes": "stackwalk of x: died of signal 11 (Segmentation fault)"}, False),
        ({"success": False, "processor_notes": "there is no minidump"}, True),
    ],
)
def test_a_crash_without_a_stack_is_spoilt_unless_the_stackwalker_says_why(processed, is_spoilt):
    found = report([Submitted("a", HEALTHY)], {"a": processed})

    assert bool(found.tally.spoilt) == is_spoilt
    assert found.is_clean != is_spoilt
