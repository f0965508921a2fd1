"""Classifiers of crashes in code that the JavaScript engine generated at run time.

No symbols describe such code, so a program that knows the engine's code looks at the dump itself.
"""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import replace

from socorro_processor.configuration import DotDict, Namespace, Seconds, names_or_paths, size, size_or_auto
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.machine.memory_share import memory_share
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.classifications import classifications_of_kind, record_classification
from socorro_processor.rules.json_dump import crashing_thread, frames_of, section, thread_frames
from socorro_processor.signature.c_signature import truncate
from socorro_processor.signature.characters import without_control_characters
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.result import exit_code, limit_reached
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT

_PROGRAM_FIELD = "command_pathname"
_DUMP_FIELD = "dump_file_pathname"
_MAXIMUM_MEMORY = 2 << 30  # bytes


def _parse_command_line(text: str) -> CommandLine:
    """Parse a command line with the fields of this program. Raises ValueError."""
    return CommandLine(text, (_PROGRAM_FIELD, _DUMP_FIELD))


class JitCrashCategorizeRule(Rule):
    """Have an external program find the category of a JIT crash.

    It runs for Firefox on 32-bit Windows, if the engine had entered the code of the crash, which is outside all
    modules. Reads ``product``, ``os_name``, ``cpu_name`` (``cpu_arch`` of 2026), ``signature``, ``json_dump``, the main
    dump; writes ``classifications.jit.category``, the output of the program, and ``category_return_code``, its exit
    code: 124 if it ran out of time, 128 plus the number of the signal that killed it. Notes a failure; raises
    ProcessingEnvironmentError if the program cannot be run on this machine.
    """

    required_config = Namespace()
    required_config.add_option(
        "dump_field",
        default="upload_file_minidump",
        doc="name of the minidump that is passed to the program",
    )
    required_config.add_option(
        "command_line",
        default="{command_pathname} {dump_file_pathname}",
        doc="how the program is called: arguments as in a shell, but no shell runs; "
        "fields: {command_pathname} {dump_file_pathname}",
        from_string_converter=_parse_command_line,
    )
    required_config.add_option(
        "command_pathname",
        default="",
        doc="the program, such as jit-crash-categorize; empty: none is run, unless the command line names one",
    )
    required_config.add_option(
        "environment",
        default="PATH, TMPDIR",
        doc="names of environment variables that are passed to the program if they are set",
        from_string_converter=names_or_paths,
    )
    required_config.add_option(
        "kill_timeout",
        default="30",
        doc="seconds after which the program is killed, with every process that it started",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "memory_limit",
        default="auto",
        doc="memory (address space) that the program may use (k, M, G); auto: as for a stackwalker, but at most 2G",
        from_string_converter=size_or_auto,
    )
    required_config.add_option(
        "output_limit",
        default="64k",
        doc="how much the program may print (k, M, G); a category is a few words",
        from_string_converter=size,
    )

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self._limits = Limits(
            timeout=self.config.kill_timeout,
            cpu=math.ceil(self.config.kill_timeout),
            memory=self.config.memory_limit or memory_share(1, _MAXIMUM_MEMORY).bytes,
            output=self.config.output_limit,
        )
        self._environment = BASE_ENVIRONMENT | {
            name: os.environ[name] for name in self.config.environment if name in os.environ
        }

    def prepare(self, threads: int) -> str:
        if self.config.memory_limit is None:
            self._limits = replace(self._limits, memory=memory_share(threads, _MAXIMUM_MEMORY).bytes)
        return ""

    def check(self) -> None:
        """Raise ProcessingEnvironmentError if a program is configured but does not exist."""
        program = self.config.command_pathname
        if program and self._is_configured() and not shutil.which(program, path=self._environment.get("PATH")):
            raise ProcessingEnvironmentError(
                f"{program}, which command_pathname of {self.name} names, is not an executable file"
            )

    def predicate(self, crash: Crash) -> bool:
        processed = crash.processed
        return (
            self._is_configured()
            and processed.get("product") == "Firefox"
            and str(processed.get("os_name")).startswith("Windows")
            and processed.get("cpu_name", processed.get("cpu_arch")) == "x86"
            and str(processed.get("signature")).endswith(("EnterBaseline", "EnterIon"))
            and _is_outside_of_modules(crash)
        )

    def action(self, crash: Crash) -> bool:
        dump = crash.dumps.get(self.config.dump_field)
        if dump is None:
            crash.note(f"no JIT category: there is no minidump ({self.config.dump_field})")
            return False
        program = self.config.command_pathname
        values = {_PROGRAM_FIELD: (program,) if program else (), _DUMP_FIELD: (str(dump),)}
        outcome = run(self.config.command_line.fill(values), self._limits, self._environment)
        category = outcome.output.decode("utf-8", errors="replace").strip()
        code = exit_code(outcome)
        if code:
            crash.note(f"the program for JIT categories failed: {limit_reached(outcome) or f'exit code {code}'}")
        record_classification(
            crash, "jit", classifications_of_kind(crash, "jit") | {"category": category, "category_return_code": code}
        )
        return True

    def _is_configured(self) -> bool:
        command_line = self.config.command_line
        return bool(command_line) and bool(self.config.command_pathname or not command_line.uses(_PROGRAM_FIELD))


class SignatureJitCategory(Rule):
    """Sign a JIT crash by its category alone: the frames only say that it is a JIT crash.

    Reads ``classifications.jit.category``; rewrites ``signature``, and notes the old one.
    """

    maximum = 255

    def predicate(self, crash: Crash) -> bool:
        return bool(_category(crash))

    def action(self, crash: Crash) -> bool:
        crash.note(f"the signature is that of a JIT category; it was: {crash.processed.get('signature')}")
        # No later rule cleans or cuts it.
        crash.processed["signature"] = truncate(f"jit | {without_control_characters(_category(crash))}", self.maximum)
        return True


def _category(crash: Crash) -> str:
    category = classifications_of_kind(crash, "jit").get("category")
    return category if isinstance(category, str) else ""


def _is_outside_of_modules(crash: Crash) -> bool:
    """Return True if the thread that crashed has a top frame that is outside all modules.

    Without such a frame, a signature that looks like a JIT crash is that of another thread, as for a hang.
    """
    frames = frames_of(section(crash, "crashing_thread"))
    thread = crashing_thread(crash)
    if not frames and thread is not None:
        frames = thread_frames(crash, thread)
    return bool(frames) and not frames[0].get("module")
