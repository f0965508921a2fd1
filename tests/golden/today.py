"""The golden cases of today: crashes and frames, with the expected result of ``ProcessorAlgorithm2026``.

Their form is described beside them, in ``golden/today/README.md``. A shell script stands for each dump, and the
shell for the stackwalker: the script prints what the stackwalker would print.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from socorro_processor.pipeline.rule import Crash
from tests.golden.comparison import ABSENT, Difference, instants, unequal
from tests.shared import SHARED

TODAY = SHARED / "golden" / "today"
FILES = tuple(TODAY / f"{name}.json" for name in ("frames", "signatures", "rules"))

MAIN = "upload_file_minidump"
CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"
SUBMITTED = "2026-11-24T10:00:00+00:00"
LISTS: Mapping[str, str] = {
    "sentinels": "signature_sentinels.txt",
    "irrelevant": "irrelevant_signature_re.txt",
    "prefix": "prefix_signature_re.txt",
    "trim_dll": "trim_dll_signature_re.txt",
    "line_numbers": "signatures_with_line_numbers_re.txt",
}
_STACKWALKER = "raw_to_processed_transform.BreakpadStackwalkerRule2015"
_KILLED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "time": ("exec sleep 600", {f"{_STACKWALKER}.kill_timeout": "0.5"}),
    "output": ("exec yes", {f"{_STACKWALKER}.output_limit": "64k"}),
}
"""For each limit that kills a walk: the script to walk, and the options that make the limit low."""

Case = dict[str, Any]


class Today:
    """Runs cases of today. Each has the pipeline of its lists, built once."""

    def __init__(self) -> None:
        self._pipelines: dict[str, ProcessorAlgorithm2026] = {}
        self._directory = tempfile.TemporaryDirectory(prefix="golden-")

    def close(self) -> None:
        for pipeline in self._pipelines.values():
            pipeline.close()
        self._directory.cleanup()

    def differences(self, case: Case) -> list[Difference]:
        """Return the differences of a case from what it expects; none if it is exact."""
        if case["kind"] == "frame":
            # Only these cases need it.
            from socorro_processor.signature.normal_form import normalize_frame

            normalized = normalize_frame(case["input"])
            expected = case["expected"]["normalized"]
            return [] if normalized == expected else [Difference("normalized", repr(expected), repr(normalized))]
        crash = self.crash(case["input"])
        return list(_different(case["expected"], crash))

    def crash(self, given: Mapping[str, Any]) -> Crash:
        """Return the crash that the pipeline makes of the ``input`` of a case."""
        raw = {"uuid": CRASH_ID, "submitted_timestamp": SUBMITTED, **given.get("raw_crash", {})}
        with tempfile.TemporaryDirectory(dir=self._directory.name) as directory:
            dumps = dict(_dumps(given, Path(directory)))
            pipeline = self._pipeline(given.get("lists", {}), given.get("stackwalker", {}).get("killed_for", ""))
            return pipeline.process_crash(raw["uuid"], raw, dumps)

    def _pipeline(self, lists: Mapping[str, list[str]], killed_for: str) -> ProcessorAlgorithm2026:
        key = json.dumps([lists, killed_for], sort_keys=True)
        if key not in self._pipelines:
            directory = Path(tempfile.mkdtemp(dir=self._directory.name))
            for name, file in LISTS.items():
                (directory / file).write_text("".join(f"{entry}\n" for entry in lists.get(name, ())))
            options = {
                "resource.signature.siglists_directory": str(directory),
                f"{_STACKWALKER}.command_line": "sh {dump_file_pathname}",
                **(_KILLED[killed_for][1] if killed_for else {}),
            }
            self._pipelines[key] = ProcessorAlgorithm2026(defaults(ProcessorAlgorithm2026, **options))
        return self._pipelines[key]


def _dumps(given: Mapping[str, Any], directory: Path) -> Iterator[tuple[str, Path]]:
    stackwalker = given.get("stackwalker", {})
    if "json_dump" in given:
        yield MAIN, _script(directory, MAIN, stdout=json.dumps(with_frames(given["json_dump"])))
    elif "killed_for" in stackwalker:
        yield MAIN, _written(directory / MAIN, _KILLED[stackwalker["killed_for"]][0])
    elif "dump_bytes" in stackwalker:
        yield MAIN, _written(directory / MAIN, "\n" * stackwalker["dump_bytes"])
    elif stackwalker:
        yield MAIN, _script(directory, MAIN, **stackwalker)
    for name in given.get("other_dumps", ()):
        yield name, _script(directory, name, stdout='{"status": "OK"}')


def _script(directory: Path, name: str, *, stdout: str = "", stderr: str = "", exit_code: int = 0) -> Path:
    printed, logged = _written(directory / f"{name}.stdout", stdout), _written(directory / f"{name}.stderr", stderr)
    commands = f"cat {shlex.quote(str(printed))}\ncat {shlex.quote(str(logged))} >&2\nexit {exit_code}\n"
    return _written(directory / name, commands)


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def with_frames(json_dump: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON with each frame that has ``repeat`` repeated, and all frames numbered."""
    threads = [*(json_dump.get("threads") or ()), json_dump.get("crashing_thread")]
    expanded = [
        {**thread, "frames": list(_frames(thread["frames"]))} if _repeats(thread) else thread for thread in threads
    ]
    of_crash = {"crashing_thread": expanded[-1]} if "crashing_thread" in json_dump else {}
    return {**json_dump, **({"threads": expanded[:-1]} if "threads" in json_dump else {}), **of_crash}


def _repeats(thread: Any) -> bool:
    frames = thread.get("frames") if isinstance(thread, dict) else None
    return isinstance(frames, list) and any(isinstance(frame, dict) and "repeat" in frame for frame in frames)


def _frames(frames: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    number = 0
    for frame in frames:
        one = {key: value for key, value in frame.items() if key != "repeat"}
        for _ in range(frame.get("repeat", 1)):
            yield {**one, "frame": number}
            number += 1


def _different(expected: Mapping[str, Any], crash: Crash) -> Iterator[Difference]:
    processed = crash.processed
    fields = {name: expected[name] for name in ("signature", "proto_signature") if name in expected}
    for path, value in {**fields, **expected.get("processed_crash", {})}.items():
        got = at(processed, path)
        if unequal(instants(value), instants(got)):
            yield Difference(path, repr(value), repr(got))
    for path in expected.get("absent", ()):
        if (got := at(processed, path)) is not ABSENT:
            yield Difference(path, repr(ABSENT), repr(got))
    for path, length in expected.get("lengths", {}).items():
        got = at(processed, path)
        if not isinstance(got, list) or len(got) != length:
            yield Difference(path, f"{length} items", f"{len(got)} items" if isinstance(got, list) else repr(got))
    for text in expected.get("notes_contain", ()):
        if not any(text.lower() in note.lower() for note in crash.notes):
            yield Difference("notes", f"a note with {text!r}", repr(crash.notes))


def at(value: Any, path: str) -> Any:
    """Return the value at a path, in which a number is an index; ABSENT if there is none."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else ABSENT
        else:
            value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return value
