"""The rule that runs the external stackwalker on each minidump of a crash."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from socorro_processor.configuration import (
    DotDict,
    Namespace,
    Seconds,
    WholeNumber,
    names_or_paths,
    share,
    size,
    size_or_auto,
)
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.machine.bounded_program import Limits
from socorro_processor.machine.memory_share import MemoryShare, memory_share
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.serialization import encode
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.different_walks import MAXIMUM_NUMBER, MAXIMUM_TOTAL, DifferentWalks
from socorro_processor.stackwalk.dump_walker import Dump, DumpWalk, DumpWalker
from socorro_processor.stackwalk.result import NO_MINIDUMP, OUTCOMES, StackwalkResult, empty_minidump_result
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, ENFORCED, FIELDS, OWN, STOCK, Stackwalker
from socorro_processor.symbols.supplier import SymbolSupplier

logger = logging.getLogger(__name__)


def parse_command_line(text: str) -> CommandLine:
    """Parse a command line with the fields of a stackwalker. Raises ValueError."""
    return CommandLine(text, FIELDS)


class BreakpadStackwalkerRule2015(Rule):
    """Run the stackwalker on every minidump, and keep its output.

    If ``symbols.sources`` is set, symbols that the stackwalker misses are fetched into the symbol cache while it runs.
    Reads the dumps whose name begins with ``dump_field``. Writes ``json_dump``, ``mdsw_return_code``,
    ``mdsw_status_string`` and ``success``: for the main dump into the processed crash itself, for each other dump below
    its name, which ``additional_minidumps`` lists. Notes each walk that failed, and minidumps beyond
    ``maximum_minidumps``, because a stranger may send any number. Raises ProcessingEnvironmentError if this machine
    cannot walk any dump, or kills a walk.
    """

    version = "2.0"

    required_config = Namespace()
    required_config.add_option(
        "dump_field",
        default="upload_file_minidump",
        doc="name of the main minidump; the names of the others begin with it",
    )
    required_config.add_option(
        "command_line",
        default="",
        doc=f"how the stackwalker is called (empty: as {OWN} or {STOCK} expects it): arguments as in a shell, but no "
        "shell runs; an argument whose field has no value is left out together with the switch before it, and one "
        "whose field has several values is repeated; fields: " + " ".join(f"{{{field}}}" for field in FIELDS),
        from_string_converter=parse_command_line,
    )
    required_config.add_option(
        "command_pathname",
        default="",
        doc=f"the stackwalker: a path, or a name (empty: {OWN}, or {STOCK} if there is none) of a program on PATH or "
        "beside the running Python; for a name, the environment variable SOCORRO_STACKWALKER comes first; at the start "
        "of a processor, the program must print a JSON object for a minidump without threads",
    )
    required_config.add_option(
        "sandbox",
        default="",
        doc="a command that runs the stackwalker in a sandbox, with the same fields; the sandbox must let it read the "
        "dump and the symbols, and end with it: bwrap --unshare-all --die-with-parent --ro-bind / / --dev /dev -- "
        "(docs/security.rst has one that hides all other files)",
        from_string_converter=parse_command_line,
    )
    required_config.add_option(
        "environment",
        default="PATH, TMPDIR",
        doc="names of environment variables that are passed to the stackwalker if they are set (https_proxy for one "
        "that fetches symbols, LD_LIBRARY_PATH for one that needs it)",
        from_string_converter=names_or_paths,
    )
    required_config.add_option(
        "kill_timeout",
        default="120",
        doc="seconds after which a stackwalker is killed, with every process that it started",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "cpu_limit",
        default="120",
        doc="seconds of CPU time that a stackwalker may use",
        from_string_converter=Seconds(above=True),
    )
    required_config.add_option(
        "memory_limit",
        default="auto",
        doc="memory (address space) that a stackwalker may use (k, M, G); auto: three quarters of the memory of this "
        "machine or its container, divided by the number of threads, at least 256M and at most 4G; a symbol file that "
        "is read in full takes up to three times its size",
        from_string_converter=size_or_auto,
    )
    required_config.add_option(
        "output_limit",
        default="16M",
        doc="how much a stackwalker may print for all minidumps of a crash (k, M, G): 2.5M for a big one; beyond the "
        "limit, deep stacks are cut as they are printed, and only the rest counts; parsed, the output takes up to 35 "
        "times as much of the processor's own memory",
        from_string_converter=size,
    )
    required_config.add_option(
        "maximum_minidumps",
        default=6,
        doc="how many minidumps of a crash are walked; times kill_timeout, it must be less than app.maximum_crash_time",
        from_string_converter=WholeNumber(1, 50),
    )
    required_config.add_option(
        "niceness",
        default=0,
        doc="niceness of a stackwalker, from 0 to 19 (which gives way to all other programs)",
        from_string_converter=WholeNumber(0, 19),
    )
    required_config.add_option(
        "symbols_path",
        default="socorro-data/symbols",
        doc="directories of symbol files in the Breakpad layout, separated by commas",
        from_string_converter=names_or_paths,
    )
    required_config.add_option(
        "symbol_cache_path",
        default="",
        doc="the directory of the symbol cache",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "symbol_tmp_path",
        default="",
        doc="directory for unfinished files of a stackwalker that fetches symbols itself, on the cache's file system",
    )
    required_config.add_option(
        "public_symbols_url",
        default="",
        doc=f"symbol server that the stackwalker asks; {STOCK} is then the default one (empty: none)",
        likely_to_be_changed=True,
    )
    required_config.add_option(
        "private_symbols_url",
        default="",
        doc=f"another symbol server that the stackwalker asks; {STOCK} is then the default one (empty: none)",
        likely_to_be_changed=True,
        secret=True,  # it may contain a token
    )
    required_config.add_option(
        "symbol_index_path",
        default="",
        doc="directory of the indexes of symbol files, with which a walk reads only what it needs (empty: beside each "
        "directory of symbol files, under its name with .index appended)",
        reference_value_from="resource.symbols",
    )
    required_config.add_option(
        "make_indexes",
        default=True,
        doc="make an index of each symbol file that a walk had to read in full",
    )
    required_config.add_option(
        "verify_walks",
        default=0.0,
        doc=f"share of dumps (0 to 1) that {OWN} walks a second time with the whole symbol files, as {STOCK} does; "
        "differences are counted, logged and kept; a command_line must contain {command_pathname} and {switches}",
        from_string_converter=share,
    )
    required_config.add_option(
        "verify_walks_path",
        default="socorro-data/different-walks",
        doc="directory in which both walks of a dump are kept if they differ: the newest "
        f"{MAXIMUM_NUMBER}, up to {MAXIMUM_TOTAL >> 20} MB (empty: none are kept); they contain data of the crash, so "
        "only their owner may read them",
    )
    required_config.add_option(
        "verify_walks_days",
        default=7,
        doc="days after which kept walks are removed",
        from_string_converter=WholeNumber(1, 365),
    )
    required_config.add_option(
        "temporary_file_system_storage_path",
        default="",
        doc="directory for the raw crash, if the stackwalker reads it (empty: that of the crash's other files)",
    )
    required_config.symbols = SymbolSupplier.get_required_config()

    def __init__(
        self, config: DotDict | None = None, memory_share: Callable[[int], MemoryShare] = memory_share
    ) -> None:
        """``memory_share`` returns the memory of each of that many walks at once, for a ``memory_limit`` of auto."""
        super().__init__(config)
        self._refuse_to_verify_nothing()
        self._memory_share = memory_share
        for outcome in OUTCOMES:
            METRICS.expect("stackwalk.ended", outcome=outcome)
        self._stackwalker = Stackwalker(
            self.config.command_line,
            program=self.config.command_pathname or (STOCK if self._asks_servers() else ""),
            sandbox=self.config.sandbox,
            limits=Limits(
                timeout=self.config.kill_timeout,
                cpu=math.ceil(self.config.cpu_limit),
                memory=self.config.memory_limit or memory_share(1).bytes,
                output=self.config.output_limit,
                niceness=self.config.niceness,
            ),
            environment=BASE_ENVIRONMENT
            | {name: os.environ[name] for name in self.config.environment if name in os.environ},
        )
        self._supplier = (
            SymbolSupplier(self.config.symbols, self.config.symbol_cache_path, self.config.symbols_path)
            if SymbolSupplier.is_wanted(self.config.symbols)
            else None
        )
        self._walker = DumpWalker(
            self._stackwalker,
            [store for store in (*self.config.symbols_path, self.config.symbol_cache_path) if store],
            self._supplier,
            index_path=self.config.symbol_index_path,
            makes_indexes=self.config.make_indexes,
            share_to_verify=self.config.verify_walks,
            different=DifferentWalks(Path(self.config.verify_walks_path), self.config.verify_walks_days)
            if self.config.verify_walks_path
            else None,
        )

    def _refuse_to_verify_nothing(self) -> None:
        """Raise ConfigurationError if an operator's own command line would walk twice in the same way."""
        line = self.config.command_line
        if not self.config.verify_walks or not line:
            return
        if missing := [f"{{{field}}}" for field in ("command_pathname", "switches") if not line.uses(field)]:
            raise ConfigurationError(
                f"verify_walks is {self.config.verify_walks:g}, but command_line has no {' and no '.join(missing)}, "
                "without which no dump is walked in two ways: begin it with {command_pathname} {switches}, or set "
                "verify_walks to 0"
            )

    def _asks_servers(self) -> bool:
        """Return True if the stackwalker itself should ask symbol servers; our own cannot."""
        return bool(self.config.public_symbols_url or self.config.private_symbols_url)

    def prepare(self, threads: int) -> str:
        self._warn_if_nothing_is_verified()
        if self.config.memory_limit is not None:
            return f"a stackwalker may use {self.config.memory_limit >> 20} MB of memory (memory_limit)"
        share = self._memory_share(threads)
        self._stackwalker.limits = replace(self._stackwalker.limits, memory=share.bytes)
        if share.is_too_small:
            logger.warning(
                "stackwalkers may use more memory than there is, %s: give the processor more memory, or fewer threads "
                "(producer_consumer.number_of_threads)",
                share,
            )
        return f"a stackwalker may use {share} (memory_limit)"

    def _warn_if_nothing_is_verified(self) -> None:
        if not self.config.verify_walks:
            return
        try:
            program, version = self._stackwalker.version()
        except ProcessingEnvironmentError:
            return  # each walk will report it
        if version and not version.startswith(OWN):
            logger.warning(
                "verify_walks is %g, but no walk is verified: %s is not %s, the only one that walks in two ways; "
                "`make install` builds it if Rust is installed",
                self.config.verify_walks,
                program,
                OWN,
            )

    def clean_up(self) -> None:
        self._walker.remove_old()

    def examine(self) -> str:
        """Name the parts of the stackwalker's own sandbox that are in force; log a warning for each that is not."""
        if not (enforcement := self._stackwalker.own_sandbox(self._settings())):
            return ""
        for part, state in enforcement.items():
            if not state.startswith(ENFORCED):
                logger.warning("the stackwalker walks without %s of its own sandbox: %s", part, state)
        return "the stackwalker's own sandbox: " + ", ".join(f"{part} {state}" for part, state in enforcement.items())

    def check(self) -> None:
        """Raise ProcessingEnvironmentError, which says what to do, if no stackwalk can succeed now."""
        directory = self.config.temporary_file_system_storage_path
        self._stackwalker.check(self._settings(), Path(directory) if directory else None)

    def close(self) -> None:
        self._walker.close()
        if self._supplier is not None:
            self._supplier.close()

    def action(self, crash: Crash) -> bool:
        main = self.config.dump_field
        crash.processed["additional_minidumps"] = []
        if main not in crash.dumps:
            crash.note(f"{NO_MINIDUMP} ({main})")
            METRICS.increment("stackwalk.no_minidump")
            crash.processed.update(StackwalkResult().as_processed())
        output_left = self.config.output_limit
        with self._raw_crash_file(crash) as raw_crash_pathname:
            for name in self._minidumps(crash):
                result, output_size = self._walk(crash, name, raw_crash_pathname, output_left)
                output_left -= output_size
                if name == main:
                    crash.processed.update(result.as_processed())
                else:
                    crash.processed["additional_minidumps"].append(name)
                    crash.processed[name] = result.as_processed()
        return True

    def _minidumps(self, crash: Crash) -> list[str]:
        """Return the names of the minidumps to walk, in their order; the main one is never left out."""
        main = self.config.dump_field
        names = [name for name in crash.dumps if name.startswith(main)]
        too_many = len(names) - self.config.maximum_minidumps
        if too_many > 0:
            crash.note(f"{too_many} of {len(names)} minidumps are not walked: maximum_minidumps")
            left_out = [name for name in names if name != main][-too_many:]
            names = [name for name in names if name not in left_out]
        return names

    def _walk(
        self, crash: Crash, name: str, raw_crash_pathname: Sequence[str], output_limit: int
    ) -> tuple[StackwalkResult, int]:
        """Return the result of a dump, and the bytes that the stackwalker printed for it."""
        path = crash.dumps[name]
        if _is_empty(path):
            result, output_size = empty_minidump_result(name), 0
        else:
            values = {"dump_file_pathname": (str(path),), "raw_crash_pathname": raw_crash_pathname, **self._settings()}
            walk = self._walker.walk(Dump(crash.id, name, values, output_limit))
            for note in walk.supplied.notes():
                crash.note(f"{name}: {note}")
            _log(crash.id, name, walk)
            crash.stackwalker_logs[name] = walk.outcome.stderr
            result, output_size = walk.result, len(walk.outcome.output)
        for note in result.notes:
            crash.note(note)
        METRICS.increment("stackwalk.ended", outcome=result.counted_as)
        return result, output_size

    def _settings(self) -> dict[str, Sequence[str]]:
        """Return the values for the command line that are the same for every dump."""
        return {
            "symbols_path": self.config.symbols_path,
            "symbol_cache_path": _value(self.config.symbol_cache_path),
            "symbols_tmp_path": _value(self.config.symbol_tmp_path),
            "symbol_tmp_path": _value(self.config.symbol_tmp_path),
            "public_symbols_url": _value(self.config.public_symbols_url),
            "private_symbols_url": _value(self.config.private_symbols_url),
            "symbol_index_path": _value(self.config.symbol_index_path),
            "questions_timeout": (f"{self.config.symbols.supply_timeout:g}",) if self._supplier else (),
            "kill_timeout": (f"{self.config.kill_timeout:g}",),
        }

    @contextmanager
    def _raw_crash_file(self, crash: Crash) -> Iterator[Sequence[str]]:
        """Yield the path of a file with the raw crash; nothing if it is not needed.

        It is removed with the directory of the crash, or, if it is elsewhere, after the block.
        """
        if not self._stackwalker.uses("raw_crash_pathname"):
            yield ()
            return
        elsewhere = self.config.temporary_file_system_storage_path
        with ExitStack() as cleanup:
            try:
                directory = crash.temporary_directory
                if elsewhere or directory is None:
                    temporary = tempfile.TemporaryDirectory(prefix="raw_crash-", dir=elsewhere or None)
                    directory = Path(cleanup.enter_context(temporary))
                path = directory / "raw_crash.json"
                path.write_bytes(encode(crash.raw))
            except OSError as error:
                raise ProcessingEnvironmentError(f"cannot write the raw crash for the stackwalker: {error}") from error
            yield (str(path),)


def _is_empty(dump: Path) -> bool:
    try:
        return dump.stat().st_size == 0
    except OSError:  # the walk will report it
        return False


def _value(text: str) -> Sequence[str]:
    return (text,) if text else ()


def _log(crash_id: str, dump_name: str, walk: DumpWalk) -> None:
    outcome = walk.outcome
    logger.debug(
        "%s: stackwalk of %s: %s in %.3f s, %.3f s of CPU",
        crash_id,
        dump_name,
        walk.result.status,
        outcome.wall_seconds,
        outcome.cpu_seconds,
    )
    if stderr := outcome.stderr.strip():
        logger.info("%s: stackwalk of %s: %s", crash_id, dump_name, " | ".join(stderr.split("\n")))
