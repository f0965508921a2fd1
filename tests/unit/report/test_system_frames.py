"""Frames of systems and standard libraries are told from those of a program by their names."""

from __future__ import annotations

import pytest

from socorro_processor.report.system_frames import is_of_system
from socorro_processor.report.walked_dump import Frame


def is_system(module: str = "lightbox", function: str = "f", path: str = "") -> bool:
    return is_of_system(Frame(0, "cfi", function, "", module, "", path, "1"))


@pytest.mark.parametrize(
    "module",
    [
        *("libc.so.6", "libc-2.23.so", "ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1", "linux-vdso.so.1"),
        *("libstdc++.so.6", "libpthread.so.0", "libglib-2.0.so.0", "libX11.so.6"),
        *("libart.so", "app_process64", "boot-framework.oat", "libc.so"),
        *(
            "ntdll.dll",
            "NTDLL.DLL",
            "kernelbase.dll",
            "win32u.dll",
            "ucrtbase.dll",
            "vcruntime140_1.dll",
            "wow64cpu.dll",
        ),
        *("libsystem_kernel.dylib", "libdyld.dylib", "dyld", "CoreFoundation", "libc++abi.1.dylib"),
    ],
)
def test_a_module_of_a_system(module: str) -> None:
    assert is_system(module)


@pytest.mark.parametrize(
    "path",
    [
        "/rustc/fdca237d5194bf8a1c9b437ebd2114d1c2ba6195/library/core/src/ptr/mod.rs",
        "git:github.com/rust-lang/rust:library/std/src/thread/mod.rs:7e",
        "/usr/include/c++/12/bits/stl_vector.h",
        "f:\\dd\\vctools\\crt\\crtw32\\startup\\crt0.c",
        "./nptl/pthread_create.c",
    ],
)
def test_a_source_of_a_standard_library(path: str) -> None:
    assert is_system(path=path)


@pytest.mark.parametrize(
    "function",
    [
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "core::ops::function::FnOnce::call_once{{vtable.shim}}",
        "<std::sys::thread::unix::Thread>::new::thread_start",
        "__libc_start_main",
        "__tmainCRTStartup",
        "BaseThreadInitThunk",
    ],
)
def test_a_function_of_a_standard_library_that_is_linked_in(function: str) -> None:
    assert is_system(function=function)


@pytest.mark.parametrize(
    "module", ["lightbox", "liblightbox_photos.so", "xul.dll", "XUL", "libcodec.so", "mylibc.so.6", ""]
)
def test_a_module_of_a_program(module: str) -> None:
    assert not is_system(module)


@pytest.mark.parametrize("function", ["core::decode", "main", "start", "standard::f", "lightbox::std::f"])
def test_a_function_of_a_program(function: str) -> None:
    assert not is_system(function=function)


def test_a_very_long_name_takes_no_time() -> None:
    assert not is_system("lib" + "a." * 10**6, "<" * 10**6, "/a" * 10**6)
