"""Others succeeded meanwhile, so it is this crash's fault."""

from socorro_processor.monitoring.blame_counter import OTHERS, BlameCounter


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += 1.0
        return self.now


def test_only_later_successes_of_others_count():
    clock = Clock()
    counter = BlameCounter(clock)
    counter.note_success(3)
    moment = clock.now
    counter.note_success()
    counter.note_success(2)
    assert counter.others_since(moment) == 3
    assert counter.others_since(clock.now) == 0


def test_no_more_successes_are_counted_than_a_judgement_needs():
    counter = BlameCounter(Clock())
    counter.note_success(1_000_000)
    counter.note_success(7)
    assert counter.others_since(0.0) == OTHERS
