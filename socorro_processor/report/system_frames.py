"""Tell frames of the operating system and of a language's own library from those of a program.

Below the function that crashed there are often dozens of them, such as the loop that waits for events, and they say
little. A name is all that there is to go by: a dump has no record of who made a module.
"""

from __future__ import annotations

import re

from socorro_processor.kernel_modules import PATTERN as KERNEL_MODULES
from socorro_processor.report.walked_dump import Frame

_LINUX = (
    KERNEL_MODULES,
    r"ld-(?:linux.*|musl.*|[\d.]+)\.so.*",
    r"lib(?:c|m|dl|rt|pthread|util|resolv|nss_\w+)(?:-[\d.]+)?\.so.*",
    r"lib(?:stdc\+\+|gcc_s|c\+\+|c\+\+abi|unwind)\.so.*",
    r"lib(?:glib|gobject|gio|gmodule|gthread)-2\.0\.so.*",
    r"lib(?:X11|xcb|wayland-client|wayland-server|event|dbus-1|systemd|pulse)\b.*\.so.*",
)
_ANDROID = (
    r"app_process(?:32|64)?",
    r"linker(?:64)?",
    r"boot(?:-[\w-]+)?\.(?:oat|art)",
    r"lib(?:art|artbase|android_runtime|binder|utils|hwui|gui|input|nativehelper|log|looper)\.so",
    r"lib(?:javacore|openjdk|dvm)\.so",
)
_WINDOWS = (
    r"(?:ntdll|kernel32|kernelbase|win32u|user32|gdi32|gdi32full|advapi32|sechost|rpcrt4|combase|ole32|oleaut32)\.dll",
    r"(?:shell32|shlwapi|shcore|ws2_32|mswsock|imm32|msctf|uxtheme|comctl32|crypt32|bcrypt|bcryptprimitives)\.dll",
    r"(?:ucrtbase|msvcrt|msvcp_win|msvcp\d+\w*|vcruntime\d+\w*|concrt\d+)d?\.dll",
    r"wow64\w*\.dll",
)
_MACOS = (
    r"libsystem_\w+\.dylib|libSystem\.B\.dylib",
    r"dyld|libdyld\.dylib|libdispatch\.dylib|libobjc\.A\.dylib|libxpc\.dylib|libc\+\+(?:abi)?\.1\.dylib",
    r"CoreFoundation|Foundation|AppKit|HIToolbox|UIKit|UIKitCore|GraphicsServices|QuartzCore|ViewBridge|CFNetwork",
)
_MODULE = re.compile("|".join((*_LINUX, *_ANDROID, *_WINDOWS, *_MACOS)), re.IGNORECASE)

_SOURCE = re.compile(
    r"/rustc/[0-9a-f]+/.*|library/(?:std|core|alloc)/src/.*"
    r"|git:github\.com/rust-lang/rust:.*"
    r"|/usr/include/c\+\+/.*|.*/bits/(?:std_|stl_)\w+\.h"
    r"|.*[/\\]vctools[/\\]crt.*|.*[/\\]crt[/\\]src[/\\].*|minkernel[/\\].*"
    r"|/usr/src/debug/glibc.*|\./?(?:nptl|csu|sysdeps|signal|stdlib|misc|io)/.*",
    re.IGNORECASE,
)
"""The sources of standard libraries, whose functions are often inlined into a program."""
_FUNCTION = re.compile(
    r"<?(?:std|__gnu_cxx)::.*"
    r"|core::(?:ops::function|panicking|option|result)::.*|alloc::boxed::.*|<.{1,200} as core::ops::function::Fn.*"
    r"|__rust_\w+|rust_begin_unwind|rust_panic|set_alt_signal_stack_and_start"
    r"|__libc_start_\w+|__tmainCRTStartup|__scrt_common_main\w*|(?:w?Win)?[mM]ainCRTStartup|BaseThreadInitThunk",
)
"""The functions of standard libraries that are linked into a program, whose sources are not always named."""
_LONGEST_NAME = 300  # characters that are looked at


def is_of_system(frame: Frame) -> bool:
    """Return True for a frame of the operating system or a language's own library, as far as names tell."""
    parts = ((_MODULE, frame.module), (_SOURCE, frame.path), (_FUNCTION, frame.function))
    return any(pattern.fullmatch(text[:_LONGEST_NAME]) for pattern, text in parts)
