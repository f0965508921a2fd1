import itertools

import pytest

from tests.chaos.embedded import EmbeddedSite
from tests.chaos.faults import Fault
from tests.chaos.lanes import of_processors
from tests.chaos.plan import Lane, Planned, make_plan
from tests.chaos.production import ProductionSite

SECONDS = 600.0


class Flood(Fault):
    name = "flood"
    lasts = (1.0, 9.0)


class Lightning(Fault):
    name = "lightning"


WEATHER = Lane("weather", 10.0, (Flood(), Lightning()))


def plan_of(lane: str, planned: list[Planned]) -> list[str]:
    return [str(each) for each in planned if each.lane == lane]


def test_the_same_seed_makes_the_same_plan_and_another_seed_another():
    first, again, other = (list(map(str, make_plan(EmbeddedSite.lanes_with(2), SECONDS, seed))) for seed in (7, 7, 8))

    assert first == again
    assert first != other


def test_a_lane_that_is_added_leaves_the_others_as_they_were():
    added = Lane("more weather", 3.0, (Flood(),))

    assert plan_of("weather", make_plan((added, WEATHER), SECONDS, 7)) == plan_of(
        "weather", make_plan((WEATHER,), SECONDS, 7)
    )


def test_faults_of_one_lane_do_not_overlap_and_none_outlasts_the_run():
    planned = make_plan((WEATHER,), SECONDS, 7)

    assert all(one.ends <= next_one.begins for one, next_one in itertools.pairwise(planned))
    assert all(each.begins <= each.ends <= SECONDS for each in planned)


def test_faults_are_as_far_apart_as_the_lane_says_and_last_as_long_as_they_say():
    planned = make_plan((WEATHER,), 60 * SECONDS, 7)
    gaps = [next_one.begins - one.ends for one, next_one in itertools.pairwise(planned)]

    assert sum(gaps) / len(gaps) == pytest.approx(10.0, rel=0.05)
    for each in planned[:-1]:
        shortest, longest = each.fault.lasts
        assert shortest <= each.ends - each.begins <= longest


def test_each_fault_of_a_lane_comes_once_before_any_comes_again():
    names = [each.fault.name for each in make_plan((WEATHER,), SECONDS, 7)]

    assert all({*pair} == {"flood", "lightning"} for pair in zip(names[::2], names[1::2], strict=False))


@pytest.mark.parametrize("site", [EmbeddedSite, ProductionSite])
def test_ten_minutes_have_every_fault_in_them(site):
    planned = {(each.lane, each.fault.name) for each in make_plan(site.lanes_with(2), SECONDS, 7)}

    assert planned == {(lane.name, fault.name) for lane in site.lanes_with(2) for fault in lane.faults}


def test_each_of_eight_processors_is_spared_longer_so_that_not_four_times_as_much_befalls_the_machine():
    def befalling(number: int) -> int:
        lanes = of_processors([f"processor {each}" for each in range(number)])
        return len(make_plan(lanes, 10 * SECONDS, 7))

    assert befalling(2) <= befalling(8) < 2 * befalling(2)
