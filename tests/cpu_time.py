"""CPU time of a call, for tests of what must not grow with the square of its input."""

import gc
import time
from collections.abc import Callable


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the seconds that this thread was busy with the call.

    Garbage collection waits: in a process with all tests in its memory one takes half a second, whoever causes it.
    """
    gc.disable()
    try:
        begun = time.thread_time()
        call()
        return time.thread_time() - begun
    finally:
        gc.enable()
