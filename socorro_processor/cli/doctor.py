"""``socorro doctor``: whether all that the processor needs is there, and what to do where it is not."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

import socorro_processor
from socorro_processor.app.fetch_transform_save import threads_of
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.cli.command import Command, build
from socorro_processor.cli.symbol_checks import symbol_checks
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import SocorroError


class Finding(NamedTuple):
    """What was found of one part."""

    part: str
    component: str
    problem: str
    """Empty where the part can do its work; else what is wrong, and what to do."""
    warnings: tuple[str, ...] = ()
    """What works, but not as it should."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    for warning in configuration.warnings:
        print(f"socorro: {warning}", file=sys.stderr)
    findings = []
    console = Console(highlight=False, soft_wrap=True)
    for finding in examine(configuration):
        findings.append(finding)
        if not arguments.json:
            _print(finding, console)
    if arguments.json:
        print(json.dumps([finding._asdict() for finding in findings]))
    return 1 if any(finding.problem for finding in findings) else 0


def examine(configuration: Configuration) -> Iterator[Finding]:
    """Look at one part after the other; a part that is away may take as long as its time-out."""
    yield _tried("new_crash_source", lambda: _checked("new_crash_source", configuration))
    for name in ("source", "destination"):
        yield from _stores(name, configuration)
    yield _tried("processor", lambda: _processor(configuration))
    for part, component, check in symbol_checks(configuration):
        yield _tried(part, check, component)
    yield _tried("app.temporary_directory", lambda: _temporary_directory(configuration))


def _tried(part: str, check: Callable[[], str], component: str = "") -> Finding:
    """``check`` returns what the part is made of; what it warns of in the log is for whoever asks now."""
    with _warnings() as warnings:
        found = _found(part, check, component)
    return found._replace(warnings=tuple(warnings))


def _found(part: str, check: Callable[[], str], component: str) -> Finding:
    try:
        return Finding(part, check(), "")
    except SocorroError as error:
        return Finding(part, component, str(error))
    except Exception as error:
        return Finding(part, component, f"cannot be checked: {type(error).__name__}: {error}")


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What is logged as a warning within the block, and is not printed by the log then."""
    warnings: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    package = logging.getLogger(socorro_processor.__name__)
    listener, propagated = Listener(logging.WARNING), package.propagate
    package.addHandler(listener)
    package.propagate = False
    try:
        yield warnings
    finally:
        package.removeHandler(listener)
        package.propagate = propagated


def _checked(name: str, configuration: Configuration) -> str:
    with closing(build(name, configuration)) as part:
        part.check()
        return type(part).__name__


def _processor(configuration: Configuration) -> str:
    try:
        with closing(build("processor", configuration)) as pipeline:
            pipeline.check()
            return "; ".join([type(pipeline).__name__, *pipeline.prepare(threads_of(configuration.values))])
    except SocorroError as error:
        # A rule that cannot be made hides what the others lack.
        processor = configuration.values.processor
        problems = processor.rule_sets.problems(processor) if "rule_sets" in processor else []
        raise SocorroError("\n".join(problems) or str(error)) from error


def _stores(name: str, configuration: Configuration) -> Iterator[Finding]:
    """The store of a section; where it is several in one, each of them."""
    try:
        store: CrashStorageBase = build(name, configuration)
    except SocorroError as error:
        yield Finding(name, "", str(error))
        return
    with closing(store):
        stores = store.stores if isinstance(store, PolyCrashStorage) else {"": store}
        for inner, each in stores.items():
            part = f"{name}.{inner}".rstrip(".")
            yield _tried(part, lambda each=each: each.check() or type(each).__name__, type(each).__name__)  # type: ignore[misc]


def _temporary_directory(configuration: Configuration) -> str:
    with closing(ProcessDirectory(configuration.values.app.temporary_directory)) as directory:
        return str(directory.path.parent)


def _print(finding: Finding, console: Console) -> None:
    sign, style = ("bad", "bold red") if finding.problem else ("ok", "yellow" if finding.warnings else "green")
    console.print(Text(f"{sign:<5}", style), Text(f"{finding.part:<24} {finding.component}"), sep="")
    for line in finding.problem.splitlines():
        console.print(f"     {plain(line)}", markup=False)
    for warning in finding.warnings:
        console.print(Text("     warning: ", "yellow"), Text(plain(warning)), sep="")


COMMAND = Command(
    name="doctor",
    summary="Check the configuration and each service that it names; say what to do.",
    description=(
        "Check the configuration, each service that it names, the stackwalker, the signature lists, the reference "
        "data, the symbol cache, the sources of symbols and the directory for temporary files; say what to do.\n\n"
        "A warning is of what works, but not as it should.\n\n"
        "Exit code: 0 all can work; 1 something is not; 2 wrong arguments or configuration."
    ),
    example="socorro doctor --admin.conf=config/processor-production.ini",
    run=run,
    add_arguments=add_arguments,
)
