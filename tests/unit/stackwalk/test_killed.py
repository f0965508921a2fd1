import signal
from typing import Any

import pytest

from socorro_processor.machine.bounded_program import Limits, Outcome
from socorro_processor.stackwalk.killed import Kills, killed_by_another

LIMITS = Limits(timeout=30, cpu=20)


def outcome(return_code: int, **values: Any) -> Outcome:
    fields: dict[str, Any] = {
        "output": b"",
        "return_code": return_code,
        "timed_out": False,
        "output_too_large": False,
        "memory_too_large": False,
        "stderr": "",
        "wall_seconds": 1.0,
        "cpu_seconds": 1.0,
        "peak_memory": None,
    }
    return Outcome(**(fields | values))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_signals_of_the_service_and_the_kernel_kill_a_walk_even_within_a_sandbox(number: int) -> None:
    assert killed_by_another(outcome(-number), LIMITS)
    assert killed_by_another(outcome(128 + number), LIMITS)


@pytest.mark.parametrize(
    "number",
    [signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGXCPU, signal.SIGXFSZ],
)
def test_a_walk_that_dies_on_its_own_is_the_dumps_fault(number: int) -> None:
    assert not killed_by_another(outcome(-number), LIMITS)
    assert not killed_by_another(outcome(128 + number), LIMITS)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 15, 101, 124, 255])
def test_an_exit_code_is_not_a_signal(code: int) -> None:
    assert not killed_by_another(outcome(code), LIMITS)


@pytest.mark.parametrize("limit", ["timed_out", "output_too_large", "memory_too_large"])
@pytest.mark.parametrize("code", [-signal.SIGKILL, 128 + signal.SIGKILL])
def test_a_kill_of_our_own_is_the_dumps_fault(code: int, limit: str) -> None:
    assert not killed_by_another(outcome(code, **{limit: True}), LIMITS)


@pytest.mark.parametrize("code", [-signal.SIGKILL, 128 + signal.SIGKILL])
def test_a_kill_for_exceeded_limits_is_the_dumps_fault(code: int) -> None:
    assert not killed_by_another(outcome(code, cpu_seconds=21.0), LIMITS)
    assert not killed_by_another(outcome(code, cpu_seconds=18.5), LIMITS)
    assert not killed_by_another(outcome(code, wall_seconds=30.01), LIMITS)


def test_a_stopped_service_counts_even_for_a_long_walk() -> None:
    assert killed_by_another(outcome(-signal.SIGTERM, cpu_seconds=19.9, wall_seconds=29.9), LIMITS)


# Hostile dumps


def others_end(kills: Kills, number: int) -> None:
    for _ in range(number):
        kills.ended()


def test_a_crash_that_is_the_only_one_whose_walks_are_killed_is_at_fault_in_the_end() -> None:
    kills = Kills()
    assert not kills.is_own_fault("hostile")
    others_end(kills, 20)
    assert not kills.is_own_fault("hostile")
    assert kills.is_own_fault("hostile")


def test_while_walks_of_others_do_not_end_either_the_machine_is_at_fault() -> None:
    kills = Kills()
    for _ in range(10):
        others_end(kills, 1)
        for crash_id in ("one", "another"):
            assert not kills.is_own_fault(crash_id)


def test_walks_that_ended_before_do_not_count() -> None:
    kills = Kills()
    others_end(kills, 1000)
    assert not any(kills.is_own_fault("unlucky") for _ in range(10))


def test_once_a_crash_was_blamed_counting_starts_again() -> None:
    kills = Kills()
    kills.is_own_fault("hostile")
    others_end(kills, 20)
    assert [kills.is_own_fault("hostile") for _ in range(3)] == [False, True, False]


def test_the_memory_of_killed_walks_is_bounded() -> None:
    kills = Kills()
    kills.is_own_fault("first")
    for number in range(1000):
        kills.is_own_fault(str(number))
    others_end(kills, 20)
    assert [kills.is_own_fault("first") for _ in range(2)] == [False, False]
    assert kills.is_own_fault("999") is False
    assert kills.is_own_fault("999") is True
