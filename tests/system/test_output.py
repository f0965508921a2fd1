"""Standard output is a full disk, a pipe without a reader, or a terminal that knows only ASCII."""

import json
import os
import subprocess

import pytest

from tests.shared import SAMPLES
from tests.system.daemon import SOCORRO, Installation

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"

COMMANDS = [
    ["--help"],
    ["queue", "status"],
    ["queue", "status", "--json"],
    ["show", "--help"],
    ["show", "--help-config"],
]


def socorro(
    installation: Installation, *arguments: str, stdout: int, **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*SOCORRO, *arguments],
        cwd=installation.directory,
        env=installation.environment | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_full_disk_behind_standard_output_is_an_error_in_one_line(installation, arguments, unbuffered):
    full = os.open("/dev/full", os.O_WRONLY)
    done = socorro(installation, *arguments, stdout=full, PYTHONUNBUFFERED=unbuffered)
    os.close(full)
    assert done.returncode == 1
    assert done.stderr == "socorro: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_reader_that_has_gone_is_not_reported(installation, arguments, unbuffered):
    read, write = os.pipe()
    os.close(read)
    done = socorro(installation, *arguments, stdout=write, PYTHONUNBUFFERED=unbuffered)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""


def test_a_signature_is_printed_whatever_it_holds(installation, tmp_path):
    (tmp_path / "raw_crash.json").write_text(json.dumps({"AbortMessage": "Évil\x1b[31m"}))
    crash_id = installation.submit(DUMP, "--raw-crash", tmp_path / "raw_crash.json")
    done = socorro(installation, "process", crash_id, stdout=subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert done.stdout.startswith(f"{crash_id} Abort | \\xc9vil[31m | ")
    assert done.returncode == 0
