"""Run a program that hostile input may hijack: with limits, isolated, and leaving no process behind.

For example:

    outcome = run(["minidump-stackwalk", "--json", "crash.dmp"], Limits(timeout=30))
    outcome.return_code, outcome.output
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.orphans import mark_of_children
from socorro_processor.machine.pipes import Cutter, Pipes, readable
from socorro_processor.machine.process_tree import children as children_of
from socorro_processor.machine.process_tree import kill_tree, process_tree

_PATIENCE_AFTER_KILL = 10.0  # seconds
_CANNOT_EXECUTE = 126
_NOT_FOUND = 127
SIGNAL_BASE = 128
"""The number that a shell or a sandbox adds to the signal that killed its program."""
_NO_MEMORY = re.compile(r"memory allocation of \d+ bytes failed|std::bad_alloc|Cannot allocate memory")
"""The messages of Rust, C++ and the C library."""


class UnusableProgramError(ProcessingEnvironmentError):
    """The program itself is at fault: missing, not executable, or without what it needs to start."""


@dataclass(frozen=True)
class Limits:
    """The limits of a program. They never raise a limit of the processor itself."""

    timeout: float = 120.0
    """Seconds by the clock, after which the program is killed with everything that it started."""
    cpu: int = 120
    """Seconds of CPU, after which a process receives SIGXCPU, and a second later SIGKILL."""
    memory: int = 4 << 30
    """Bytes of address space of each process; allocations beyond them fail."""
    output: int = 16 << 20
    """Bytes on stdout that are kept, in memory; a program that prints more is killed.

    Parsed as JSON they take far more: 16 MB of ``[{},{},...`` become objects of 0.5 GB.
    """
    file_size: int = 4 << 30
    """Bytes of the largest file that the program may write (it may fetch symbols)."""
    open_files: int = 1024
    niceness: int = 0
    """From 0 to 19 (man 7 sched)."""


class Questions(Protocol):
    """A program's questions to this process while it runs, over a socket that it inherits."""

    @property
    def descriptor(self) -> int:
        """The program's end of the socket; it has the same number there."""

    @property
    def patience(self) -> float:
        """The total of seconds that the program may wait for answers."""

    def waited(self) -> float:
        """Return the seconds that questions have waited for answers so far. May be called by any thread."""

    def handed_over(self) -> None:
        """Close ``descriptor`` here: the program has it."""


@dataclass(frozen=True)
class Outcome:
    """The end of a program."""

    output: bytes
    """Incomplete if the program was killed."""
    return_code: int
    """The exit code, or the negative number of the signal that killed the program."""
    timed_out: bool
    output_too_large: bool
    memory_too_large: bool
    """True if it wanted more memory than allowed: it was refused, or had taken it before the limit and was killed."""
    stderr: str
    """The last part, as plain text, without control characters except the line feed."""
    wall_seconds: float
    cpu_seconds: float
    """User and system time of the program, and of its children that it waited for."""
    peak_memory: int | None
    """Bytes. None if the program used less than the processor at its own peak: the kernel also counts the memory that a
    child shares with its parent before exec, so a smaller number cannot be known."""


def run(
    arguments: Sequence[str],
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    cutter: Cutter | None = None,
    questions: Questions | None = None,
) -> Outcome:
    """Run ``arguments`` to the end, without a shell, with only ``environment`` in its environment.

    The program starts in ``directory``, or in that of this process. Once it prints more than it may, ``cutter`` decides
    what is kept.

    The time in which ``questions`` wait for answers, up to their patience, does not count for the timeout.

    The run ends with the first process: what that has started and left behind is killed, even if the processor itself
    is interrupted. Only a process that has left the session and lost its parent (a daemon) escapes, except from a
    sandbox with its own process namespace. Any number of threads may run programs at once.

    Raises UnusableProgramError if the program cannot be started, and other ProcessingEnvironmentErrors if the machine
    lacks memory, processes or descriptors, or the processor ends (``kill_all``).
    """
    started = time.monotonic()
    running = _Running()
    process = children = pidfd = None
    memory_too_large = False
    _PROGRAMS.running.add(running)
    try:
        if _PROGRAMS.ended:
            raise ProcessingEnvironmentError(f"{arguments[0]} was not started because the processor ends")
        children = children_of(os.getpid())
        process = _start(arguments, environment or {}, directory, questions)
        running.pid = process.pid
        if questions is not None:
            questions.handed_over()
        pipes = Pipes(process, limits.output, cutter)
        memory_too_large = not set_limits(process.pid, limits)
        pidfd = os.pidfd_open(process.pid)
        end = started + limits.timeout
        ended = not running.cancelled and pipes.read_until_exit(pidfd, lambda: end + _waited(questions))
    except OSError as error:
        raise ProcessingEnvironmentError(f"cannot watch {arguments[0]}: {error}") from error
    except MemoryError as error:
        raise ProcessingEnvironmentError(f"no memory left for the output of {arguments[0]}") from error
    finally:
        _PROGRAMS.running.discard(running)
        if process is not None:
            kill_tree(process.pid)
            status, usage = _wait(process, pidfd)
        elif children is not None:
            # It was not started, or an interrupt came before its pid was known.
            with suppress(OSError):
                for child in children_of(os.getpid()) - children:
                    kill_tree(child)
    if running.cancelled:
        raise ProcessingEnvironmentError(f"{arguments[0]} was killed because the processor ends")
    stderr = pipes.stderr_text()
    outcome = Outcome(
        output=b"".join(pipes.output),
        return_code=os.waitstatus_to_exitcode(status),
        timed_out=not ended and not pipes.output_too_large,
        output_too_large=pipes.output_too_large,
        memory_too_large=memory_too_large or _was_refused_memory(status, stderr),
        stderr=stderr,
        wall_seconds=time.monotonic() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_memory=_peak_memory(usage),
    )
    # With these a shell or a sandbox reports a missing program, and the dynamic loader a missing library.
    if ended and not outcome.output and outcome.return_code in (_CANNOT_EXECUTE, _NOT_FOUND):
        message = outcome.stderr.strip() or "no message"
        raise UnusableProgramError(f"{arguments[0]} did not run, exit code {outcome.return_code}: {message}")
    return outcome


def kill_all() -> None:
    """Kill every running program, because the processor ends: ``run`` raises now, and from now on.

    Takes no lock, so a signal handler may call it.
    """
    # First: a thread that did not see it set is already in `running`.
    _PROGRAMS.ended = True
    for running in tuple(_PROGRAMS.running):
        running.cancelled = True
        if running.pid is not None:
            kill_tree(running.pid)


@dataclass(eq=False)
class _Running:
    """A program that has not been waited for yet."""

    pid: int | None = None
    cancelled: bool = False


@dataclass
class _Programs:
    """All programs that are running, and whether no more may start."""

    running: set[_Running] = field(default_factory=set)
    ended: bool = False


_PROGRAMS = _Programs()


def _start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: Path | None,
    questions: Questions | None,
) -> subprocess.Popen[bytes]:
    try:
        # Nothing here may run Python between fork and exec (preexec_fn): with other threads it may deadlock, and it
        # would keep subprocess from using vfork, which copies no page tables.
        return subprocess.Popen(
            arguments,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**mark_of_children(), **environment},
            cwd=directory,
            start_new_session=True,
            pass_fds=() if questions is None else (questions.descriptor,),
        )
    except (OSError, MemoryError) as error:
        message = f"cannot start {arguments[0]}: {error}"
        match getattr(error, "errno", None):
            case errno.ENOENT if Path(arguments[0]).exists():
                message += " (it exists, but the interpreter or loader that it names does not)"
                raise UnusableProgramError(message) from error
            case errno.ENOENT | errno.ENOTDIR | errno.EACCES | errno.EPERM | errno.ENOEXEC | errno.ELOOP:
                raise UnusableProgramError(message) from error
        raise ProcessingEnvironmentError(f"{message} (the machine lacks something; will try again)") from error


