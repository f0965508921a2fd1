"""The sandbox of docs/security.rst, as it stands there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shared import SAMPLES, require, stackwalker
from tests.system.daemon import Daemon, Installation, eventually
from tests.system.test_docs import write_examples

SAMPLE = SAMPLES / "segfault"

PEEPING_WALKER = """#!/bin/sh
test "$1" = --version && exit 1  # it is asked that without a dump, and without the sandbox
for file in {files}; do grep -qs hunter2 "$file" && echo SEEN >&2; done
for process in /proc/[0-9]*; do
    test "$(cat $process/cmdline 2>/dev/null | grep -c socorro_processor)" != 0 && echo SEEN >&2
done
test "$(grep -c : /proc/net/dev)" -le 1 || echo SEEN >&2
echo written 2>/dev/null >{written}
for dump; do :; done
test -s "$dump" && echo '{{"status": "OK"}}'
"""


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[Installation]:
    """An installation with a sandbox; its files are in a place that the sandbox does not hide."""
    usable = (
        shutil.which("bwrap") is not None
        and not subprocess.run(
            ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], check=False, capture_output=True
        ).returncode
    )
    require(usable, "no bubblewrap that can be used: bin/services install")
    write_examples("security", tmp_path)
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    (sandbox,) = re.findall(r"sandbox = '''(.*)'''", (tmp_path / "sandbox.ini").read_text(), re.DOTALL)
    installation = Installation(tmp_path, symbols=tmp_path / "symbols")
    installation.walker(sandbox=" ".join(sandbox.split()), command_pathname=str(stackwalker().resolve()))
    yield installation
    installation.close()


def processed(installation: Installation, daemon: Daemon) -> dict[str, Any]:
    """Let this daemon process the sample."""
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")
    daemon.wait_for_log(f"{crash_id} saved")
    return installation.show(crash_id)


def test_the_page_about_security_shows_a_usable_configuration(installation, tmp_path):
    write_examples("security", tmp_path)
    done = installation.socorro("processor", "--admin.conf=sandbox.ini", "--admin.print_conf=ini")
    assert done.returncode == 0, done.stderr
    assert "{dump_file_pathname} --" in done.stdout


def test_in_the_sandbox_a_crash_is_processed_as_without_it_with_indexes_and_before_there_are_any(
    sandboxed, installation
):
    installation.walker(symbols_path=str(SAMPLES / "symbols"))
    daemon = sandboxed.start()
    results = [processed(sandboxed, daemon)]
    eventually(lambda: daemon.log.count("indexed ") == 2)
    results.append(processed(sandboxed, daemon))
    assert daemon.stop() == 0
    assert results[1]["signature"].startswith("lightbox::exif::Directory::find")
    used = [result["json_dump"]["socorro_stackwalk"]["symbols"].values() for result in results]
    assert [{use["used"] for use in uses} for uses in used] == [{"whole"}, {"index"}]
    expected = processed(installation, installation.start())
    for part in ("crash_info", "crashing_thread", "threads", "modules"):
        assert [result["json_dump"][part] for result in results] == 2 * [expected["json_dump"][part]]


def test_a_stackwalker_that_was_taken_over_sees_nothing_but_its_dump_and_the_symbols(sandboxed, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    walker = tmp_path / "walker"
    files = f"{secret} /proc/[0-9]*/environ"
    walker.write_text(PEEPING_WALKER.format(files=files, written=tmp_path / "written"))
    walker.chmod(0o755)
    sandboxed.walker(command_pathname=str(walker))
    sandboxed.environment["PASSWORD"] = "hunter2"
    crash_id = sandboxed.submit(SAMPLE / "upload_file_minidump.dmp")
    daemon = sandboxed.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert sandboxed.show(crash_id)["json_dump"] == {"status": "OK"}
    assert "SEEN" not in daemon.log
    assert not (tmp_path / "written").exists()

    # Without the sandbox, the hostile walker succeeds.
    sandboxed.walker(sandbox="")
    daemon = sandboxed.start()
    assert sandboxed.socorro("reprocess", crash_id).returncode == 0
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0
    assert "SEEN" in daemon.log
    assert (tmp_path / "written").exists()
