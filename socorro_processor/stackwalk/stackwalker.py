"""The configured stackwalker: where it is, and one run of it for each dump."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.bounded_program import Limits, Outcome, Questions, UnusableProgramError, run
from socorro_processor.machine.find_program import find_program
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.deep_stacks import DeepStackCutter
from socorro_processor.stackwalk.killed import Kills, killed_by_another
from socorro_processor.stackwalk.result import prints_an_object
from socorro_processor.stackwalk.smallest_minidump import sound_minidump

logger = logging.getLogger(__name__)

OWN = "socorro-stackwalk"
"""The project's own stackwalker."""
STOCK = "minidump-stackwalk"
"""rust-minidump's stackwalker."""
PROGRAM_VARIABLE = "SOCORRO_STACKWALKER"
ADVICE = f"install one with bin/install-stackwalker, or name another with {PROGRAM_VARIABLE} or command_pathname"

FIELDS = (
    "command_pathname",
    "raw_crash_pathname",
    "dump_file_pathname",
    "symbol_cache_path",
    "symbols_path",
    "symbols_tmp_path",
    "public_symbols_url",
    "private_symbols_url",
    "symbol_index_path",
    "switches",
    "questions",
    "questions_timeout",
    # as 2016's templates have them
    "symbol_tmp_path",
    "kill_timeout",
)
"""The fields of a stackwalker's command line."""

OWN_COMMAND_LINE = CommandLine(
    "{command_pathname} {switches}"
    " --symbols-path {symbols_path} --symbols-path {symbol_cache_path} --index-path {symbol_index_path}"
    " --ask {questions} --ask-timeout {questions_timeout}"
    " --evil-json {raw_crash_pathname}"
    " {dump_file_pathname}",
    FIELDS,
)
STOCK_COMMAND_LINE = CommandLine(
    "{command_pathname} --json --no-interactive --no-color"
    " --symbols-url {public_symbols_url} --symbols-url {private_symbols_url}"
    " --symbols-cache {symbol_cache_path} --symbols-tmp {symbols_tmp_path}"
    " --symbols-path {symbols_path} --symbols-path {symbol_cache_path}"
    " --evil-json {raw_crash_pathname}"
    " {dump_file_pathname}",
    FIELDS,
)

BASE_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    # Otherwise each thread reserves 64 MB of address space, which a memory limit counts though nothing uses it.
    "MALLOC_ARENA_MAX": "2",
    # A stackwalker works in one thread: starting others costs a fifth of a small walk.
    "TOKIO_WORKER_THREADS": "1",
}
"""The environment of every stackwalker."""

ENFORCED = "enforced"
"""The first word that our stackwalker prints for a part of its sandbox that is in force."""

_PROGRAM_FIELD = "command_pathname"
_OF_A_CRASH = ("raw_crash_pathname", "dump_file_pathname", "switches", "questions")
_REFUSES_ITS_ARGUMENTS = 2
"""The usual exit code, also of minidump-stackwalk, which exits with 1 if it cannot read a dump."""
_TRIAL_TIMEOUT = 10.0
"""Seconds."""
_QUOTED_OUTPUT = 500
"""Characters of a program's output that a message quotes."""


def find_stackwalker(
    name: str = "", environment: Mapping[str, str] = os.environ, interpreter: str = sys.executable
) -> Path:
    """Return the path of the program; without a name, that of the project's own, or else of rust-minidump's.

    A ``name`` with a slash is the path. Otherwise ``SOCORRO_STACKWALKER`` names the program if it is set. Without it
    the search goes over ``PATH``, then beside the Python that runs us (a virtual environment).
    Raises UnusableProgramError.
    """
    if "/" in name:
        wanted, origin = name, "command_pathname"
    elif wanted := environment.get(PROGRAM_VARIABLE, ""):
        origin = PROGRAM_VARIABLE
    else:
        if not name:
            with suppress(UnusableProgramError):
                return find_program(OWN, ADVICE, environment, interpreter)
        return find_program(name or STOCK, ADVICE, environment, interpreter)
    if found := shutil.which(wanted, path=environment.get("PATH", os.defpath)):
        return Path(found)
    raise UnusableProgramError(f"{wanted}, which {origin} names, is not an executable file; {ADVICE}")


