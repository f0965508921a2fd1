"""Others went well meanwhile, so it is this crash's fault."""

from socorro_processor.monitoring.blame_counter import OTHERS, BlameCounter


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += 1.0
        return self.now


def test_only_others_after_the_moment_count():
    clock = Clock()
    counter = BlameCounter(clock)
    counter.went_well(3)
    moment = clock.now
    counter.went_well()
    counter.went_well(2)
    assert counter.others_since(moment) == 3
    assert counter.others_since(clock.now) == 0


def test_as_many_as_a_judgement_needs_are_counted_however_many_there_were():
    counter = BlameCounter(Clock())
    counter.went_well(1_000_000)
    counter.went_well(7)
    assert counter.others_since(0.0) == OTHERS