def _waited(questions: Questions | None) -> float:
    return 0.0 if questions is None else min(questions.waited(), questions.patience)


def set_limits(pid: int, limits: Limits) -> bool:
    """Set the limits of a program that has just started. Return False if that killed it.

    On a busy machine the program may have run for a while, but it cannot escape the limits: CPU time counts from its
    start; if it already has too much memory, it is killed; other resources that it has count as soon as it asks for
    more. Its present children are limited too, and later ones inherit the limits.
    """
    is_within = True
    for process in process_tree(pid):
        with suppress(ProcessLookupError, FileNotFoundError):
            for which, soft, hard in (
                (resource.RLIMIT_CORE, 0, 0),
                (resource.RLIMIT_CPU, limits.cpu, limits.cpu + 1),
                (resource.RLIMIT_AS, limits.memory, limits.memory),
                (resource.RLIMIT_FSIZE, limits.file_size, limits.file_size),
                (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
            ):
                ceiling = resource.prlimit(process, which)[1]
                if ceiling != resource.RLIM_INFINITY:
                    soft, hard = min(soft, ceiling), min(hard, ceiling)
                resource.prlimit(process, which, (soft, hard))
            if limits.niceness:
                nice = os.getpriority(os.PRIO_PROCESS, process)
                os.setpriority(os.PRIO_PROCESS, process, max(nice, limits.niceness))
            pages = int(Path(f"/proc/{process}/statm").read_bytes().split()[0])
            if pages * resource.getpagesize() > limits.memory:
                os.kill(process, signal.SIGKILL)
                is_within = False
    return is_within


def _wait(process: subprocess.Popen[bytes], pidfd: int | None) -> tuple[int, resource.struct_rusage]:
    """Release the resources of a process that has ended or was killed; return its exit status and its usage."""
    for file in (process.stdout, process.stderr):
        if file is not None:
            file.close()
    try:
        if pidfd is not None and not readable(pidfd, _PATIENCE_AFTER_KILL):
            raise ProcessingEnvironmentError(
                f"process {process.pid} was killed and does not end: it may wait for a disk or mount that hangs"
            )
        _, status, usage = os.wait4(process.pid, 0)
    except ChildProcessError as error:
        process.returncode = -1  # unknown, but Popen must not wait for it any more
        raise ProcessingEnvironmentError(
            f"the exit status of process {process.pid} is gone: is SIGCHLD ignored in this process?"
        ) from error
    finally:
        if pidfd is not None:
            os.close(pidfd)
    process.returncode = os.waitstatus_to_exitcode(status)
    return status, usage


def _was_refused_memory(status: int, stderr: str) -> bool:
    """Return True if the program's own message says that it died of this: no signal tells it."""
    code = os.waitstatus_to_exitcode(status)
    return (code < 0 or code > SIGNAL_BASE) and bool(_NO_MEMORY.search(stderr))


def _peak_memory(usage: resource.struct_rusage) -> int | None:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # The kernel counts the same pages in two ways, with slightly different results.
    return usage.ru_maxrss * 1024 if usage.ru_maxrss > own + own // 16 else None
