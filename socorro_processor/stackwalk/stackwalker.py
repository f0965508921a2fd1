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
from socorro_processor.machine.orphans import MARK
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.deep_stacks import DeepStackCutter
from socorro_processor.stackwalk.killed import Kills, killed_by_another
from socorro_processor.stackwalk.result import prints_an_object
from socorro_processor.stackwalk.smallest_minidump import sound_minidump

logger = logging.getLogger(__name__)

OWN = "socorro-stackwalk"
"""The project's own."""
STOCK = "minidump-stackwalk"
"""rust-minidump's."""
PROGRAM_VARIABLE = "SOCORRO_STACKWALKER"
ADVICE = f"bin/install-stackwalker gets one, {PROGRAM_VARIABLE} or command_pathname names another"

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
    # Else each thread reserves 64 MB of address space, which a memory limit counts though nothing uses it.
    "MALLOC_ARENA_MAX": "2",
    # It works in one thread: others cost their start, a fifth of a small walk.
    "TOKIO_WORKER_THREADS": "1",
}
"""The environment of every stackwalker."""

ENFORCED = "enforced"
"""The first word that the own stackwalker prints for a part of its sandbox that is in force."""

_PROGRAM_FIELD = "command_pathname"
_OF_A_CRASH = ("raw_crash_pathname", "dump_file_pathname", "switches", "questions")
_REFUSES_ITS_ARGUMENTS = 2
"""By convention; also of minidump-stackwalk, where a dump that it cannot read gives 1."""
_TIME_FOR_A_TRIAL = 10.0
_SAID = 500
"""Characters of what it said that go into a message."""


