"""Process minidumps that are in no store, by the same steps and rules; nothing is saved."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from socorro_processor.app.crash_steps import CrashSteps
from socorro_processor.app.fetch_transform_save import number_of_threads
from socorro_processor.app.submission import Dumps, check_minidumps, new_raw_crash
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.cli.crash_files import crashes_in, read_annotations
from socorro_processor.cli.show import as_json, shown_by
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.errors import ConfigurationError, CrashIDNotFound, SocorroError, TransientStorageError
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.printed_report import print_report
from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.serialization import Note, ignore
from socorro_processor.symbols.supplier import rules_with_symbols
from socorro_processor.untrusted import plain


def process_files(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Print the report of each minidump; return the exit code."""
    crashes = crashes_in(arguments.crashes)
    annotations = read_annotations(arguments.raw_crash)
    values = configuration.values
    _set_symbols(values.processor, arguments.symbols)
    places = SymbolPlaces.of(values.processor, arguments.symbols)
    failed = 0
    with ExitStack() as stack:
        directory = ProcessDirectory(values.app.temporary_directory)
        stack.callback(directory.close)
        pipeline: ProcessorPipeline = values.processor.processor_class(values.processor)
        stack.callback(pipeline.close)
        pipeline.clean_up()
        pipeline.prepare(number_of_threads(values))
        pipeline.check()
        for number, dumps in enumerate(crashes):
            try:
                check_minidumps(dumps)
                processed = _process(pipeline, directory, new_raw_crash(annotations), dumps)
            except SocorroError as error:
                failed += 1
                say(str(error))
            else:
                _print(processed, dumps, arguments, annotations, places, is_first=number == 0)
    return 1 if failed else 0


class _FilesOfOneCrash(CrashStorageBase):
    """A store of one crash, whose dumps are files; it keeps the processed crash in memory."""

    def __init__(self, raw_crash: RawCrash, dumps: Dumps) -> None:
        super().__init__(DotDict())
        self._raw_crash = raw_crash
        self._dumps = dumps
        self.processed: ProcessedCrash = {}

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self.processed = processed_crash

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        return self._raw_crash

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        # A sandbox shows the stackwalker this directory, and perhaps no other.
        copies = {name: directory / f"{crash_id}.{name}.dump" for name in self._dumps}
        try:
            for name, path in self._dumps.items():
                shutil.copyfile(path, copies[name])
        except OSError as error:
            raise TransientStorageError(f"cannot copy {path} to {directory}: {error.strerror}") from error
        return copies

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        raise CrashIDNotFound(f"{crash_id} is new")


def _process(
    pipeline: ProcessorPipeline, directory: ProcessDirectory, raw_crash: RawCrash, dumps: Dumps
) -> ProcessedCrash:
    store = _FilesOfOneCrash(raw_crash, dumps)
    CrashSteps(store, pipeline, store, directory).run(raw_crash["uuid"], is_new=True)
    return store.processed


def _set_symbols(processor: DotDict, directories: Sequence[Path]) -> None:
    """Make the rules that walk dumps look for symbols in ``directories``, and leave no indexes beside these."""
    for directory in directories:
        if not directory.is_dir():
            raise ConfigurationError(f"--symbols={plain(str(directory))}: there is no such directory")
    rules = list(rules_with_symbols(processor))
    if directories and not rules:
        raise ConfigurationError("--symbols: no rule of the processor takes symbols; BreakpadStackwalkerRule2015 does")
    for rule in rules:
        rule.make_indexes = False
        if directories:
            rule.symbols_path = tuple(str(directory.absolute()) for directory in directories)


def _print(
    processed: ProcessedCrash,
    dumps: Dumps,
    arguments: argparse.Namespace,
    annotations: Mapping[str, Any],
    places: SymbolPlaces,
    *,
    is_first: bool,
) -> None:
    if arguments.json:
        print(as_json(processed, indent=2 if sys.stdout.isatty() else None), flush=True)
        return
    if not is_first:
        print()
    report = CrashReport(processed, file=str(next(iter(dumps.values()))), places=places, annotations=annotations)
    print_report(report, Console(highlight=False), shown_by(arguments))
