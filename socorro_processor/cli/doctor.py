"""``socorro doctor`` checks that all the processor needs is there, and says what to do where it is not."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

import socorro_processor
from socorro_processor.app import temporary_directory
from socorro_processor.app.fetch_transform_save import threads_of
from socorro_processor.cli.command import Command, build, class_of
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.symbol_checks import symbol_checks
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.errors import SocorroError


class Finding(NamedTuple):
    """The result of looking at one part."""

    part: str
    component: str
    """The class, directory or address that the part is made of."""
    problem: str = ""
    """Empty where the part can do its work; else what is wrong, and what to do."""
    warnings: tuple[str, ...] = ()
    """Faults with which the part works, but not as it should."""
    note: str = ""
    """More to know, such as what will be made once it is needed."""
    checked: bool = True
    """False where the part cannot tell whether it can do its work."""


Check = Callable[[], tuple[str, str]]
"""Returns what a part is made of, and the note on it. Raises a SocorroError that says what is wrong, and what to do;
NotImplementedError where that cannot be told."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    for warning in configuration.warnings:
        say(warning)
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
    """Look at one part after the other; a part that is away may take as long as its time-out. Nothing is changed."""
    queue = class_of("new_crash_source", configuration)
    yield _tried("new_crash_source", partial(_queue, queue, configuration), queue.__name__)
    for name in ("source", "destination"):
        yield from _stores(name, configuration)
    pipeline = class_of("processor", configuration).__name__
    yield _tried("processor", partial(_processor, configuration), pipeline)
    for part, component, check in symbol_checks(configuration):
        yield _tried(part, check, component)
    base = configuration.values.app.temporary_directory
    yield _tried("app.temporary_directory", partial(_temporary_directory, base), base)


def _tried(part: str, check: Check, component: str) -> Finding:
    """Return the finding of a check, with the warnings that it logged. ``component`` names a part that fails."""
    with _warnings() as warnings:
        finding = _found(part, check, component)
    return finding._replace(warnings=tuple(warnings))


def _found(part: str, check: Check, component: str) -> Finding:
    try:
        made_of, note = check()
        return Finding(part, made_of, note=note)
    except SocorroError as error:
        return Finding(part, component, str(error))
    except NotImplementedError as error:
        return Finding(part, component, note=str(error) or "it has no check", checked=False)
    except Exception as error:
        return Finding(part, component, f"cannot be checked: {type(error).__name__}: {error}")


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect the warnings that are logged within the block, in place of printing them."""
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


def _queue(queue_class: Any, configuration: Configuration) -> tuple[str, str]:
    return queue_class.__name__, queue_class.examine(configuration.values.new_crash_source)


def _processor(configuration: Configuration) -> tuple[str, str]:
    try:
        with closing(build("processor", configuration)) as pipeline:
            pipeline.check()
            said = pipeline.prepare(threads_of(configuration.values))
            return "; ".join([type(pipeline).__name__, *said]), "; ".join(pipeline.examine())
    except SocorroError as error:
        # A rule that cannot be made hides what the others lack.
        processor = configuration.values.processor
        problems = processor.rule_sets.problems(processor) if "rule_sets" in processor else []
        raise SocorroError("\n".join(problems) or str(error)) from error


def _stores(name: str, configuration: Configuration) -> Iterator[Finding]:
    """Yield findings on the store of a section, and on each store behind it."""
    try:
        store: CrashStorageBase = build(name, configuration)
    except SocorroError as error:
        yield Finding(name, class_of(name, configuration).__name__, str(error))
        return
    with closing(store):
        for part, each in each_store({name: store}):
            yield _tried(part, partial(_store, each), type(each).__name__)


def _store(store: CrashStorageBase) -> tuple[str, str]:
    return type(store).__name__, store.examine()


def _temporary_directory(base: str) -> tuple[str, str]:
    path, note = temporary_directory.examine(base)
    return str(path), note


def _print(finding: Finding, console: Console) -> None:
    if finding.problem:
        sign, style = "bad", "bold red"
    elif not finding.checked:
        sign, style = "--", "yellow"
    else:
        sign, style = "ok", "yellow" if finding.warnings else "green"
    console.print(Text(f"{sign:<5}", style), Text(f"{finding.part:<24} {finding.component}"), sep="")
    if finding.note:
        console.print(f"     {'' if finding.checked else 'not checked: '}{plain(finding.note)}", markup=False)
    for line in finding.problem.splitlines():
        console.print(f"     {plain(line)}", markup=False)
    for warning in finding.warnings:
        console.print(Text("     warning: ", "yellow"), Text(plain(warning)), sep="")


COMMAND = Command(
    name="doctor",
    summary="Check the configuration and each service that it names; say what to do.",
    description=(
        "Checked are also the stackwalker and what is in force of its sandbox, the signature lists, the reference "
        "data, symbols, their cache and their sources, and the directory for temporary files. Nothing is changed; what "
        "a processor makes once it needs it is said to be made then.\n\n"
        "A warning is about what works, but not as it should. What cannot be checked has -- in front."
    ),
    exit_codes={0: "all can work", 1: "something cannot"},
    example="socorro doctor --admin.conf=config/processor-production.ini",
    run=run,
    add_arguments=add_arguments,
)
