"""``socorro doctor`` checks that everything the processor needs is there, and says what to do if it is not."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

import socorro_processor
from socorro_processor.app import temporary_directory
from socorro_processor.app.fetch_transform_save import number_of_threads
from socorro_processor.app.former_crashes import former_crash_warning
from socorro_processor.cli.command import Command, build_component, component_class
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.symbol_checks import symbol_checks
from socorro_processor.configuration import Configuration, DotDict, components
from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import SocorroError
from socorro_processor.retention.disks import DiskWatch, disk_places
from socorro_processor.search.crash_search import NO_INDEX, index_place
from socorro_processor.untrusted import plain

logger = logging.getLogger(__name__)


class Finding(NamedTuple):
    """The result of checking one part."""

    part: str
    component: str
    """The class, directory or address of the part."""
    problem: str = ""
    """Empty if the part can work; otherwise what is wrong, and what to do."""
    warnings: tuple[str, ...] = ()
    """Faults that let the part work, but not as it should."""
    note: str = ""
    """Further information, such as what will be made once it is needed."""
    checked: bool = True
    """False if the part has no check."""


Check = Callable[[], tuple[object, str]]
"""Returns component and note of a finding. Raises a SocorroError that says what is wrong, and what to do."""


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
    """Check one part after the other, and change nothing. A part that is away may take as long as its timeout."""
    values = configuration.values
    queue, pipeline = (component_class(name, configuration) for name in ("new_crash_source", "processor"))
    yield _finding("new_crash_source", queue.__name__, lambda: (queue.__name__, queue.examine(values.new_crash_source)))
    for name in ("source", "destination"):
        yield from _stores(name, configuration)
    if index_place(values) is None and any(components(values.destination, FileSystemCrashStorage)):
        yield Finding("search", "none", note=f"{NO_INDEX}; then `socorro search index` makes it", checked=False)
    yield _finding("processor.processor_class", pipeline.__name__, partial(_algorithm, configuration))
    yield _finding("processor", pipeline.__name__, partial(_processor, configuration))
    for part, component, check in symbol_checks(values):
        yield _finding(part, component, check)
    base = values.app.temporary_directory
    yield _finding("app.temporary_directory", base, partial(temporary_directory.examine, base))
    yield _finding("disks", "", partial(_disks, values))


def _finding(part: str, component: str, check: Check) -> Finding:
    """Return the finding of a check, with the warnings that it logged. ``component`` is used if the check fails."""
    with _warnings() as warnings:
        try:
            checked_component, note = check()
            finding = Finding(part, str(checked_component), note=note)
        except SocorroError as error:
            finding = Finding(part, component, str(error))
        except Exception as error:
            finding = Finding(part, component, f"cannot be checked: {type(error).__name__}: {error}")
    return finding._replace(warnings=tuple(warnings))


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect the warnings that are logged within the block, instead of printing them."""
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


def _algorithm(configuration: Configuration) -> tuple[str, str]:
    if configuration.algorithm.is_default:
        with closing(build_component("destination", configuration)) as destination:
            if warning := former_crash_warning(destination):
                logger.warning("%s", warning)
    return component_class("processor", configuration).__name__, configuration.algorithm.reason


def _processor(configuration: Configuration) -> tuple[str, str]:
    try:
        with closing(build_component("processor", configuration)) as pipeline:
            pipeline.check()
            lines = pipeline.prepare(number_of_threads(configuration.values))
            return "; ".join([type(pipeline).__name__, *lines]), "; ".join(pipeline.examine())
    except SocorroError as error:
        # A rule that cannot be built hides the problems of the others.
        processor = configuration.values.processor
        problems = processor.rule_sets.problems(processor) if "rule_sets" in processor else []
        raise SocorroError("\n".join(problems) or str(error)) from error


def _stores(name: str, configuration: Configuration) -> Iterator[Finding]:
    """Yield findings on the store of a section, and on each store inside it."""
    try:
        store: CrashStorageBase = build_component(name, configuration)
    except SocorroError as error:
        yield Finding(name, component_class(name, configuration).__name__, str(error))
        return
    with closing(store):
        for part, each in each_store({name: store}):
            component = type(each).__name__
            if each.can("check") or each.can("examine"):
                yield _finding(part, component, partial(_store, each))
            else:
                yield Finding(part, component, note=f"{component} has no check", checked=False)


def _disks(values: DotDict) -> tuple[str, str]:
    places = disk_places(values)
    for disk in DiskWatch(places, values.retention.disk_low).look():
        logger.warning("%s; make room there", disk)
    return ", ".join(places), ""


def _store(store: CrashStorageBase) -> tuple[str, str]:
    return type(store).__name__, store.examine()


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
        "It also checks the stackwalker and its sandbox, the signature lists, the reference data, symbols, their cache "
        "and their sources, the directory for temporary files, and the room on disks. Nothing is changed; what a "
        "processor makes when it needs it is listed as `will be made`.\n\n"
        "A warning means that something works, but not as it should. Parts that have no check are marked with --."
    ),
    exit_codes={0: "everything can work", 1: "something cannot"},
    example="socorro doctor --admin.conf=config/processor-production.ini",
    run=run,
    add_arguments=add_arguments,
)
