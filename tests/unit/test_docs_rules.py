"""The docs have every rule, and their examples of rules and signatures run as they stand."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, Namespace, class_converter, class_name, read_ini
from socorro_processor.fields import FieldTable
from socorro_processor.pipeline import algorithm_2026
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS, MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.skunk import FLASH_DUMP
from socorro_processor.signature.c_signature_2026 import CSignatureTool2026
from socorro_processor.signature.java_signature import JavaSignatureTool
from socorro_processor.signature.java_stack import read_printed_stack
from socorro_processor.signature.normal_form import normalize_frame
from socorro_processor.signature.siglists import FILES
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

OF_2026 = [
    rule.strip()
    for *_, rules in algorithm_2026.RULE_SETS
    for rule in rules.split(",")
    if rule and rule.strip() not in {each for rules in BY_SET.values() for each in rules}
]
"""The rules that only the algorithm of 2026 has, in their order."""

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


def configuration(path: Path, algorithm: type[ProcessorPipeline] = MozillaProcessorAlgorithm2015) -> Configuration:
    definitions = Namespace()
    definitions.namespace("processor")
    definitions.processor.update(algorithm.get_required_config())
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
    known = {name for rules in [*ALL.values(), OF_2026] for name in short(rules)}
    assert set(_RULE_LIKE.findall(page.read_text())) <= known


@pytest.mark.parametrize("rule_set", BY_SET)
def test_the_page_of_a_rule_set_names_every_option_of_its_rules(rule_set):
    text = (DOCS / "rules" / f"{rule_set}.rst").read_text()
    for name in ALL[rule_set]:
        rule = class_converter(name)
        assert issubclass(rule, Rule)
        assert {option for option in options(rule.get_required_config()) if f"``{option}``" not in text} == set()


def test_the_page_of_2026_has_a_section_for_each_new_rule_in_their_order():
    headings = re.findall(r"^(\w+)\n-+$", (DOCS / "rules" / "algorithm_2026.rst").read_text(), re.MULTILINE)
    assert headings == short(OF_2026)


def test_the_page_of_2026_names_every_field_that_a_new_rule_writes():
    text = (DOCS / "rules" / "algorithm_2026.rst").read_text()
    for name in OF_2026:
        section = re.search(rf"^{name.rpartition('.')[2]}\n-+\n((?:(?!.*\n[-=]{{3}}).*\n)*)", text, re.MULTILINE)
        docstring = class_converter(name).__doc__ or ""
        written = re.findall(r"``(\w+)``", docstring.partition("rites ")[2].partition("; notes")[0].partition(". ")[0])
        assert [field for field in written if f"``{field}``" not in section[1]] == [], name


@pytest.mark.parametrize("name", OF_2026)
def test_the_page_of_2026_names_every_option_of_a_new_rule(name):
    text = (DOCS / "rules" / "algorithm_2026.rst").read_text()
    shared = {"reference_class", "reference_file", "reference_refresh"}
    rule = class_converter(name)
    assert {option for option in options(rule.get_required_config()) - shared if f"``{option}``" not in text} == set()


def test_the_example_of_own_fields_is_accepted(tmp_path):
    write("fields.rst", tmp_path)
    processor = configuration(tmp_path / "fields.ini", ProcessorAlgorithm2026).values.processor
    table = FieldTable.of(processor.raw_to_processed_transform.FieldsRule)
    assert [field.name for field in table.own_fields] == ["album", "albums", "page_size"]
    assert table.by_name["albums"].default == 0
    assert table.is_public("Theme")
    assert table.is_public("album")
    assert not table.is_public("AlbumCount")


def test_the_index_names_every_rule_set_with_its_way():
    text = (DOCS / "rules" / "index.rst").read_text()
    for name, _, _, way, _ in RULE_SETS:
        shown = way.removeprefix("apply_").replace("_", " ").replace("action", "an action")
        assert re.search(rf"^`{name}`_ +{shown}  ", text, re.MULTILINE), name
        assert f".. _{name}: {name}.rst" in text


def test_the_options_of_the_index_are_accepted(tmp_path, capsys):
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


@pytest.mark.parametrize("page", ["signatures.rst", "signatures-2026.rst"])
def test_the_worked_example_of_signatures_comes_out_as_it_is_shown(page, tmp_path, monkeypatch, capsys):
    write(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text()
    command, shown = re.search(r"^    \$ socorro (.+)\n((?:    .*\n|\n)+)", text, re.MULTILINE).groups()

    assert main(command.split(), environ={}) == 0

    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == textwrap.dedent(shown).rstrip().splitlines()


@pytest.mark.parametrize(
    ("page", "lists", "algorithm"),
    [
        ("signatures.rst", "lists", MozillaProcessorAlgorithm2015),
        ("signatures-2026.rst", "lists-2026", ProcessorAlgorithm2026),
    ],
)
def test_the_lists_of_the_worked_example_pass_the_check(page, lists, algorithm, tmp_path, capsys):
    write(page, tmp_path)
    option = f"--processor.processor_class={class_name(algorithm)}"
    assert main(["siglists", "check", str(tmp_path / lists), option], environ={}) == 0
    assert capsys.readouterr().err == ""


def test_the_java_stack_gives_the_signature_that_is_shown():
    examples = blocks("signatures.rst")
    assert JavaSignatureTool().generate(examples["stack.java"]) == (examples["signature.txt"].strip(), [])
    examples = blocks("signatures-2026.rst")
    assert str(read_printed_stack(examples["stack-2026.java"])) == examples["signature-2026.txt"].strip()


OF_LANGUAGE = {"Rust": "a.rs", "Swift": "a.swift"}
"""Files of languages that a name alone does not tell."""


def rows(title: str) -> list[list[str]]:
    """The rows of a table on the page of the signatures of 2026, without its headings and quotation marks."""
    behind = (DOCS / "signatures-2026.rst").read_text().partition(f".. list-table:: {title}\n")[2]
    cells = re.findall(r"^   ( |\*) - (.+)$", behind.split("\n\n")[1], re.MULTILINE)
    found: list[list[str]] = []
    for first, cell in cells:
        found += [[]] if first == "*" else []
        found[-1].append(cell.removeprefix("``").removesuffix("``"))
    return found[1:]


def test_the_names_of_2026_are_those_that_are_shown():
    names = rows("Functions")
    assert len({language for language, *_ in names}) >= 8
    for language, function, name in names:
        assert normalize_frame({"function": function, "file": OF_LANGUAGE.get(language, "")}) == name


def test_a_frame_without_a_function_has_the_name_that_is_shown():
    places = rows("Frames without a function")
    assert len(places) == 4
    for known, name in places:
        assert normalize_frame(json.loads(known)) == name


def test_a_function_of_the_standard_library_is_a_prefix_as_it_is_said():
    shown = re.search(r"prefixes:\n``(.+?)``", (DOCS / "signatures-2026.rst").read_text())[1]
    tool = CSignatureTool2026()
    assert tool.generate([*shown.split(" | "), "main"], tool.lists.current, 0, 0)[0] == shown


def test_an_entry_that_can_match_no_frame_is_told_of_as_it_is_shown(tmp_path, monkeypatch, capsys):
    told = re.search(
        r"^    (socorro: new/(\S+), line 1: '(.+?)' .+)$", (DOCS / "signatures-2026.rst").read_text(), re.M
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    for name in FILES:
        (tmp_path / "new" / name).write_text(told[3] if name == told[2] else "")
    main(["siglists", "check", "new", f"--processor.processor_class={class_name(ProcessorAlgorithm2026)}"], environ={})
    assert capsys.readouterr().err == f"{told[1]}\n"


def test_the_page_of_2026_has_the_rules_of_the_signature_in_their_order():
    page = (DOCS / "signatures-2026.rst").read_text().partition("What later rules make of it\n")[2]
    facts = [
        "bad hardware |",
        "OOM | small",
        "Abort | message",
        "AsyncShutdownTimeout |",
        "shutdownhang |",
        "IPCError-browser |",
        "IPC_Message_Name=",
        "stackoverflow |",
        "hang: value",
    ]
    places = list(map(page.index, facts))
    assert places == sorted(places)
    assert len(facts) == len(algorithm_2026.SIGNATURE) - 2  # the one that makes it, and the one that cuts it
