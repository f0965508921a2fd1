"""Programs that misbehave, and that nothing of them is left."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.bounded_program import Limits, Outcome, UnusableProgramError, run, set_limits
from socorro_processor.machine.pipes import STDERR_LIMIT

ENVIRONMENT = {"PATH": os.environ["PATH"]}
A_MOMENT = 0.5
SOON = 5.0
"""Seconds: far more than the awaited events take, far less than the 60 s that the programs would."""

Program = Callable[..., str]


def run_briefly(*arguments: str, **limits: float) -> Outcome:
    return run(arguments, Limits(timeout=A_MOMENT, **limits), ENVIRONMENT)


def run_to_its_end(*arguments: str, **limits: int) -> Outcome:
    return run(arguments, Limits(timeout=30, **limits), ENVIRONMENT)


def assert_gone(pid: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(SOON * 1000), f"process {pid} is still running"
    os.close(pidfd)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# The environment of a program, and the facts about its end


def test_output_exit_code_and_stderr_are_returned(program: Program) -> None:
    outcome = run_to_its_end(program("echo out; echo err >&2; exit 3"))
    assert outcome.output == b"out\n"
    assert outcome.stderr == "err\n"
    assert outcome.return_code == 3
    assert not outcome.timed_out
    assert not outcome.output_too_large
    assert 0 < outcome.wall_seconds < SOON


def test_an_argument_stays_one_whatever_is_in_it(program: Program) -> None:
    strange = ["a b", "; rm -rf x", "$(id)", "'\"", "*", "", "\n", "ü"]
    outcome = run_to_its_end(program('for each; do printf "%s\\0" "$each"; done'), *strange)
    assert outcome.output.decode().split("\0")[:-1] == strange


def test_the_environment_is_what_was_given_and_nothing_else(program: Program) -> None:
    outcome = run([program("exec /usr/bin/env")], Limits(), {"A": "1"})
    assert {line.split("=")[0] for line in outcome.output.decode().split()} <= {"A", "PWD", "SHLVL", "_"}


def test_stdin_is_empty(program: Program) -> None:
    assert run_to_its_end("cat").output == b""


def test_a_program_has_a_session_of_its_own(program: Program) -> None:
    pid, session = run_to_its_end(program("echo $$; cut -d' ' -f6 /proc/$$/stat")).output.split()
    assert pid == session


def test_our_descriptors_are_not_inherited(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert b"secret" not in run_to_its_end("ls", "-l", "/proc/self/fd").output


def test_cpu_time_and_memory_are_those_of_the_program() -> None:
    script = "bytearray(b'x') * (400 << 20); sum(range(3_000_000))"
    outcome = run_to_its_end(sys.executable, "-c", script)
    assert 0.01 < outcome.cpu_seconds < SOON
    assert outcome.peak_memory is None or outcome.peak_memory > 400 << 20


def test_memory_below_that_of_the_processor_is_not_reported() -> None:
    assert run_to_its_end("true").peak_memory is None


def test_stderr_is_cut_to_its_end_and_harmless(program: Program) -> None:
    outcome = run_to_its_end(program(r"head -c 3000000 /dev/zero >&2; printf '\033[31m\377 last words\n' >&2"))
    assert outcome.stderr.endswith("\ufffd[31m\ufffd last words\n")
    assert len(outcome.stderr) <= STDERR_LIMIT
    assert outcome.output == b""


# Programs that do not end


def test_a_program_that_hangs_is_killed() -> None:
    outcome = run_briefly("sleep", "60")
    assert outcome.timed_out
    assert outcome.return_code == -signal.SIGKILL
    assert outcome.wall_seconds < SOON


def test_a_program_that_ignores_signals_is_killed(program: Program) -> None:
    outcome = run_briefly(program("trap '' TERM INT HUP XCPU; while :; do sleep 60; done"))
    assert outcome.timed_out
    assert outcome.wall_seconds < SOON


def test_a_grandchild_that_keeps_the_pipes_open_is_not_waited_for(program: Program) -> None:
    outcome = run_to_its_end(program("sleep 60 & echo $!"))
    assert not outcome.timed_out
    assert outcome.wall_seconds < SOON
    assert_gone(int(outcome.output))


def test_a_grandchild_that_hangs_is_killed_with_its_parent(program: Program) -> None:
    outcome = run_briefly(program("sleep 60 & echo $!; wait"))
    assert outcome.timed_out
    assert_gone(int(outcome.output))


def test_a_grandchild_in_a_session_of_its_own_is_killed_with_its_parent(program: Program) -> None:
    outcome = run_briefly(program("setsid sh -c 'echo $$; exec sleep 60' & wait"))
    assert outcome.timed_out
    assert_gone(int(outcome.output))


def test_many_processes_are_all_killed(program: Program) -> None:
    outcome = run_briefly(program("for i in $(seq 40); do (sleep 60 & echo $!; wait) & echo $!; done; wait"))
    pids = outcome.output.split()
    assert len(pids) > 2
    for pid in pids:
        assert_gone(int(pid))


def test_a_program_that_closes_its_output_is_waited_for(program: Program) -> None:
    outcome = run_to_its_end(
        program("echo out; exec >&- 2>&-; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3")
    )
    assert outcome.output == b"out\n"
    assert outcome.return_code == 3


def test_nothing_runs_on_when_the_processor_is_interrupted(program: Program, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hanging = program(f"sleep 60 & echo $$ $! > {fifo}; wait")
    script = f"from socorro_processor.machine.bounded_program import *; run([{hanging!r}], Limits(), {ENVIRONMENT!r})"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as processor:
        pids = fifo.read_text().split()
        processor.send_signal(signal.SIGINT)
        _, stderr = processor.communicate(timeout=SOON)
    assert b"KeyboardInterrupt" in stderr
    for pid in pids:
        assert_gone(int(pid))


def test_programs_end_with_the_processor_and_count_against_no_crash(program: Program, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    said = ended_processor(
        program(f"sleep 60 & echo $$ $! > {fifo}; wait"),
        f"""
        with ThreadPoolExecutor(1) as threads:
            walk = threads.submit(attempt)
            pids = open({str(fifo)!r}).read()
            kill_all()
            print(walk.result())
            print(pids)
        """,
    )
    assert "was killed because the processor ends" in said[0]
    for pid in said[1].split():
        assert_gone(int(pid))


def test_after_the_end_of_the_processor_no_program_is_started(program: Program, tmp_path: Path) -> None:
    said = ended_processor(program(f"touch {tmp_path}/ran"), "print(attempt()); kill_all(); print(attempt())")
    assert said[0] == "ran"
    assert "was not started because the processor ends" in said[1]


def test_a_program_that_is_being_started_at_the_end_of_the_processor_ends_too(program: Program) -> None:
    said = ended_processor(
        program("sleep 60"),
        """
        import subprocess
        class StartedAtTheEnd(subprocess.Popen):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                kill_all()
                print(self.pid)
        subprocess.Popen = StartedAtTheEnd
        print(attempt())
        """,
    )
    assert_gone(int(said[0]))
    assert "was killed because the processor ends" in said[1]


def ended_processor(walker: str, script: str) -> list[str]:
    """Return the output of another process that runs ``walker`` (``attempt``) and ends: no other test's process may."""
    preamble = f"""
        from concurrent.futures import ThreadPoolExecutor
        from socorro_processor.errors import ProcessingEnvironmentError
        from socorro_processor.machine import bounded_program as command
        from socorro_processor.machine.bounded_program import Limits, kill_all, run

        def attempt():
            try:
                run([{walker!r}], Limits(timeout=30), {ENVIRONMENT!r})
                return "ran"
            except ProcessingEnvironmentError as error:
                return error
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(preamble) + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        timeout=SOON + 25,
    )
    return done.stdout.splitlines()


# Programs that ask


class Waiting:
    """Questions that wait for answers for ever, from the start."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._started = time.monotonic()

    @property
    def descriptor(self) -> int:
        return self._theirs.fileno()

    def waited(self) -> float:
        return time.monotonic() - self._started

    def handed_over(self) -> None:
        self._theirs.close()

    def close(self) -> None:
        self.ours.close()
        self._theirs.close()


