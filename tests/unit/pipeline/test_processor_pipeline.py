"""The pipeline around its rules."""

import json
from datetime import UTC, datetime

import pytest

import socorro_processor
from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.pipeline.processor_pipeline import FAILED_SIGNATURE, ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_system import TransformRuleSystem

CRASH_ID = "00000000-0000-0000-0000-000000261123"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class RenamingRule(Rule):
    def action(self, crash: Crash) -> bool:
        crash.processed["uuid"] = "another"
        crash.processed["signature"] = "main"
        return True


class BrokenRule(Rule):
    def action(self, crash: Crash) -> bool:
        raise ValueError("someone@example.com")


class HelplessRule(Rule):
    closed = 0

    def action(self, crash: Crash) -> bool:
        raise ProcessingEnvironmentError("no stackwalker")

    def check(self) -> None:
        raise ProcessingEnvironmentError("no stackwalker")

    def close(self) -> None:
        HelplessRule.closed += 1


class PoorRule(Rule):
    def check(self) -> None:
        raise ProcessingEnvironmentError("no reference data")


class AsPoorRule(PoorRule):
    pass


class BrokenSystem(TransformRuleSystem):
    def apply_all_rules(self, crash: Crash) -> bool:
        raise RuntimeError("a bug in a rule system")


def pipeline(*rules: str, system: str = "") -> ProcessorPipeline:
    names = ", ".join(f"{__name__}.{rule}" for rule in rules)
    rule_sets = json.dumps([["own", "", system, "apply_all_rules", names]])
    config = defaults(ProcessorPipeline, rule_sets=rule_sets, processor_name="testing")
    return ProcessorPipeline(config, now=lambda: NOW)


def process(*rules, raw=None, **arguments):
    return pipeline(*rules).process_crash(CRASH_ID, raw if raw is not None else {}, {}, **arguments)


def test_a_processed_crash_says_when_by_what_and_whether_it_was_processed():
    processed = process("RenamingRule", attempt=3).processed
    assert processed["success"] is True
    assert processed["started_datetime"] == processed["startedDateTime"] == NOW.isoformat()
    assert processed["completed_datetime"] == processed["completeddatetime"] == NOW.isoformat()
    assert processed["processing"]["processor_version"] == socorro_processor.__version__
    assert processed["processing"]["attempt"] == 3
    assert processed["processor_notes"] == "testing; ProcessorPipeline"


def test_a_crash_is_saved_under_its_own_id_whatever_its_annotations_and_rules_say():
    raw = {"uuid": "../../etc/passwd"}
    crash = process("RenamingRule", raw=raw)
    assert crash.raw["uuid"] == crash.processed["uuid"] == CRASH_ID


def test_a_rule_that_raises_is_a_note_without_what_it_said():
    processed = process("BrokenRule", "RenamingRule").processed
    assert processed["signature"] == "main"
    assert "rule BrokenRule failed in its action: ValueError" in processed["processor_notes"]
    assert "someone@example.com" not in processed["processor_notes"]


def test_a_rule_set_that_raises_leaves_a_crash_that_is_visibly_not_processed():
    crash = pipeline("RenamingRule", system=f"{__name__}.BrokenSystem").process_crash(CRASH_ID, {}, {})
    assert crash.processed["success"] is False
    assert crash.processed["signature"] == FAILED_SIGNATURE
    assert "rule set own failed: RuntimeError" in crash.processed["processor_notes"]


def test_an_error_of_the_machine_leaves_the_pipeline():
    with pytest.raises(ProcessingEnvironmentError):
        process("HelplessRule")


def test_a_missing_requirement_of_a_rule_is_reported_before_any_crash():
    rules = ("RenamingRule", "HelplessRule", "PoorRule", "AsPoorRule")
    with pytest.raises(ProcessingEnvironmentError, match=r"^no stackwalker; no reference data$"):
        pipeline(*rules).check()


def test_notes_of_the_fetch_come_before_those_of_the_rules():
    notes = process("BrokenRule", notes=["a dump is missing"]).processed["processor_notes"]
    assert notes.index("a dump is missing") < notes.index("BrokenRule")


def test_reprocessing_keeps_the_last_runs_own_notes_and_nothing_else():
    first = process("BrokenRule").processed | {"stale": 1}
    second = process("RenamingRule", earlier=first).processed
    third = process("RenamingRule", earlier=second).processed
    assert "stale" not in second
    assert f"earlier processing: {NOW.isoformat()}" in second["processor_notes"]
    assert second["processor_notes"].endswith(first["processor_notes"])
    assert third["processor_notes"].count("earlier processing") == 2
    assert "BrokenRule" not in third["processor_notes"]


def test_earlier_notes_are_cut_at_10_kB():
    earlier = {"processor_notes": "x" * 1_000_000}
    assert len(process(earlier=earlier).processed["processor_notes"]) < 11_000


@pytest.mark.parametrize("notes", [None, 3, ["a"], {}])
def test_an_earlier_result_of_another_shape_does_no_harm(notes):
    assert process(earlier={"processor_notes": notes, "started_datetime": notes}).processed["success"]


class DeepRule(Rule):
    """Writes deep stacks; the rule behind it sees all of their frames."""

    def action(self, crash: Crash) -> bool:
        for walked in (crash.processed, crash.processed.setdefault("upload_file_minidump_x", {})):
            walked["json_dump"] = {
                "threads": [{"frames": [{"frame": number} for number in range(3000)]}],
                "crashing_thread": {"frames": [{"frame": number} for number in range(3000)]},
            }
        return True


class CountingRule(Rule):
    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = str(len(crash.processed["json_dump"]["threads"][0]["frames"]))
        return True


def test_deep_stacks_of_every_minidump_are_cut_after_all_rules_have_seen_them():
    processed = process("DeepRule", "CountingRule").processed
    assert processed["signature"] == "3000"
    for walked in (processed, processed["upload_file_minidump_x"]):
        for thread in (walked["json_dump"]["threads"][0], walked["json_dump"]["crashing_thread"]):
            assert len(thread["frames"]) == 501
            assert thread["frames"][250] == {"truncated": {"msg": "2,500 frames truncated"}}
            assert thread["truncated"] is True


def test_every_rule_is_closed_with_the_pipeline():
    before = HelplessRule.closed
    pipeline("HelplessRule").close()
    assert HelplessRule.closed == before + 1


class StubbornRule(Rule):
    def action(self, crash: Crash) -> bool:
        return True

    def reload(self) -> None:
        raise ConfigurationError("lists/prefix.txt, line 3: a bad expression")

    def close(self) -> None:
        raise OSError("cannot be closed")


class EagerRule(StubbornRule):
    reloaded = 0

    def reload(self) -> None:
        EagerRule.reloaded += 1


def test_a_rule_that_cannot_reload_is_logged_and_the_others_reload(caplog):
    before = EagerRule.reloaded
    assert not pipeline("StubbornRule", "EagerRule").reload()
    assert EagerRule.reloaded == before + 1
    assert "rule StubbornRule keeps what it had: lists/prefix.txt, line 3" in caplog.text
    assert pipeline("EagerRule").reload()


def test_a_rule_that_cannot_be_closed_is_logged(caplog):
    pipeline("StubbornRule").close()
    assert "rule set own could not be closed" in caplog.text
