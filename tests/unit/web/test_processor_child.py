"""The processor beside the server: started again when it ends, and told and asked through pipes only it can read."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from socorro_processor.monitoring.health import Health
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.web.processor.processor_child import ProcessorChild

DEADLINE = 30.0

PROGRAM = """
import json, os, signal, socket, sys
sys.path.insert(0, {repository!r})
handed_over = json.load(os.fdopen(int(sys.argv[1]), "rb"))
address = "\\0" + handed_over["environment"]["NOTIFY_SOCKET"][1:]
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.send(text.encode())
def note(text):
    with open({log!r}, "a") as log:
        log.write(text + "\\n")
def measure(*line):
    os.write(int(sys.argv[2]), json.dumps(line).encode() + b"\\n")
note("began")
"""
WAIT = """
signal.signal(signal.SIGHUP, lambda *_: note("SIGHUP"))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
say("STATUS=ready; since the start 0 saved")
while os.read(0, 100): pass
note("ended")
"""


def wait_for(condition) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Run:
    def __init__(self, child: ProcessorChild, health: Health, log: Path) -> None:
        self.child = child
        self.health = health
        self._log = log

    @property
    def notes(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def wait_for_note(self, note: str, times: int = 1) -> None:
        wait_for(lambda: self.notes.count(note) >= times)

    def problem(self) -> str:
        return self.health.problems().get("processor", "")


@contextmanager
def running(directory: Path, program: str, *, options=(), environment=(), **more: float) -> Iterator[Run]:
    log, file = directory / "log", directory / "program.py"
    file.write_text(PROGRAM.format(repository=str(Path(__file__).parents[3]), log=str(log)) + program)
    health = Health()
    health.resolve("start")
    command = [sys.executable, str(file)]
    child = ProcessorChild(command, options, dict(environment), health, **{"first_delay": 0.05, **more})
    try:
        yield Run(child, health, log)
    finally:
        child.close(DEADLINE)


def test_it_is_ready_once_it_says_so(tmp_path):
    with running(tmp_path, WAIT) as run:
        wait_for(lambda: run.child.has_reported)
        assert run.problem() == ""


def test_what_it_lacks_is_a_problem_of_the_server(tmp_path):
    with running(tmp_path, 'say("STATUS=not ready: queue: is away")\n' + WAIT.replace("ready; since", "")) as run:
        wait_for(run.problem)
        assert run.problem() == "queue: is away"


def test_a_problem_that_has_passed_is_none(tmp_path):
    with running(tmp_path, 'say("STATUS=not ready: queue: is away")\n' + WAIT) as run:
        wait_for(lambda: run.child.has_reported)
        wait_for(lambda: run.problem() == "")


def test_it_is_started_again_when_it_ends_and_meanwhile_the_server_is_not_ready(tmp_path):
    before = METRICS.snapshot().counters.get(("web.processor_ended", ()), 0)
    with running(tmp_path, "sys.exit(70)", first_delay=0.05) as run:
        run.wait_for_note("began", 3)
        assert run.problem() == "has ended (70); crashes wait in the queue"
    assert METRICS.snapshot().counters["web.processor_ended", ()] >= before + 2


def test_each_restart_waits_twice_as_long(tmp_path, caplog):
    with running(tmp_path, "sys.exit(1)", first_delay=0.01) as run:
        run.wait_for_note("began", 4)
    delays = [record.args[1] for record in caplog.records if "is started again" in record.getMessage()]
    assert delays[:3] == [0.01, 0.02, 0.04]


def test_a_program_that_cannot_be_started_is_a_problem():
    health = Health()
    child = ProcessorChild(["/no/such/program"], (), {}, health, first_delay=0.01)
    wait_for(lambda: "could not be started" in health.problems().get("processor", ""))
    child.close(1)


def test_one_that_says_nothing_any_more_is_killed_and_started_again(tmp_path):
    with running(tmp_path, "signal.pause()", silence=0.3) as run:
        run.wait_for_note("began", 2)
        assert "said nothing for" in run.problem()


def test_it_gets_options_and_environment_but_nobody_sees_them(tmp_path):
    show = """
