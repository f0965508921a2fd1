"""``socorro signature`` signs processed crashes by today's lists, and says why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from socorro_processor.cli.command import Command
from socorro_processor.cli.crash_ids import STANDARD_INPUT, crash_id_of
from socorro_processor.cli.signature_explanation import print_explanation
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.errors import InvalidCrashID, SocorroError
from socorro_processor.layout import Row, print_table
from socorro_processor.pipeline.rule import Crash
from socorro_processor.serialization import NotJSON, decode
from socorro_processor.signature.c_signature import Choice
from socorro_processor.signature.explain import Explanation, WalkedFrame, describe_entry
from socorro_processor.signature.siglists import Entry
from socorro_processor.signing.signer import SignedCrash, Signer
from socorro_processor.signing.stored_crashes import StoredCrashes, crash_to_sign
from socorro_processor.untrusted import plain

_TITLES = ("", "part", "frame", "normal form", "entry")
_COLUMN_SHARES = (0.05, 0.12, 0.25, 0, 0.3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "crashes", metavar="CRASH", nargs="+", help="a crash id, or a file with a processed crash; - is standard input"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show what each frame contributes to the signature, by which entry; for 2026 also each step to its name, "
        "and the rules that rewrote the signature",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    signer = Signer(configuration.values.processor)
    with closing(StoredCrashes(configuration.values, say)) as crashes:
        return 1 if sum(not _sign(name, arguments, crashes, signer) for name in arguments.crashes) else 0


def _sign(name: str, arguments: argparse.Namespace, crashes: StoredCrashes, signer: Signer) -> bool:
    crash = read_crash(name, crashes)
    if crash is None:
        return False
    before = crash.processed.get("signature")
    explained = SignedCrash()
    if arguments.explain:
        explained = signer.explain(crash)
    else:
        signer.sign(crash)
    if arguments.json:
        print(json.dumps(_as_object(crash, before, explained)))
    else:
        print(f"{crash.id} {plain(crash.processed['signature'])}")
        if arguments.explain:
            _print_reasons(crash, before, explained)
    return True


def read_crash(name: str, crashes: StoredCrashes) -> Crash | None:
    """Return the crash with this id, or in the file of this name; if there is none, say why and return None."""
    try:
        try:
            return crashes.crash(crash_id_of(name))
        except InvalidCrashID:
            return _crash_in_file(name)
    except (SocorroError, OSError, ValueError) as error:
        say(f"{name}: {error}")
        return None


def _crash_in_file(name: str) -> Crash:
    if name != STANDARD_INPUT and not Path(name).exists():
        raise SocorroError("neither a crash id nor a file")
    processed = decode(sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes())
    if not isinstance(processed, dict):
        raise NotJSON("JSON, but not an object")
    return crash_to_sign(str(processed.get("uuid") or plain(name)), {}, processed)


def _as_object(crash: Crash, before: object, explained: SignedCrash) -> dict[str, Any]:
    result = {
        "crash_id": crash.id,
        "signature": crash.processed["signature"],
        "proto_signature": crash.processed.get("proto_signature"),
        "stored_signature": before,
        "notes": crash.notes,
    }
    if explained.stack is not None:
        result["explanation"] = _stack_as_object(explained.stack, explained.has_steps)
    if explained.java is not None:
        result["java"] = {
            "annotation": explained.java.annotation,
            "exceptions": [asdict(exception) for exception in explained.java.exceptions],
            "signed": explained.java.signed and asdict(explained.java.signed),
        }
    if explained.has_steps:
        result["rules"] = [asdict(rewriting) for rewriting in explained.rewritings]
    return result


def _stack_as_object(stack: Explanation, has_steps: bool) -> dict[str, Any]:
    frames = []
    for position, (choice, walked, entries) in enumerate(_explained(stack)):
        frame = {
            "frame": position,
            "walked": walked.text,
            "normalized": choice.name,
            "part": choice.part.value,
            "taken": choice.text,
            "entries": [asdict(entry) for entry in entries],
        }
        if has_steps:
            frame["steps"] = [step._asdict() for step in walked.steps]
            frame["inlined_into"] = walked.inlined_into
            frame["effects"] = [stack.effect(position, entry) for entry in entries]
        frames.append(frame)
    return {"begins": stack.begins, "ends": stack.ends, "frames": frames}


def _explained(stack: Explanation) -> Iterator[tuple[Choice, WalkedFrame, tuple[Entry, ...]]]:
    yield from zip(stack.frames, stack.walked, stack.entries, strict=True)


def _print_reasons(crash: Crash, before: object, explained: SignedCrash) -> None:
    console = Console(highlight=False)
    if before and before != crash.processed["signature"]:
        console.print(f"  before: {plain(before)}", markup=False, soft_wrap=True)
    if explained.has_steps:
        print_explanation(explained)
        if crash.notes:
            console.print("\nNotes", style="bold")
    elif explained.stack is None:
        console.print("  the first lines of its Java stack", markup=False)
    else:
        _print_table(crash, explained.stack, console)
    for note in crash.notes:
        console.print(f"  {plain(note)}", markup=False, soft_wrap=True)


def _print_table(crash: Crash, stack: Explanation, console: Console) -> None:
    if stack.signature != crash.processed["signature"]:
        console.print(f"  of the stack: {plain(stack.signature)}", markup=False, soft_wrap=True)
    console.print(f"  begins {stack.begins}\n  ends {stack.ends}", markup=False)
    rows: list[Row] = []
    for position, (choice, walked, entries) in enumerate(_explained(stack)):
        matched = "; ".join(map(plain, map(describe_entry, entries)))
        cells = (str(position), choice.part.value, plain(walked.text), plain(choice.name), matched)
        rows.append([(cell, "bold" if choice.text else "") for cell in cells])
    print_table(_TITLES, rows, _COLUMN_SHARES)


COMMAND = Command(
    name="signature",
    summary="Sign processed crashes by today's lists; --explain says why.",
    description=(
        "The processed crash comes from the destination store, its annotations from the source. A crash of 2015 in a "
        "file has no annotations, so its signature lacks what they would add (OOM, Abort, IPCError); one of 2026 has "
        "them in its fields."
    ),
    exit_codes={0: "all crashes are signed", 1: "some could not be read"},
    example="socorro signature 0bba61c5-dfc3-43e7-dead-8afd20161123 --explain",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor"),
)
