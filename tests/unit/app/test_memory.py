"""What glibc's malloc, and Python's search for garbage, are told."""

import os
import subprocess
import sys

PROGRAM = """
import ctypes, threading
from socorro_processor.app.memory import keep_memory_flat

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


GARBAGE = """
import gc, weakref
from socorro_processor.app.memory import look_for_garbage_seldom

class Node:
    pass

def ring():
    node = Node()
    node.itself = node
    return weakref.ref(node)

looks = []
look_for_garbage_seldom()
gc.callbacks.append(lambda phase, _: looks.append(phase))
crash = [{"frame": number} for number in range(20_000)]
seldom = not looks
rings = [ring() for _ in range(200_000)]
print(seldom, sum(each() is not None for each in rings) < 100_000)
"""


def arenas(**environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return done.stdout.count("<heap nr=")


def test_all_threads_share_one_arena_unless_the_operator_says_how_many_there_are():
    assert arenas() == 1
    assert arenas(MALLOC_ARENA_MAX="3") == 3


def test_garbage_is_looked_for_seldom_and_found():
    done = subprocess.run([sys.executable, "-c", GARBAGE], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
