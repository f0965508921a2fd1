"""Settings of glibc's malloc."""

import os
import subprocess
import sys

PROGRAM = """
import ctypes, threading
from socorro_processor.machine.malloc import keep_memory_flat

keep_memory_flat()
at_once = threading.Barrier(8)

def allocate():
    block = bytes(100_000)
    at_once.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def arenas(**environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return done.stdout.count("<heap nr=")


def test_all_threads_share_one_arena_unless_the_operator_sets_their_number():
    assert arenas() == 1
    assert arenas(MALLOC_ARENA_MAX="3") == 3
