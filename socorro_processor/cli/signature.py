"""``socorro signature``: sign processed crashes by the lists of today, and say why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console

from socorro_processor.cli.command import Command
from socorro_processor.cli.layout import Row, print_table
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.stored_crashes import StoredCrashes
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, DotDict
from socorro_processor.errors import SocorroError
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules import signature, signature_rewriting
from socorro_processor.rules.json_dump import crashing_thread
from socorro_processor.rules.signature import SignatureGenerationRule, SignatureRunWatchDog, hang_type
from socorro_processor.signature.c_signature import Choice
from socorro_processor.signature.explain import Explanation, describe_entry, explain
from socorro_processor.signature.frames import as_walked
from socorro_processor.signature.siglists import Entry

_MODULES = (signature.__name__, signature_rewriting.__name__)
_TITLES = ("", "part", "frame", "normal form", "entry")
_SHARES = (0.05, 0.12, 0.25, 0, 0.3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "crashes", metavar="CRASH", nargs="+", help="a crash id, or a file with a processed crash; - is standard input"
    )
    parser.add_argument(
        "--explain", action="store_true", help="explain what each frame is to the signature, by which entry"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    rules = [rule(config) for rule, config in signature_rules(configuration)]
    check_rules(rules)
    with StoredCrashes(configuration) as crashes:
        return 1 if sum(not _signed(name, arguments, crashes, rules) for name in arguments.crashes) else 0


def _signed(name: str, arguments: argparse.Namespace, crashes: StoredCrashes, rules: list[Rule]) -> bool:
    try:
        crash = crashes.crash(name)
    except (SocorroError, OSError, ValueError) as error:
        say(f"{name}: {error}")
        return False
    before = crash.processed.get("signature")
    explanation = sign(crash, rules)
    if arguments.json:
        print(json.dumps(_as_object(crash, before, explanation if arguments.explain else None)))
    else:
        print(f"{crash.id} {plain(crash.processed['signature'])}")
        if arguments.explain:
            _print_explanation(crash, before, explanation)
    return True


def check_rules(rules: list[Rule]) -> None:
    """Raise SocorroError where these make no signature."""
    if not any(type(rule) is SignatureGenerationRule for rule in rules):
        raise SocorroError("no rule set of this configuration has a SignatureGenerationRule")


def signature_rules(configuration: Configuration) -> Iterator[tuple[type[Rule], DotDict]]:
    """Yield the rules that make signatures, in their order, each with its options."""
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
            walked = list(map(as_walked, rule.frames_to_sign(crash, thread)))
            names = rule.name_frames(crash, thread, lists)
            explanation = explain(rule.c_signature, walked, names, lists, hang_type(crash), thread)
        rule.act(crash)
    return explanation


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
                "walked": walked,
                "normalized": choice.name,
                "part": choice.part.value,
                "taken": choice.taken,
                "entries": [asdict(entry) for entry in entries],
            }
            for position, (choice, walked, entries) in enumerate(_explained(explanation))
        ]
        printed["explanation"] = {"begins": explanation.begins, "ends": explanation.ends, "frames": frames}
    return printed


def _explained(explanation: Explanation) -> Iterator[tuple[Choice, str, tuple[Entry, ...]]]:
    yield from zip(explanation.frames, explanation.walked, explanation.entries, strict=True)


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
        rows: list[Row] = []
        for position, (choice, walked, entries) in enumerate(_explained(explanation)):
            matched = "; ".join(map(plain, map(describe_entry, entries)))
            cells = (str(position), choice.part.value, plain(walked), plain(choice.name), matched)
            rows.append([(cell, "bold" if choice.taken else "") for cell in cells])
        print_table(_TITLES, rows, _SHARES)
    for note in crash.notes:
        console.print(f"  {plain(note)}", markup=False, soft_wrap=True)


COMMAND = Command(
    name="signature",
    summary="Sign processed crashes by the lists of today; --explain says why.",
    description=(
        "A crash id is looked for in the destination store, its annotations in the source. A crash in a file has no "
        "annotations: what they would add (OOM, Abort, IPCError) is missing then."
    ),
    exit_codes={0: "all are signed", 1: "some could not be read"},
    example="socorro signature 0bba61c5-dfc3-43e7-dead-8afd20161123 --explain",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor"),
)
