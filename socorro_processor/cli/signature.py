"""``socorro signature``: sign processed crashes by the lists of today, and say why."""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.layout import Row, table
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.crash_id import check_crash_id
from socorro_processor.errors import CrashStorageError, InvalidCrashID, SocorroError
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules import signature, signature_rewriting
from socorro_processor.rules.json_dump import crashing_thread, frames_of
from socorro_processor.rules.signature import SignatureGenerationRule, SignatureRunWatchDog, hang_type
from socorro_processor.serialization import NotJSON, decode
from socorro_processor.signature.explain import Explanation, explain, place

_STANDARD_INPUT = "-"
_MODULES = (signature.__name__, signature_rewriting.__name__)
_SHARES = (0.05, 0.15, 0, 0.4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "crashes", metavar="CRASH", nargs="+", help="a crash id, or a file with a processed crash; - is standard input"
    )
    parser.add_argument("--explain", action="store_true", help="what each frame is to the signature, by which entry")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rules = [rule(config) for rule, config in signature_rules(configuration)]
    if not any(type(rule) is SignatureGenerationRule for rule in rules):
        raise SocorroError("no rule set of this configuration has a SignatureGenerationRule")
    failures = 0
    for name in arguments.crashes:
        try:
            crash = _crash(name, configuration)
        except (SocorroError, OSError, ValueError) as error:
            print(f"socorro: {plain(name)}: {plain(str(error))}", file=sys.stderr)
            failures += 1
            continue
        before = crash.processed.get("signature")
        explanation = sign(crash, rules)
        if arguments.json:
            print(json.dumps(_as_object(crash, before, explanation if arguments.explain else None)))
        else:
            print(f"{crash.id} {plain(crash.processed['signature'])}")
            if arguments.explain:
                _print_explanation(crash, before, explanation)
    return 1 if failures else 0


def signature_rules(configuration: Configuration) -> Iterator[tuple[type[Rule], DotDict]]:
    """The rules that make signatures, in their order, each with its options."""
    processor = configuration.values.processor
    for rule_set in processor.rule_sets.rule_sets:
        for rule in rule_set.rule_classes:
            if rule.__module__ in _MODULES:
                yield rule, processor.get(f"{rule_set.name}.{rule.__name__}", DotDict())


def sign(crash: Crash, rules: list[Rule]) -> Explanation | None:
    """Sign ``crash`` anew; why the stack gives what it gives, or None where the stack is one of Java."""
    explanation = None
    for rule in rules:
        thread = crashing_thread(crash)
        if isinstance(rule, SignatureRunWatchDog):
            if not rule.predicate(crash):
                continue
            thread = 0
        if isinstance(rule, SignatureGenerationRule) and not crash.raw.get("JavaStackTrace"):
            lists = rule.c_signature.lists.current
            names = rule.names(crash, thread, lists)
            explanation = explain(rule.c_signature, names, lists, hang_type(crash), thread)
        rule.act(crash)
    return explanation


def _crash(name: str, configuration: Configuration) -> Crash:
    """The crash as its processed crash has it, with the annotations where its raw crash is at hand."""
    try:
        crash_id = check_crash_id(name.strip().lower())
    except InvalidCrashID:
        processed = _read(name)
        return _as_crash(str(processed.get("uuid") or plain(name)), {}, processed)
    with closing(build("destination", configuration)) as store:
        processed = store.get_unredacted_processed(crash_id)
    raw: dict[str, Any] = {}
    try:
        with closing(build("source", configuration)) as store:
            raw = store.get_raw_crash(crash_id)
    except CrashStorageError as error:
        print(f"socorro: {crash_id}: signed without its annotations: {plain(str(error))}", file=sys.stderr)
    return _as_crash(crash_id, raw, processed)


def _read(name: str) -> dict[str, Any]:
    content = sys.stdin.buffer.read() if name == _STANDARD_INPUT else Path(name).read_bytes()
    processed = decode(content)
    if not isinstance(processed, dict):
        raise NotJSON("it is JSON, but no object")
    return processed


def _as_crash(crash_id: str, raw: dict[str, Any], processed: dict[str, Any]) -> Crash:
    processed = copy.deepcopy(processed)
    processed.setdefault("signature", "")
    if java_stack_trace := processed.get("java_stack_trace"):
        raw = {"JavaStackTrace": java_stack_trace} | raw
    # The lists of then named these frames; those of today may name them otherwise.
    json_dump = processed.get("json_dump")
    threads = json_dump.get("threads") if isinstance(json_dump, dict) else None
    for thread in threads if isinstance(threads, list) else []:
        for frame in frames_of(thread):
            frame.pop("normalized", None)
    return Crash(crash_id, raw, processed=processed)


def _as_object(crash: Crash, before: object, explanation: Explanation | None) -> dict[str, Any]:
    printed = {
        "crash_id": crash.id,
        "signature": crash.processed["signature"],
        "proto_signature": crash.processed.get("proto_signature"),
        "stored_signature": before,
        "notes": crash.notes,
    }
    if explanation is not None:
        frames = [
            {
                "frame": position,
                "normalized": choice.name,
                "part": choice.part.value,
                "taken": choice.taken,
                "entries": [asdict(entry) for entry in entries],
            }
            for position, (choice, entries) in enumerate(zip(explanation.frames, explanation.entries, strict=True))
        ]
        printed["explanation"] = {"begins": explanation.begins, "ends": explanation.ends, "frames": frames}
    return printed


def _print_explanation(crash: Crash, before: object, explanation: Explanation | None) -> None:
    console = Console(highlight=False)
    if before and before != crash.processed["signature"]:
        console.print(f"  before: {plain(before)}", markup=False, soft_wrap=True)
    if explanation is None:
        console.print("  the first lines of its Java stack", markup=False)
    else:
        if explanation.signature != crash.processed["signature"]:
            console.print(f"  of the stack: {plain(explanation.signature)}", markup=False, soft_wrap=True)
        console.print(f"  begins {explanation.begins}\n  ends {explanation.ends}", markup=False)
        rows: list[Row] = [[(heading, "dim") for heading in ("", "part", "frame", "entry")]]
        for position, (choice, entries) in enumerate(zip(explanation.frames, explanation.entries, strict=True)):
            cells = (str(position), choice.part.value, plain(choice.name), "; ".join(map(plain, map(place, entries))))
            rows.append([(cell, "bold" if choice.taken else "") for cell in cells])
        for line in table(rows, _SHARES, console.width if console.is_terminal else None):
            console.print(line, soft_wrap=True)
    for note in crash.notes:
        console.print(f"  {plain(note)}", markup=False, soft_wrap=True)


COMMAND = Command(
    name="signature",
    summary="Sign processed crashes by the lists of today; --explain says why.",
    description=(
        "Sign processed crashes by the lists of today; --explain says why.\n\n"
        "A crash id is looked for in the destination store, its annotations in the source. Of a crash in a\n"
        "file there are no annotations: what they would add (OOM, Abort, IPCError) is missing then.\n"
        "Exit code: 0 all signed; 1 some could not be read; 2 wrong arguments or configuration."
    ),
    example="socorro signature 0bba61c5-dfc3-43e7-dead-8afd20161123 --explain",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor", "resource"),
)
