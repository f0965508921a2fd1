"""A bound on each wait of many."""

import asyncio
import time

import pytest

from socorro_processor.web.http.gap_timer import GapTimer


def test_waits_that_are_short_enough_go_on_for_longer_than_the_bound():
    async def waits():
        gap = GapTimer(0.3)
        begun = time.monotonic()
        for _ in range(8):
            with gap:
                await asyncio.sleep(0.1)
        gap.close()
        return time.monotonic() - begun

    assert asyncio.run(waits()) > 0.6


def test_a_wait_that_is_too_long_ends_with_an_error_and_the_task_goes_on():
    async def wait():
        gap = GapTimer(0.1)
        begun = time.monotonic()
        with gap:
            await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError), gap:
            await asyncio.sleep(30)
        gap.close()
        await asyncio.sleep(0.2)
        return time.monotonic() - begun

    assert asyncio.run(wait()) < 10


def test_time_between_two_waits_does_not_count():
    async def wait():
        gap = GapTimer(0.2)
        for _ in range(3):
            with gap:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
        gap.close()

    asyncio.run(wait())


def test_a_task_that_others_cancel_is_cancelled():
    async def wait():
        gap = GapTimer(30)
        with gap:
            await asyncio.sleep(30)

    async def cancel():
        task = asyncio.create_task(wait())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
