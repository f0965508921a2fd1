"""Modules that the kernel maps into every process."""

from __future__ import annotations

import pytest

from socorro_processor.crashstorage.missed_symbols import MissedModule, most_missed
from socorro_processor.kernel_modules import is_of_kernel


@pytest.mark.parametrize(
    ("name", "of_kernel"),
    [
        *(
            (name, True)
            for name in ("linux-vdso.so.1", "linux-vdso64.so.1", "linux-gate.so.1", "linux-gate.so", "[vdso]")
        ),
        *(
            (name, False)
            for name in ("", "vdso", "liblinux-vdso.so.1", "linux-vdso", "[heap]", "linux-vdso.so.1\n" * 10**5)
        ),
    ],
)
def test_a_module_of_the_kernel_is_known_by_its_name(name: str, of_kernel: bool) -> None:
    assert is_of_kernel(name) is of_kernel


def test_symbols_that_nobody_has_are_not_among_those_that_crashes_missed() -> None:
    files = [MissedModule(name, "A" * 33, name, None) for name in ("linux-vdso.so.1", "libz.so.1")]
    assert [(file.debug_file, count) for file, count in most_missed([("id", files)])] == [("libz.so.1", 1)]
