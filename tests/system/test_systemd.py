"""The units that `make install-systemd` installs, checked with systemd's own tools. No systemd is started."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from socorro_processor.app.service_manager import CLOSING_TIME
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.cli.cron import JOBS
from socorro_processor.symbol_cache import manager as lru_cache_manager
from tests.shared import REPOSITORY, require

MOST_EXPOSED = 2.0
"""Points out of 10, as ``systemd-analyze security`` counts."""
SERVICES = ("socorro-processor.service", "socorro-symbol-cache.service", "socorro-cron@partitions.service")


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the installed units, for an existing command."""
    require(shutil.which("systemd-analyze") is not None, "no systemd-analyze: the package systemd has it")
    destination = tmp_path_factory.mktemp("destination")
    subprocess.run([REPOSITORY / "bin" / "install-systemd", "/bin/true", destination], check=True, capture_output=True)
    return destination / "usr" / "local" / "lib" / "systemd" / "system"


def analyze(units: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_systemd_finds_nothing_wrong_with_any_unit(units):
    files = [*units.glob("*.service"), *units.glob("*.timer")]
    verified = analyze(units, "verify", "--man=no", *files)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    # And a user would find it.
    broken = units / "broken.service"
    broken.write_text("[Service]\nExecStart=/no/such/program\nNoSuchOption=yes\n")
    verified = analyze(units, "verify", "--man=no", broken)
    broken.unlink()
    assert "NoSuchOption" in verified.stderr


def test_a_reload_needs_no_program_but_a_shell(units):
    (line,) = re.findall(r"^ExecReload=(.*)$", (units / "socorro-processor.service").read_text(), re.MULTILINE)
    # Split a command line as systemd.service(5) says: words as in a shell, and $$ is a dollar sign.
    command = [word.replace("$$", "$") for word in shlex.split(line)]
    assert command[0] == "/bin/sh"
    waits = (
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP]); print(flush=True); "
        "print(signal.sigwait([signal.SIGHUP]).name)"
    )
    with subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        subprocess.run(command, env={"MAINPID": str(process.pid), "PATH": "/nowhere"}, check=True)
        assert process.stdout.read() == "SIGHUP\n"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_do_little_besides_its_work(units, service):
    done = analyze(units, "security", "--offline=yes", "--no-pager", units / service)
    exposure = re.search(rf"exposure level for {re.escape(service)}: ([0-9.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure[1]) <= MOST_EXPOSED, done.stdout


def test_each_job_has_a_timer(units):
    timers = {re.fullmatch(r"socorro-cron@(.*)\.timer", path.name)[1] for path in units.glob("*.timer")}
    assert {job.name for job in JOBS} == timers


def test_systemd_waits_for_as_long_as_a_stop_may_take(units):
    unit = (units / "socorro-processor.service").read_text()
    shutdown_timeout = TaskManager.get_required_config().shutdown_timeout.default
    assert int(re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)[1]) >= shutdown_timeout + CLOSING_TIME


def test_the_manager_of_the_symbol_cache_may_take_the_priority_that_it_asks_for(units):
    unit = (units / "socorro-symbol-cache.service").read_text()
    assert int(re.search(r"^LimitNICE=(-\d+)$", unit, re.MULTILINE)[1]) == lru_cache_manager._NICENESS


def test_a_command_that_systemd_cannot_start_is_refused(tmp_path):
    done = subprocess.run(
        [REPOSITORY / "bin" / "install-systemd", "bin/socorro", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "absolute path" in done.stderr
    assert list(tmp_path.iterdir()) == []