import pathlib
note(json.dumps([handed_over["options"], handed_over["environment"].get("AWS_SECRET")]))
note("visible" if "HUSH" in open("/proc/self/cmdline").read() + open("/proc/self/environ").read() else "hidden")
"""
    options, environment = ["--secrets.boto.secret_access_key=HUSH"], {"AWS_SECRET": "HUSH"}
    with running(tmp_path, show + WAIT, options=options, environment=environment) as run:
        wait_for(lambda: run.child.has_reported)
        assert json.loads(run.notes[1]) == [options, "HUSH"]
        assert run.notes[2] == "hidden"


def test_what_is_handed_over_may_be_larger_than_a_pipe(tmp_path):
    options = [f"--a.b={'x' * 1_000_000}"]
    with running(tmp_path, "note(str(len(handed_over['options'][0])))\n" + WAIT, options=options) as run:
        run.wait_for_note(str(len(options[0])))


def test_a_program_that_ends_before_it_has_read_all_is_started_again(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(f"open({str(tmp_path / 'log')!r}, 'a').write('began\\n')")
    health = Health()
    child = ProcessorChild([sys.executable, str(file)], ["x" * 1_000_000], {}, health, first_delay=0.01)
    wait_for(lambda: (tmp_path / "log").exists() and len((tmp_path / "log").read_text()) > 10)
    child.close(1)


def test_sighup_is_passed_on_even_to_one_that_has_just_started(tmp_path):
    with running(tmp_path, WAIT) as run:
        wait_for(lambda: run.child.pid is not None)
        run.child.reload()
        run.wait_for_note("SIGHUP")
        assert run.notes.count("began") == 1


def test_a_stop_tells_it_once_and_does_not_start_it_again(tmp_path):
    with running(tmp_path, WAIT) as run:
        wait_for(lambda: run.child.has_reported)
        run.child.stop()
        run.wait_for_note("ended")
        wait_for(lambda: run.child.pid is None)
        assert run.notes == ["began", "ended"]


def test_a_second_stop_ends_it_with_sigterm(tmp_path):
    waits = "signal.signal(signal.SIGTERM, lambda *_: (note('SIGTERM'), os._exit(1)))\n" + WAIT + "signal.pause()"
    with running(tmp_path, waits) as run:
        wait_for(lambda: run.child.has_reported)
        run.child.stop()
        run.wait_for_note("ended")
        assert "SIGTERM" not in run.notes
        run.child.stop()
        run.wait_for_note("SIGTERM")


def test_one_that_does_not_end_is_killed(tmp_path):
    with running(tmp_path, WAIT + "signal.pause()") as run:
        wait_for(lambda: run.child.has_reported)
        pid = run.child.pid
        run.child.close(0.1)
        assert not Path(f"/proc/{pid}").exists()


def test_its_metrics_are_those_of_the_server_but_for_readiness(tmp_path):
    key = ("crash.saved", (("queue", "of a test"),))
    lines = "measure('increment', 'crash.saved', 7, [['queue', 'of a test']]); measure('gauge', 'info', 5, [])\n"
    with running(tmp_path, lines + WAIT):
        wait_for(lambda: METRICS.snapshot().counters.get(key) == 7)
        assert ("info", ()) not in METRICS.snapshot().gauges


def test_a_stranger_who_knows_the_address_is_not_believed(tmp_path):
    other = """
if os.fork() == 0:
    say("STATUS=not ready: lies")
    os._exit(0)
os.wait()
"""
    with running(tmp_path, other + WAIT) as run:
        wait_for(lambda: run.child.has_reported)
        assert run.problem() == ""


def test_it_ends_when_the_server_is_killed(tmp_path):
    log = tmp_path / "log"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(repository="", log=str(log)) + WAIT)
    server = (
        "import sys, signal\n"
        "from socorro_processor.monitoring.health import Health\n"
        "from socorro_processor.web.processor.processor_child import ProcessorChild\n"
        f"child = ProcessorChild([sys.executable, {str(program)!r}], (), {{}}, Health())\n"
        "signal.pause()\n"
    )
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", server])
    wait_for(lambda: log.exists() and "began" in log.read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_for(lambda: "ended" in log.read_text())


@pytest.mark.parametrize("text", ["STATUS=\x1b[31mnot ready", "nonsense", "STATUS", "\xff"])
def test_odd_messages_change_nothing(tmp_path, text):
    with running(tmp_path, f"say({text!r})\n" + WAIT) as run:
        wait_for(lambda: run.child.has_reported)
        assert run.problem() == ""
