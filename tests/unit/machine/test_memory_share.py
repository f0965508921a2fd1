"""A walk may use a share of the memory of the machine, or of its container."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from socorro_processor.machine.memory_share import (
    LARGEST,
    SMALLEST,
    Read,
    available_memory,
    memory_share,
    read_file,
)

GB = 1 << 30


def machine(gigabytes: float, files: Mapping[str, str] | None = None) -> Read:
    """Return a reader of the system's files on a machine with this much memory."""
    there = {
        "/proc/meminfo": f"MemTotal: {int(gigabytes * 2**20):>14} kB\nMemFree:           1 kB\n",
        "/proc/self/cgroup": "0::/\n",
        **(files or {}),
    }

    def read(path: str) -> str:
        try:
            return there[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return read


CGROUP = "/sys/fs/cgroup"
UNLIMITED = "9223372036854771712\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 16),
        # A systemd service, version 2.
        ({"/proc/self/cgroup": "0::/system.slice/a.service\n"}, 16),
        (
            {
                "/proc/self/cgroup": "0::/system.slice/a.service\n",
                f"{CGROUP}/system.slice/a.service/memory.max": f"{2 * GB}\n",
                f"{CGROUP}/system.slice/memory.max": "max\n",
            },
            2,
        ),
        # The slice around it has less.
        (
            {
                "/proc/self/cgroup": "0::/system.slice/a.service\n",
                f"{CGROUP}/system.slice/a.service/memory.max": "max\n",
                f"{CGROUP}/system.slice/memory.max": f"{3 * GB}\n",
            },
            3,
        ),
        # Slowed down from there on.
        (
            {
                "/proc/self/cgroup": "0::/a.service\n",
                f"{CGROUP}/a.service/memory.max": f"{4 * GB}\n",
                f"{CGROUP}/a.service/memory.high": f"{GB}\n",
            },
            1,
        ),
        # A container, which sees its own group at the root.
        ({f"{CGROUP}/memory.max": f"{2 * GB}\n"}, 2),
        # Version 1: the path of the group outside the container, which does not exist within it.
        (
            {
                "/proc/self/cgroup": "9:name=systemd:/docker/1\n4:cpu,memory:/docker/1\n0::/\n",
                f"{CGROUP}/memory/memory.limit_in_bytes": f"{GB}\n",
            },
            1,
        ),
        (
            {
                "/proc/self/cgroup": "4:memory:/docker/1\n",
                f"{CGROUP}/memory/docker/1/memory.limit_in_bytes": f"{2 * GB}\n",
                f"{CGROUP}/memory/memory.limit_in_bytes": UNLIMITED,
            },
            2,
        ),
        ({"/proc/self/cgroup": "4:memory:/\n", f"{CGROUP}/memory/memory.limit_in_bytes": UNLIMITED}, 16),
    ],
)
def test_the_memory_is_the_machines_or_the_smallest_control_groups(files: dict[str, str], expected: int) -> None:
    assert available_memory(machine(16, files)) == expected * GB


def test_a_system_without_memory_information_leaves_the_largest_share() -> None:
    def read(path: str) -> str:
        raise PermissionError(path)

    share = memory_share(4, read=read)
    assert share.bytes == LARGEST
    assert not share.is_too_small
    assert "does not tell" in str(share)


@pytest.mark.parametrize(
    ("gigabytes", "walks", "megabytes"), [(16, 4, 3072), (64, 4, 4096), (2, 4, 384), (2, 1, 1536), (8, 16, 384)]
)
def test_all_walks_at_once_leave_a_quarter_of_the_memory(gigabytes: int, walks: int, megabytes: int) -> None:
    share = memory_share(walks, read=machine(gigabytes))
    assert share.bytes == megabytes << 20
    assert share.bytes * walks <= gigabytes * GB * 3 / 4
    assert not share.is_too_small


def test_no_share_is_so_small_that_sound_dumps_fail_and_raising_it_is_reported() -> None:
    share = memory_share(4, read=machine(1))
    assert share.bytes == SMALLEST
    assert share.is_too_small
    assert str(share) == "256 MB, of 1024 MB for 4 walks at once"


def test_this_machine_says_how_much_it_has() -> None:
    total = available_memory(machine(1, {"/proc/meminfo": read_file("/proc/meminfo")}))
    memory = available_memory()
    assert memory is not None
    assert total is not None
    assert 0 < memory <= total
