import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.stackwalk.command_line import CommandLine

FIELDS = ("dump", "url", "path")


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("walk {dump}", ["walk", "D"]),
        ("walk 'a b' \"{dump}\"", ["walk", "a b", "D"]),
        ("walk --dump={dump}.dmp", ["walk", "--dump=D.dmp"]),
        ("walk {{dump}}", ["walk", "{dump}"]),
        # several values
        ("walk --path {path} {dump}", ["walk", "--path", "P1", "--path", "P2", "D"]),
        ("walk --path={path} {dump}", ["walk", "--path=P1", "--path=P2", "D"]),
        ("walk {dump} {path}", ["walk", "D", "P1", "P2"]),
        ("walk --bind {path} {path} {dump}", ["walk", "--bind", "P1", "P1", "--bind", "P2", "P2", "D"]),
        ("walk {path} {path}", ["walk", "P1", "P2", "P1", "P2"]),
        # no value
        ("walk --url {url} {dump}", ["walk", "D"]),
        ("walk --url={url} {dump}", ["walk", "D"]),
        ("walk --url {url}/ --path {path}", ["walk", "--path", "P1", "--path", "P2"]),
        ("walk -u {url} -u x", ["walk", "-u", "x"]),
        ("walk {url}", ["walk"]),
        ("walk --bind {url} {url} {dump}", ["walk", "D"]),
        # text before a field is not a switch of it
        ("walk -- {path}", ["walk", "--", "P1", "P2"]),
        ("walk --a=b {path}", ["walk", "--a=b", "P1", "P2"]),
        ("walk --quiet --url={url}", ["walk", "--quiet"]),
        ("walk --dump {dump} {path}", ["walk", "--dump", "D", "P1", "P2"]),
        # as in 2016
        ("timeout -s KILL 30 walk {dump} 2>/dev/null", ["timeout", "-s", "KILL", "30", "walk", "D"]),
        ("", []),
    ],
)
def test_a_template_becomes_arguments(template: str, arguments: list[str]) -> None:
    command_line = CommandLine(template, FIELDS)
    assert command_line.fill({"dump": ["D"], "url": [], "path": ["P1", "P2"]}) == arguments


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("walk {dumb}", r"'{dumb}' in the command line: there is no such field; there are dump, path, url"),
        ("walk {dump.parent}", "there is no such field"),
        ("walk {dump!r}", "there is no such field"),
        ("walk {}", "there is no such field"),
        ("walk {dump", "expected '}'"),
        ("walk dump}", "Single '}'"),
        ("walk 'dump", "No closing quotation in the command line"),
        ("walk {dump} | jq", "no shell runs it"),
        ("walk {dump} > out", "no shell runs it"),
        ("walk {dump} 2>&1", "no shell runs it"),
        ("walk {dump} >out", "no shell runs it"),
        ("a; walk {dump}", "no shell runs it"),
        ("a && walk {dump}", "no shell runs it"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_the_reason(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CommandLine(template, FIELDS)


@given(st.text())
def test_a_value_stays_one_argument_whatever_is_in_it(value: str) -> None:
    command_line = CommandLine("walk --path {path} x{dump}y", FIELDS)
    assert command_line.fill({"path": [value], "dump": [value]}) == ["walk", "--path", value, f"x{value}y"]


def test_a_template_tells_which_fields_it_uses() -> None:
    command_line = CommandLine("walk --path {path} {{url}}", FIELDS)
    assert command_line.uses("path")
    assert not command_line.uses("url")


def test_only_an_empty_template_is_false() -> None:
    assert CommandLine("walk", ())
    assert not CommandLine("  ", ())