def find_stackwalker(
    name: str = "", environment: Mapping[str, str] = os.environ, interpreter: str = sys.executable
) -> Path:
    """The program of that name; where it is empty, the own one, else rust-minidump's.

    With a slash in it ``name`` is the path; else ``SOCORRO_STACKWALKER`` names the program, where
    it is set; else it is looked for on ``PATH``, then beside the Python that runs us (a virtual
    environment). Raises UnusableProgramError.
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
        """``command_line``: None, as the program that is found wants it; ``sandbox`` is a command that runs the one
        behind it; ``environment`` is all that both are given."""
        self.limits = limits or Limits()
        self._command_line = command_line
        self._program = program
        self._sandbox = sandbox or CommandLine("", ())
        self._environment = environment or {}
        self._kills = Kills()
        self._trying = threading.Lock()
        self._must_be_good = False
        self._good: tuple[int, ...] | None = None
        self._found: str | None = None
        self._logged: str | None = None
        self._version_of: tuple[str, tuple[int, ...]] | None = None
        self._version_printed = ""

    def uses(self, field: str) -> bool:
        """Return True if a value for ``field`` is needed."""
        lines = [self._command_line] if self._command_line else [OWN_COMMAND_LINE, STOCK_COMMAND_LINE]
        return any(line.uses(field) for line in [*lines, self._sandbox])

    def own_program(self, crash_directory: Path | None = None) -> str:
        """The path of the program, where it is the project's own; else empty."""
        path, printed = self.version(crash_directory)
        return path if printed.startswith(OWN) else ""

    def _template(self, crash_directory: Path | None) -> CommandLine:
        if self._command_line:
            return self._command_line
        return OWN_COMMAND_LINE if self.own_program(crash_directory) else STOCK_COMMAND_LINE

    def walk(
        self,
        values: Mapping[str, Sequence[str]],
        crash_id: str = "",
        crash_directory: Path | None = None,
        output_limit: int | None = None,
        questions: Questions | None = None,
    ) -> Outcome:
        """Run it once, with the values of FIELDS (but the program's own path), for this crash.

        ``output_limit``: how many bytes it may print this time, where that is not as in its limits; where it prints
        more, its deep stacks are cut; ``questions``: who answers what it asks.
        By ``crash_directory`` it is found where it outlives us (``kill_orphans``).
        Raises ProcessingEnvironmentError where it cannot be run on this machine, or was killed there.
        """
        if self._must_be_good:
            self._try(values, crash_directory)
        limits = self.limits if output_limit is None else replace(self.limits, output=output_limit)
        outcome = self._run(values, limits, crash_directory, questions)
        if outcome.return_code > 0 and not outcome.output:
            self._check_sandbox(values, crash_directory)
            if outcome.return_code == _REFUSES_ITS_ARGUMENTS:
                self._try(values, crash_directory)
        if not killed_by_another(outcome, self.limits):
            self._kills.ended()
        elif not self._kills.is_own_fault(crash_id):
            raise ProcessingEnvironmentError(
                f"the stackwalker was killed by another, exit code {outcome.return_code}, after "
                f"{outcome.wall_seconds:.1f} s: the service is stopped, or memory ran out (see the kernel's log)"
            )
        return outcome

    def version(self, crash_directory: Path | None = None) -> tuple[str, str]:
        """The program's path, and what it prints for ``--version``; empty where it is not known or cannot be run.

        ``crash_directory`` is as in ``walk``.
        """
        try:
            located = self._located()
            if not located:
                return "", ""
            file = (located[0], _identity(located[0]))
            if self._version_of != file:
                limits = replace(self.limits, timeout=min(self.limits.timeout, _TIME_FOR_A_TRIAL))
                outcome = run([located[0], "--version"], limits, self._marked(crash_directory))
                printed = outcome.output[:_SAID].decode(errors="replace")
                if outcome.return_code != 0 or "\ufffd" in printed:
                    # It may be but for now: there is no memory, or the machine is ending.
                    return located[0], printed
                self._version_printed, self._version_of = printed, file
            return located[0], self._version_printed
        except UnusableProgramError:
            return "", ""

    def own_sandbox(self, values: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the state of each part of the own stackwalker's sandbox: ``ENFORCED``, or why it is not.

        ``values`` are as in ``walk``, without a dump. Empty where the program is another, or cannot be run.
        """
        try:
            if not (program := self.own_program()):
                return {}
            here = {_PROGRAM_FIELD: (program,), **dict.fromkeys(_OF_A_CRASH, ())}
            arguments = [*self._sandbox.fill({**values, **here}), program, "--version", "--verbose"]
            limits = replace(self.limits, timeout=min(self.limits.timeout, _TIME_FOR_A_TRIAL))
            outcome = run(arguments, limits, self._marked(None))
        except UnusableProgramError:
            return {}
        _, *parts = outcome.output[:_SAID].decode(errors="replace").splitlines() or [""]
        return {name: said for name, colon, said in (part.partition(": ") for part in parts) if colon}

    def check(self, values: Mapping[str, Sequence[str]] | None = None, directory: Path | None = None) -> None:
        """Raises ProcessingEnvironmentError, saying what to do, where no walk can succeed for now.

        The program that ``{command_pathname}`` stands for must print a JSON object for a sound minidump
        of our own (in ``directory``, or in the system's for temporary files): one that is none, or of a
        version with other arguments, fails for every dump as if the dump were at fault. From now on no
        ``walk`` is made until it does. One that was good is tried again only once it is another file.
        """
        self._must_be_good = True
        self._found = None
        self._try(values or {}, directory)

    def _try(self, values: Mapping[str, Sequence[str]], directory: Path | None) -> None:
        with self._trying:
            if not (program := self._located()):
                return  # another command altogether, of which nothing is known
            try:
                file = _identity(program[0])
            except UnusableProgramError:
                self._found = None
                raise
            if file == self._good:
                return
            try:
                with tempfile.TemporaryDirectory(prefix="stackwalker-check-", dir=directory) as own:
                    dump, raw_crash = Path(own, "sound.dmp"), Path(own, "raw_crash.json")
                    dump.write_bytes(sound_minidump())
                    raw_crash.write_text("{}")
                    values = {**values, "dump_file_pathname": [str(dump)], "raw_crash_pathname": [str(raw_crash)]}
                    timeout = min(self.limits.timeout, _TIME_FOR_A_TRIAL)
                    outcome = self._run(values, replace(self.limits, timeout=timeout), None)
            except OSError as error:
                raise ProcessingEnvironmentError(
                    f"cannot write a minidump to try the stackwalker with: {error}"
                ) from error
            if not prints_an_object(outcome):
                ended = "not done" if outcome.timed_out else f"exit code {outcome.return_code}"
                said = " | ".join(outcome.stderr.split("\n")).strip(" |") or "it said nothing"
                raise ProcessingEnvironmentError(
                    f"{program[0]} prints no JSON for a sound minidump, {ended} after {outcome.wall_seconds:.1f} s: "
                    f"{said[:_SAID]}; {ADVICE}; its arguments are command_line's"
                )
            self._good = file

    def _run(
        self,
        values: Mapping[str, Sequence[str]],
        limits: Limits,
        crash_directory: Path | None,
        questions: Questions | None = None,
    ) -> Outcome:
        try:
            asked = (str(questions.descriptor),) if questions else ()
            values = {"switches": (), **values, _PROGRAM_FIELD: self._located(), "questions": asked}
            arguments = [*self._sandbox.fill(values), *self._template(crash_directory).fill(values)]
            environment = self._marked(crash_directory)
            return run(arguments, limits, environment, cutter=DeepStackCutter(), questions=questions)
        except UnusableProgramError as error:
            # Looked for again the next time: an operator may be putting it right just now.
            self._found = self._good = None
            raise error if ADVICE in str(error) else UnusableProgramError(f"{error}; {ADVICE}") from error

    def _marked(self, crash_directory: Path | None) -> dict[str, str]:
        """The environment of whatever is run for a crash: by it ``kill_orphans`` finds what hangs."""
        mark = {MARK: str(crash_directory.absolute())} if crash_directory else {}
        return {**self._environment, **mark}

    def _located(self) -> Sequence[str]:
        if self._command_line and not self._command_line.uses(_PROGRAM_FIELD):
            return ()
        if self._found is None:
            self._found = str(find_stackwalker(self._program))
            if self._found != self._logged:
                logger.info("the stackwalker is %s", self._found)
                self._logged = self._found
        return (self._found,)

    def _check_sandbox(self, values: Mapping[str, Sequence[str]], crash_directory: Path | None) -> None:
        """A sandbox that cannot be set up looks like a dump that cannot be read: the one is no crash's fault."""
        if not self._sandbox:
            return
        outcome = run([*self._sandbox.fill(values), "true"], self.limits, self._marked(crash_directory))
        if outcome.return_code != 0:
            said = outcome.stderr.strip() or f"exit code {outcome.return_code}"
            raise ProcessingEnvironmentError(f"the sandbox does not even run `true`: {said}")


def _identity(program: str) -> tuple[int, ...]:
    """Another one once another file has taken its place."""
    try:
        status = Path(program).stat()
    except OSError as error:
        raise UnusableProgramError(f"{program}: {error.strerror}; {ADVICE}") from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
