"""A kernel without the features of the own stackwalker's sandbox, for one child and all that it starts."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Callable

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LANDLOCK_CREATE_RULESET = 444
_SECCOMP = {"x86_64": 317, "aarch64": 277}


def landlock_version() -> int:
    """Return the ABI of this kernel's Landlock; -1 if it has none."""
    return int(ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1))


def has_landlock() -> bool:
    return landlock_version() > 0


def kernel_without(*calls: int, error: int = errno.ENOSYS) -> Callable[[], None]:
    """Hide these system calls from a child, as a kernel without them."""
    load_number, is_equal, end = 0x20, 0x15, 0x06
    allow, fail = 0x7FFF0000, 0x00050000 | error
    steps = [(load_number, 0, 0, 0)]
    for call in calls:
        steps += [(is_equal, 0, 1, call), (end, 0, 0, fail)]
    steps.append((end, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("<H6xQ", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install() -> None:
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0
        ):
            raise OSError(ctypes.get_errno(), "no seccomp")

    install.code = code  # type: ignore[attr-defined]  # it lives as long as what points to it
    return install


def without_seccomp(error: int = errno.EINVAL) -> Callable[[], None]:
    return kernel_without(_SECCOMP[platform.machine()], error=error)


def without_landlock(error: int = errno.ENOSYS) -> Callable[[], None]:
    return kernel_without(_LANDLOCK_CREATE_RULESET, error=error)