class Stackwalker:
    """Runs the stackwalker of a configuration. May be used by several threads at once."""

    def __init__(
        self,
        command_line: CommandLine | None = None,
        *,
        program: str = "",
        sandbox: CommandLine | None = None,
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``command_line``: None stands for the one that fits the program. ``sandbox``: a command that runs the
        command line after it. ``environment``: all variables of both."""
        self.limits = limits or Limits()
        self._command_line = command_line
        self._program = program
        self._sandbox = sandbox or CommandLine("", ())
        self._environment = environment or {}
        self._kills = Kills()
        self._trying = threading.Lock()
        self._must_be_good = False
        self._directory: Path | None = None
        self._good: tuple[int, ...] | None = None
        self._found: str | None = None
        self._logged: str | None = None
        self._version_of: tuple[str, tuple[int, ...]] | None = None
        self._version_printed = ""

    def uses(self, field: str) -> bool:
        """Return True if a value for ``field`` is needed."""
        lines = [self._command_line] if self._command_line else [OWN_COMMAND_LINE, STOCK_COMMAND_LINE]
        return any(line.uses(field) for line in [*lines, self._sandbox])

    def own_program(self) -> str:
        """Return the path of the program if it is the project's own; an empty text otherwise."""
        path, printed = self.version()
        return path if printed.startswith(OWN) else ""

    def _template(self) -> CommandLine:
        if self._command_line:
            return self._command_line
        return OWN_COMMAND_LINE if self.own_program() else STOCK_COMMAND_LINE

    def walk(
        self,
        values: Mapping[str, Sequence[str]],
        crash_id: str = "",
        output_limit: int | None = None,
        questions: Questions | None = None,
    ) -> Outcome:
        """Run the stackwalker once, with the values of FIELDS (but the program's own path), for this crash.

        ``output_limit`` overrides the bytes of ``limits`` that it may print, after its deep stacks are cut.
        ``questions`` answers what it asks.
        Raises ProcessingEnvironmentError if it cannot be run on this machine, or was killed there.
        """
        if self._must_be_good:
            self._try(values)
        limits = self.limits if output_limit is None else replace(self.limits, output=output_limit)
        outcome = self._run(values, limits, questions)
        if outcome.return_code > 0 and not outcome.output:
            self._check_sandbox(values)
            if outcome.return_code == _REFUSES_ITS_ARGUMENTS:
                self._try(values)
        if not killed_by_another(outcome, self.limits):
            self._kills.ended()
        elif not self._kills.is_own_fault(crash_id):
            raise ProcessingEnvironmentError(
                f"the stackwalker was killed by another, exit code {outcome.return_code}, after "
                f"{outcome.wall_seconds:.1f} s: the service is stopped, or memory ran out (see the kernel's log)"
            )
        return outcome

    def version(self) -> tuple[str, str]:
        """Return the program's path and what it prints for ``--version``; empty if it is not known or cannot be run."""
        try:
            located = self._located()
            if not located:
                return "", ""
            file = (located[0], _identity(located[0]))
            if self._version_of != file:
                limits = replace(self.limits, timeout=min(self.limits.timeout, _TRIAL_TIMEOUT))
                outcome = run([located[0], "--version"], limits, self._environment)
                printed = outcome.output[:_QUOTED_OUTPUT].decode(errors="replace")
                if outcome.return_code != 0 or "\ufffd" in printed:
                    # The cause may pass: memory may be short, or the processor may be stopping.
                    return located[0], printed
                self._version_printed, self._version_of = printed, file
            return located[0], self._version_printed
        except UnusableProgramError:
            return "", ""

    def own_sandbox(self, values: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the state of each part of our stackwalker's sandbox: ``ENFORCED``, or why it is not.

        ``values`` are as in ``walk``, without a dump. Empty if the program is another one, or cannot be run.
        """
        try:
            if not (program := self.own_program()):
                return {}
            here = {_PROGRAM_FIELD: (program,), **dict.fromkeys(_OF_A_CRASH, ())}
            arguments = [*self._sandbox.fill({**values, **here}), program, "--version", "--verbose"]
            limits = replace(self.limits, timeout=min(self.limits.timeout, _TRIAL_TIMEOUT))
            outcome = run(arguments, limits, self._environment)
        except UnusableProgramError:
            return {}
        _, *parts = outcome.output[:_QUOTED_OUTPUT].decode(errors="replace").splitlines() or [""]
        return {name: state for name, colon, state in (part.partition(": ") for part in parts) if colon}

    def check(self, values: Mapping[str, Sequence[str]] | None = None, directory: Path | None = None) -> None:
        """Raise ProcessingEnvironmentError, which says what to do, if no walk can succeed now.

        The program that ``{command_pathname}`` stands for must print a JSON object for a sound minidump (made in
        ``directory``, by default the system's for temporary files): a program that is not a stackwalker, or takes
        other arguments, fails for every dump as if the dump were at fault. From now on ``walk`` raises the same error
        until the program passes. One that passed is tried again only if its file has changed.
        """
        self._must_be_good = True
        self._found = None
        self._directory = directory
        self._try(values or {})

    def _try(self, values: Mapping[str, Sequence[str]]) -> None:
        with self._trying:
            if not (program := self._located()):
                return  # the command line names its program itself
            try:
                file = _identity(program[0])
            except UnusableProgramError:
                self._found = None
                raise
            if file == self._good:
                return
            try:
                with tempfile.TemporaryDirectory(prefix="stackwalker-check-", dir=self._directory) as own:
                    dump, raw_crash = Path(own, "sound.dmp"), Path(own, "raw_crash.json")
                    dump.write_bytes(sound_minidump())
                    raw_crash.write_text("{}")
                    values = {**values, "dump_file_pathname": [str(dump)], "raw_crash_pathname": [str(raw_crash)]}
                    timeout = min(self.limits.timeout, _TRIAL_TIMEOUT)
                    outcome = self._run(values, replace(self.limits, timeout=timeout))
            except OSError as error:
                raise ProcessingEnvironmentError(
                    f"cannot write a minidump to try the stackwalker with: {error}"
                ) from error
            if not prints_an_object(outcome):
                end = "not done" if outcome.timed_out else f"exit code {outcome.return_code}"
                printed = " | ".join(outcome.stderr.split("\n")).strip(" |") or "no output"
                raise ProcessingEnvironmentError(
                    f"{program[0]} prints no JSON for a sound minidump, {end} after {outcome.wall_seconds:.1f} s: "
                    f"{printed[:_QUOTED_OUTPUT]}; {ADVICE}; command_line sets its arguments"
                )
            self._good = file

    def _run(
        self,
        values: Mapping[str, Sequence[str]],
        limits: Limits,
        questions: Questions | None = None,
    ) -> Outcome:
        try:
            descriptors = (str(questions.descriptor),) if questions else ()
            values = {"switches": (), **values, _PROGRAM_FIELD: self._located(), "questions": descriptors}
            arguments = [*self._sandbox.fill(values), *self._template().fill(values)]
            return run(arguments, limits, self._environment, cutter=DeepStackCutter(), questions=questions)
        except UnusableProgramError as error:
            # Look for it again next time: an operator may be mending it just now.
            self._found = self._good = None
            raise error if ADVICE in str(error) else UnusableProgramError(f"{error}; {ADVICE}") from error

    def _located(self) -> Sequence[str]:
        if self._command_line and not self._command_line.uses(_PROGRAM_FIELD):
            return ()
        if self._found is None:
            self._found = str(find_stackwalker(self._program))
            if self._found != self._logged:
                logger.info("the stackwalker is %s", self._found)
                self._logged = self._found
        return (self._found,)

    def _check_sandbox(self, values: Mapping[str, Sequence[str]]) -> None:
        """Raise ProcessingEnvironmentError if the sandbox cannot be set up, which would look like a dump's fault."""
        if not self._sandbox:
            return
        outcome = run([*self._sandbox.fill(values), "true"], self.limits, self._environment)
        if outcome.return_code != 0:
            reason = outcome.stderr.strip() or f"exit code {outcome.return_code}"
            raise ProcessingEnvironmentError(f"the sandbox does not even run `true`: {reason}")


def _identity(program: str) -> tuple[int, ...]:
    """Return a value that changes when another file takes the program's place."""
    try:
        status = Path(program).stat()
    except OSError as error:
        raise UnusableProgramError(f"{program}: {error.strerror}; {ADVICE}") from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
