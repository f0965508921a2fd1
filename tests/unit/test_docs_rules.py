"""What the docs say of rules and signatures: every rule is there, and the examples run as they stand."""

import re
import textwrap
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, Namespace, class_converter, read_ini
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS, MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.skunk import FLASH_DUMP
from socorro_processor.signature.java_signature import JavaSignatureTool
from tests.shared import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [DOCS / "signatures.rst", *sorted((DOCS / "rules").glob("*.rst"))]
OFF = [
    "socorro_processor.rules.skunk.UpdateWindowAttributes",
    "socorro_processor.rules.skunk.SendWaitReceivePort",
    "socorro_processor.rules.skunk.Bug811804",
    "socorro_processor.rules.skunk.Bug812318",
]
BY_SET = {name: [rule.strip() for rule in rules.split(",")] for name, _, _, _, rules in RULE_SETS}
ALL = {name: rules + (OFF if name == "skunk_classifiers" else []) for name, rules in BY_SET.items()}

_BLOCK = re.compile(r"^\.\. code-block:: \w+\n    :caption: (\S+)\n\n((?:    .*\n|\n)+)", re.MULTILINE)
_HEADING = re.compile(r"^(\w+)\n=+$", re.MULTILINE)
_RULE_LIKE = re.compile(r"\b[A-Z]\w+?(?:Rule(?:2015)?|Classifier|Filter|Classification|Signature|WatchDog|Rewrite)\b")


def blocks(page: str) -> dict[str, str]:
    """The captioned code blocks of a page."""
    return {name: textwrap.dedent(text) for name, text in _BLOCK.findall((DOCS / page).read_text())}


def write(page: str, directory: Path) -> None:
    for name, text in blocks(page).items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def short(rules: list[str]) -> list[str]:
    return [rule.rpartition(".")[2] for rule in rules]


def options(namespace: Namespace) -> set[str]:
    return {key.rpartition(".")[2] for key in namespace.keys_breadth_first()}


def configuration(path: Path) -> Configuration:
    definitions = Namespace()
    definitions.namespace("processor")
    definitions.processor.update(MozillaProcessorAlgorithm2015.get_required_config())
    return Configuration(definitions, [read_ini(path)])


@pytest.mark.parametrize("rule_set", BY_SET)
def test_the_page_of_a_rule_set_has_a_section_for_each_of_its_rules_and_for_no_other(rule_set):
    headings = _HEADING.findall((DOCS / "rules" / f"{rule_set}.rst").read_text())
    assert sorted(headings) == sorted([rule_set, *short(ALL[rule_set])])


@pytest.mark.parametrize("rule_set", BY_SET)
def test_the_rules_stand_in_the_order_in_which_they_run(rule_set):
    headings = _HEADING.findall((DOCS / "rules" / f"{rule_set}.rst").read_text())
    assert [heading for heading in headings if heading in short(BY_SET[rule_set])] == short(BY_SET[rule_set])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_page_names_a_rule_that_does_not_exist(page):
    known = {name for rules in ALL.values() for name in short(rules)}
    assert set(_RULE_LIKE.findall(page.read_text())) <= known


@pytest.mark.parametrize("rule_set", BY_SET)
def test_the_page_of_a_rule_set_names_every_option_of_its_rules(rule_set):
    text = (DOCS / "rules" / f"{rule_set}.rst").read_text()
    for name in ALL[rule_set]:
        rule = class_converter(name)
        assert issubclass(rule, Rule)
        assert {option for option in options(rule.get_required_config()) if f"``{option}``" not in text} == set()


def test_the_index_names_every_rule_set_with_its_way():
    text = (DOCS / "rules" / "index.rst").read_text()
    for name, _, _, way, _ in RULE_SETS:
        shown = way.removeprefix("apply_").replace("_", " ").replace("action", "an action")
        assert re.search(rf"^`{name}`_ +{shown}  ", text, re.MULTILINE), name
        assert f".. _{name}: {name}.rst" in text


def test_the_options_of_the_index_are_taken(tmp_path, capsys):
    write("rules/index.rst", tmp_path)
    assert main(["processor", f"--admin.conf={tmp_path / 'rules.ini'}", "--help-config", "--all"], environ={}) == 0
    shown = capsys.readouterr().out
    assert "BreakpadStackwalkerRule2015.kill_timeout=60\n" in shown
    assert "OutOfDateClassifier.firefox_out_of_date_version=38\n" in shown
    assert "SignatureRunWatchDog.c_signature.siglists_directory=siglists\n" in shown
    assert "BetaVersionRule.reference_file=config/reference_data.json\n" in shown


def test_the_example_switches_on_the_four_rules_that_are_off(tmp_path):
    write("rules/skunk_classifiers.rst", tmp_path)
    processor = configuration(tmp_path / "skunk.ini").values.processor
    rule_sets = processor.rule_sets.rule_sets
    assert [rule_set.name for rule_set in rule_sets] == list(BY_SET)

    names = [f"{rule.__module__}.{rule.__name__}" for rule in rule_sets[-1].rule_classes]
    assert [name for name in names if name not in OFF] == BY_SET["skunk_classifiers"]
    assert [name for name in names if name in OFF] == OFF
    headings = _HEADING.findall((DOCS / "rules" / "skunk_classifiers.rst").read_text())
    assert headings[1:] == short(names)


def test_the_rules_of_the_example_classify_a_hang(tmp_path):
    write("rules/skunk_classifiers.rst", tmp_path)
    processor = configuration(tmp_path / "skunk.ini").values.processor
    rule_set = processor.rule_sets.rule_sets[-1]
    flash = {"json_dump": {"crashing_thread": {"frames": [{"function": "NtUserPeekMessage"}]}}, "success": True}
    crash = Crash(
        "",
        {"PluginHang": "1", "ProductName": "Firefox", "Version": "48.0", "BuildID": "20160726073904"},
        processed={
            "success": True,
            "json_dump": {"system_info": {"cpu_arch": "x86"}},
            "additional_minidumps": [FLASH_DUMP],
            FLASH_DUMP: flash,
        },
    )

    getattr(rule_set.build(processor), rule_set.way)(crash)

    assert crash.notes == []
    assert crash.processed["classifications"]["skunk_works"]["classification"] == "NtUserPeekMessage-other"


def test_the_worked_example_of_signatures_comes_out_as_it_is_shown(tmp_path, monkeypatch, capsys):
    write("signatures.rst", tmp_path)
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "signatures.rst").read_text()
    command, shown = re.search(r"^    \$ socorro (.+)\n((?:    .*\n)+)", page, re.MULTILINE).groups()

    assert main(command.split(), environ={}) == 0

    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == textwrap.dedent(shown).splitlines()


def test_the_lists_of_the_worked_example_pass_the_check(tmp_path, capsys):
    write("signatures.rst", tmp_path)
    assert main(["siglists", "check", str(tmp_path / "lists")], environ={}) == 0, capsys.readouterr().err


def test_the_java_stack_gives_the_signature_that_is_shown():
    examples = blocks("signatures.rst")
    assert JavaSignatureTool().generate(examples["stack.java"]) == (examples["signature.txt"].strip(), [])