@pytest.fixture
def waiting() -> Iterator[Callable[[float], Waiting]]:
    made: list[Waiting] = []

    def make(patience: float) -> Waiting:
        made.append(Waiting(patience))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_only_the_program_has_the_socket_of_its_questions(program: Program, waiting) -> None:
    questions = waiting(0.0)
    asks = program('printf "of $1" >&"$1"', interpreter="#!/bin/bash\n")
    number = questions.descriptor
    assert run([asks, str(number)], Limits(timeout=30), ENVIRONMENT, questions=questions).return_code == 0
    assert questions.ours.recv(100) == b"of %d" % number
    assert questions.ours.recv(100) == b"", "someone else holds the other end"


def test_the_time_in_which_its_questions_wait_does_not_count_towards_its_timeout(program: Program, waiting) -> None:
    asks = program("sleep 0.3; echo out")
    outcome = run([asks], Limits(timeout=0.1), ENVIRONMENT, questions=waiting(60.0))
    assert not outcome.timed_out
    assert outcome.output == b"out\n"


def test_questions_that_wait_for_too_long_extend_no_timeout(waiting) -> None:
    outcome = run(["sleep", "60"], Limits(timeout=A_MOMENT), ENVIRONMENT, questions=waiting(A_MOMENT))
    assert outcome.timed_out
    assert 2 * A_MOMENT <= outcome.wall_seconds < SOON


