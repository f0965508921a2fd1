"""docs/system-symbols.rst: a Debian debug package gives a frame of the C library its name and line."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.symbols.dump_syms import find_dump_syms
from tests.shared import REPOSITORY, require
from tests.system.walked_page import WalkedPage, blocks
from tests.unit.symbols.written_minidump import GUID, written

LIBRARY = Path("/lib/x86_64-linux-gnu/libc.so.6")
INSTALLED_BY = "`bin/services install` puts it in"

_AMD64 = 9
_BASE, _SIZE = 0x7F0000000000, 0x400000
_STACK = 0x7FFE00000000
_FULL_CONTEXT = 0x10001F


def readelf(*arguments: str) -> str:
    require(shutil.which("readelf") is not None, f"no readelf: {INSTALLED_BY}")
    return subprocess.run(["readelf", *arguments, LIBRARY], check=True, capture_output=True, text=True).stdout


def crash_in(function: str, build_id: str) -> bytes:
    """A minidump of a thread a few bytes into a function that the C library exports."""
    exported = re.search(rf" ([0-9a-f]{{16}}) .* {function}@@", readelf("--wide", "--dyn-syms"))
    assert exported
    address = _BASE + int(exported[1], 16) + 4
    context = bytearray(0x4D0)
    struct.pack_into("<I", context, 0x30, _FULL_CONTEXT)
    struct.pack_into("<Q", context, 0x98, _STACK)
    struct.pack_into("<Q", context, 0xF8, address)
    dump = written(
        _AMD64,
        modules=((_BASE, _SIZE),),
        names=(str(LIBRARY),),
        stack=bytes(4096),
        address=_STACK,
        context=bytes(context),
        exception_context=bytes(context),
        exception_address=address,
    )
    record = GUID[:15] + b"\0"
    assert dump.count(record) == 1
    return dump.replace(record, bytes.fromhex(build_id)[:16])


def require_dump_syms() -> None:
    try:
        find_dump_syms()
    except ProcessingEnvironmentError as error:
        require(False, f"no dump_syms: {error}")


def test_a_debug_package_of_debian_names_a_frame_of_the_c_library(clone: WalkedPage) -> None:
    require_dump_syms()
    (build_id,) = re.findall("Build ID: ([0-9a-f]+)", readelf("--notes"))
    debug_file = Path("/usr/lib/debug/.build-id", build_id[:2], f"{build_id[2:]}.debug")
    require(debug_file.exists(), f"no libc6-dbg of this C library: {INSTALLED_BY}")
    (clone.directory / "crash.dmp").write_bytes(crash_in("abort", build_id))
    clone.shell.run(". .venv/bin/activate")
    clone.shell.run("socorro submit crash.dmp")
    clone.shell.run("socorro process CRASH_ID")
    before = clone.shell.run("socorro show CRASH_ID")
    page = (REPOSITORY / "docs" / "system-symbols.rst").read_text()
    assert [block.kind for block in blocks(page)].count("commands") == 2
    debian = page.partition("\nDebian\n")[2].partition("\ndebuginfod\n")[0]

    clone.walk(debian)

    assert re.search(r"^  0 +context +libc\.so\.6@0x[0-9a-f]+ +no symbols +libc\.so\.6$", before, re.MULTILINE)
    after = clone.shell.run("socorro show CRASH_ID")
    assert re.search(r"^  0 +context +(__GI_)?abort +\S*abort\.c:\d+ +libc\.so\.6$", after, re.MULTILINE)
