"""A suite for a rule: sample crashes, and hostile annotations."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from socorro_processor.configuration import Configuration, class_converter, class_name, defaults
from socorro_processor.pipeline.processor_pipeline import FAILED_SIGNATURE, ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_sets import rule_sets_converter
from socorro_processor.serialization import decode, encode
from socorro_processor.testing.sample_crashes import CRASH_ID, sample_crashes

MAXIMUM_CPU_SECONDS = 2.0
"""CPU time for one crash. A rule takes milliseconds; one of quadratic time takes minutes."""

LONGEST_NOTE = 1_000
"""Characters. A note may quote an annotation, but not all of a long one."""

THREADS = 4

_LONG_TEXT = 100_000

HOSTILE_VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "a negative number": -1,
    "the largest whole number": 2**64 - 1,
    "the smallest whole number": -(2**63),
    "a fraction": -0.5,
    "a very large number": 1e308,
    "an empty text": "",
    "a space": " ",
    "NUL and line ends": "a\0b\r\n\u2028c",
    "characters beyond ASCII": "\xe9\u202e\ufffd\U0001f98a",
    "a path": "../../etc/passwd",
    "placeholders of formats": "%s%(x)d{0}{x.y}$x",
    "more digits than a number has": "9" * 5_000,
    "a long text": "x" * _LONG_TEXT,
    "many digits": "1" * _LONG_TEXT,
    "many spaces": " " * _LONG_TEXT,
    "many line ends": "\r\n" * (_LONG_TEXT // 2),
    "many brackets": "a<(" * (_LONG_TEXT // 3),
    "many separators": ",:;|.@/" * (_LONG_TEXT // 7),
    "an empty array": [],
    "an array": ["x", None, 1, ["x"], {"x": "x"}],
    "an empty object": {},
    "an object": {"": None, "x": ["x"], "y": {"x": 1}},
}
"""The kinds of values that an annotation can have: any JSON, from anybody, of any length."""


class RuleSuite:
    """The tests of a rule.

    Attributes of the subclass:

    - ``rule_class``: the rule; its module must be importable.
    - ``annotations``: annotations to which the rule applies; they are added to each sample crash.
    - ``fields``: the same for fields of the processed crash, if the rule reads fields that other rules write.
    - ``dumps``: the content of each dump by its name, if the rule reads dumps; by default there are none.
    - ``options``: values of its options; the others have their defaults.
    - ``corrects_annotations``: True for a rule that changes the raw crash, which other rules then see.

    Fixtures for your own tests in the subclass: ``rule``, and ``crash``, a sample crash with ``annotations`` and
    ``fields``; ``crash.temporary_directory`` exists. ``process(rule, crash)`` applies the rule, and makes the checks
    below.

    The suite takes each sample crash, an empty crash, and crashes in which an annotation that the rule reads, or one of
    ``annotations``, is missing or has any type and length. It does not vary ``fields``. It checks:

    - nothing is raised, in the predicate or in the action; the action returns True, False or None
    - the predicate changes nothing, but may add a note
    - the raw crash is the same afterwards
    - the processed crash is JSON, so that every store keeps it as it is
    - notes are texts of up to 1,000 characters
    - the rule takes up to 2 seconds of CPU time

    And of the rule itself: it applies to at least one of the sample crashes; the same crash has the same result again,
    even when four threads share the rule; an ini file can name it and its options, and each option has a help text; all
    methods that a processor calls from its start to its end can be called.
    """

    rule_class: ClassVar[type[Rule]]
    annotations: ClassVar[Mapping[str, Any]] = {}
    fields: ClassVar[Mapping[str, Any]] = {}
    dumps: ClassVar[Mapping[str, bytes]] = {}
    options: ClassVar[Mapping[str, object]] = {}
    corrects_annotations: ClassVar[bool] = False

    @pytest.fixture
    def rule(self) -> Iterator[Rule]:
        with closing(self.rule_class(defaults(self.rule_class, **self.options))) as rule:
            yield rule

    @pytest.fixture
    def crashes(self, tmp_path: Path) -> dict[str, Crash]:
        """Every sample crash, by name."""
        crashes = sample_crashes()
        dumps = {name: tmp_path / name for name in self.dumps}
        for name, content in self.dumps.items():
            dumps[name].write_bytes(content)
        for crash in crashes.values():
            crash.raw |= copy_of(self.annotations)
            crash.processed |= copy_of(self.fields)
            crash.dumps, crash.temporary_directory = dumps, tmp_path
        return crashes

    @pytest.fixture
    def crash(self, crashes: dict[str, Crash]) -> Crash:
        return crashes["segfault"]

    def process(self, rule: Rule, crash: Crash) -> bool:
        """Apply the rule, and make the checks for every crash. Return the result of the predicate."""
        before = copy_of_crash(crash)
        begun = time.thread_time()
        applies = rule.predicate(crash)
        assert (crash.raw, crash.processed) == (before.raw, before.processed), "the predicate changed the crash"
        result = rule.action(crash) if applies else None
        seconds = time.thread_time() - begun
        assert result in (True, False, None), f"the action returned {result!r}"
        if not self.corrects_annotations:
            assert crash.raw == before.raw, "the raw crash was changed"
        for note in crash.notes:
            assert isinstance(note, str)
            assert len(note) <= LONGEST_NOTE, f"a note of {len(note)} characters: {note[:200]}"
        _assert_is_json(crash.processed)
        assert seconds <= MAXIMUM_CPU_SECONDS, f"it took {seconds:.1f} seconds of CPU time"
        return applies

    def annotations_read_by(self, rule: Rule, crash: Crash) -> set[str]:
        """Return the names of the suite's annotations, and of those that the rule reads from this crash.

        ``uuid`` is left out, because the processor sets it.
        """
        crash = copy_of_crash(crash)
        crash.raw = watched = _WatchedAnnotations(crash.raw)
        rule.act(crash)
        return {*self.annotations, *watched.names} - {"uuid"}

    def test_it_has_something_to_do_for_a_sample_crash(self, rule: Rule, crashes: dict[str, Crash]) -> None:
        applied = [self.process(rule, crash) for crash in crashes.values()]
        assert True in applied, (
            "its predicate is False for every sample crash: set `annotations` and `fields` so that it is True for one"
        )

    @pytest.mark.parametrize("annotated", [False, True])
    def test_an_empty_crash_does_not_break_it(self, rule: Rule, annotated: bool, tmp_path: Path) -> None:
        raw = {"uuid": CRASH_ID, **(copy_of(self.annotations) if annotated else {})}
        processed = {"uuid": CRASH_ID, "success": False, "signature": FAILED_SIGNATURE, "processing": {}}
        self.process(rule, Crash(CRASH_ID, raw, processed=processed, temporary_directory=tmp_path))

    def test_an_annotation_that_is_missing_does_not_break_it(self, rule: Rule, crash: Crash) -> None:
        for name in self.annotations_read_by(rule, crash):
            without = copy_of_crash(crash)
            without.raw.pop(name, None)
            with _added_to_errors(f"the annotation {name} is missing"):
                self.process(rule, without)

    @pytest.mark.parametrize("value", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
    def test_an_annotation_of_any_type_and_length_does_not_break_it(self, rule: Rule, crash: Crash, value: Any) -> None:
        for name in self.annotations_read_by(rule, crash):
            changed = copy_of_crash(crash)
            changed.raw[name] = copy_of(value)
            with _added_to_errors(f"the annotation {name} is {value!r:.100}"):
                self.process(rule, changed)

    def test_a_crash_that_comes_again_has_the_same_result(self, rule: Rule, crashes: dict[str, Crash]) -> None:
        for crash in crashes.values():
            again = copy_of_crash(crash)
            self.process(rule, crash)
            self.process(rule, again)
            assert again == crash

    def test_threads_share_it_and_each_crash_has_its_own_result(self, rule: Rule, crashes: dict[str, Crash]) -> None:
        expected = {name: copy_of_crash(crash) for name, crash in crashes.items()}
        for crash in expected.values():
            self.process(rule, crash)

        def process(name: str) -> None:
            crash = copy_of_crash(crashes[name])
            self.process(rule, crash)
            assert crash == expected[name]

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(process, [*crashes] * 2 * THREADS))

    def test_an_ini_file_can_name_it_and_the_pipeline_runs_it(self, crash: Crash) -> None:
        name = class_name(self.rule_class)
        assert class_converter(name) is self.rule_class
        rule_sets = rule_sets_converter()(f'[["own", "", "", "apply_all_rules", "{name}"]]').to_str()
        options = {
            option if option.split(".")[0] in ("resource", "secrets") else f"own.{self.rule_class.__name__}.{option}": (
                value
            )
            for option, value in self.options.items()
        }
        pipeline = ProcessorPipeline(defaults(ProcessorPipeline, rule_sets=rule_sets, **options))
        with closing(pipeline):
            result = pipeline.process_crash(CRASH_ID, crash.raw, {}, temporary_directory=crash.temporary_directory)
        assert result.processed["success"]
        assert [note for note in result.notes if note.startswith(f"rule {self.rule_class.__name__} failed")] == []

    def test_each_of_its_options_is_explained(self) -> None:
        options = Configuration(self.rule_class.get_required_config(), []).options()
        assert [name for name, option in options if not option.doc] == []

    def test_a_processor_can_start_use_and_end_it(self, rule: Rule, crash: Crash) -> None:
        assert isinstance(rule.prepare(THREADS), str)
        rule.clean_up()
        rule.check()
        assert isinstance(rule.examine(), str)
        self.process(rule, crash)
        rule.reload()
        self.process(rule, crash)
        rule.close()


def copy_of(value: Any) -> Any:
    """Return a copy of JSON, more quickly than ``copy`` does."""
    return decode(encode(value))


def copy_of_crash(crash: Crash) -> Crash:
    return replace(crash, raw=copy_of(crash.raw), processed=copy_of(crash.processed), notes=[*crash.notes])


class _WatchedAnnotations(dict[str, Any]):
    """A raw crash that records the names of the annotations that are read."""

    def __init__(self, annotations: Mapping[str, Any]) -> None:
        super().__init__(annotations)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


@contextmanager
def _added_to_errors(text: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(text)
        raise


def _assert_is_json(processed: dict[str, Any]) -> None:
    notes: list[str] = []
    written = encode(processed, notes.append)
    assert notes == [], "the processed crash has values that JSON cannot hold"
    assert decode(written) == processed, "the processed crash has values that JSON changes"