def test_a_program_that_cannot_be_started_leaves_its_socket_to_the_caller(waiting) -> None:
    questions = waiting(0.0)
    with pytest.raises(UnusableProgramError):
        run(["/nothing"], Limits(), ENVIRONMENT, questions=questions)
    assert questions.descriptor >= 0


# Programs that take too much


def test_a_program_that_prints_without_end_is_killed_and_memory_stays_bounded() -> None:
    limit = 4 << 20
    tracemalloc.start()
    try:
        outcome = run_to_its_end("head", "-c", "2000000000", "/dev/zero", output=limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcome.output_too_large
    assert not outcome.timed_out
    assert outcome.wall_seconds < SOON
    assert peak < 4 * limit


def test_output_of_just_the_limit_is_not_too_large() -> None:
    outcome = run_to_its_end("head", "-c", "100000", "/dev/zero", output=100_000)
    assert not outcome.output_too_large
    assert len(outcome.output) == 100_000


def test_a_program_that_wants_too_much_memory_does_not_get_it() -> None:
    outcome = run_to_its_end(sys.executable, "-c", "bytearray(1 << 30); print('all')", memory=512 << 20)
    # On a busy machine it may have allocated its memory before the limit was set; then it is killed.
    assert "MemoryError" in outcome.stderr or outcome.return_code == -signal.SIGKILL
    assert outcome.output == b""


def test_a_program_that_took_too_much_before_the_limit_was_set_is_killed() -> None:
    script = "taken = bytearray(1 << 28); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:
        process.stdout.readline()
        assert not set_limits(process.pid, Limits(memory=1 << 27))
        assert process.wait(SOON) == -signal.SIGKILL


def test_a_program_that_burns_cpu_is_stopped(program: Program) -> None:
    outcome = run_to_its_end(program("while :; do :; done"), cpu=1)
    assert outcome.return_code == -signal.SIGXCPU
    # The limit goes by clock ticks. Each is charged to whoever runs at that moment; on a busy machine, that may be
    # a program that has run for only a part of the tick.
    assert outcome.cpu_seconds > 0.5


def once(limit: str, value: object) -> str:
    """Shell commands that wait for a limit: at first a program may be faster than us."""
    return f"while [ $(ulimit {limit}) != {value} ]; do :; done"


def test_a_program_cannot_write_without_end(program: Program, tmp_path: Path) -> None:
    writes = f"{once('-f', 2000)}; head -c 3000000 /dev/zero > {tmp_path}/written"
    run_to_its_end(program(writes), file_size=2000 * 512)
    assert (tmp_path / "written").stat().st_size == 2000 * 512


def test_limits_hold_even_for_a_child_started_before_they_were_set(program: Program) -> None:
    show = f"{once('-n', 99)}; echo $(ulimit -c) $(ulimit -v) $(ulimit -n) $(ulimit -t)"
    outcome = run_to_its_end(program(f"sh -c '{show}' & {show}; wait"), memory=1 << 30, open_files=99, cpu=30)
    assert outcome.output == b"0 1048576 99 30\n" * 2


def test_a_limit_of_our_own_is_not_raised(program: Program) -> None:
    own = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    script = f"{once('-f', 2000)}; {once('-n', own)}; ulimit -n"
    assert run_to_its_end(program(script), open_files=own + 1, file_size=2000 * 512).output == f"{own}\n".encode()


def test_a_program_runs_at_a_low_priority(program: Program) -> None:
    niceness = max(os.nice(0), 7)
    wait = f"while [ $(nice) != {niceness} ]; do :; done; nice"
    assert run_to_its_end(program(wait), niceness=7).output == f"{niceness}\n".encode()


# Programs that die, and those that cannot be run


def test_the_signal_that_a_program_dies_of_is_named(program: Program) -> None:
    outcome = run_to_its_end(program("echo half; kill -SEGV $$"))
    assert outcome.return_code == -signal.SIGSEGV
    assert outcome.output == b"half\n"


def test_a_missing_program_is_not_the_crashs_fault(tmp_path: Path) -> None:
    with pytest.raises(UnusableProgramError, match=r"cannot start .*nothing"):
        run_briefly(str(tmp_path / "nothing"))


def test_a_program_is_looked_for_on_the_path_that_it_is_given() -> None:
    with pytest.raises(UnusableProgramError, match="cannot start true"):
        run(["true"], Limits(), {"PATH": "/nowhere"})


@pytest.mark.parametrize(
    ("interpreter", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("no program\n", 0o755, "Exec format error"),
        ("#!/no/interpreter\n", 0o755, "but the interpreter"),
    ],
)
def test_a_file_that_is_not_a_program_is_not_the_crashs_fault(
    program: Program, interpreter: str, mode: int, said: str
) -> None:
    path = program("exit 0", interpreter=interpreter)
    Path(path).chmod(mode)
    with pytest.raises(UnusableProgramError, match=said):
        run_briefly(path)


def test_a_directory_is_not_a_program(tmp_path: Path) -> None:
    with pytest.raises(UnusableProgramError, match="Permission denied"):
        run_briefly(str(tmp_path))


@pytest.mark.parametrize("code", [126, 127])
def test_a_wrapper_that_cannot_find_the_program_is_not_the_crashs_fault(program: Program, code: int) -> None:
    with pytest.raises(UnusableProgramError, match=f"exit code {code}: libmissing.so"):
        run_to_its_end(program(f"echo libmissing.so >&2; exit {code}"))


def test_a_program_that_prints_has_run_whatever_its_exit_code(program: Program) -> None:
    assert run_to_its_end(program("echo '{}'; exit 127")).return_code == 127


def test_a_lack_of_descriptors_is_the_machines_fault_and_nothing_leaks() -> None:
    script = textwrap.dedent(
        """
        import os, resource
        from socorro_processor.errors import ProcessingEnvironmentError
        from socorro_processor.machine.bounded_program import Limits, UnusableProgramError, run

        def attempt():
            try:
                run(["/bin/true"], Limits())
                return "ran"
            except UnusableProgramError:
                return "blamed the program"
            except ProcessingEnvironmentError:
                return "environment"

        attempt()
        taken = len(os.listdir("/proc/self/fd")) - 1
        for free in range(14):
            resource.setrlimit(resource.RLIMIT_NOFILE, (taken + free, 4096))
            print(attempt())
            resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 4096))
            assert len(os.listdir("/proc/self/fd")) - 1 == taken
            try:
                print("left a child", os.waitpid(-1, os.WNOHANG))
            except ChildProcessError:
                pass
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    said = done.stdout.split("\n")[:-1]
    assert set(said) == {"ran", "environment"}
    assert said == sorted(said, key="environment ran".index)


def test_an_exit_status_that_another_thread_took_is_not_the_crashs_fault() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(ProcessingEnvironmentError, match=r"SIGCHLD|cannot watch"):
            run_to_its_end("true")
    finally:
        signal.signal(signal.SIGCHLD, before)


# Many at once


def test_threads_run_programs_side_by_side(program: Program) -> None:
    path = program('echo "$1"')
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda number: run_to_its_end(path, str(number)), range(80)))
    assert [int(outcome.output) for outcome in outcomes] == list(range(80))


def test_descriptors_do_not_run_out(program: Program) -> None:
    flood = program("cat /dev/zero", "flood")
    before = open_descriptors()
    for _ in range(5):
        run_to_its_end("true")
        run_to_its_end(flood, output=1000)
        with pytest.raises(UnusableProgramError):
            run_to_its_end("/nothing")
    assert open_descriptors() == before
