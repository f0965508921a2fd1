"""The rules that make the signature, also from made-up stacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.signature import SignatureGenerationRule, SigTrunc
from socorro_processor.signature.siglists import FILES, PREFIX
from tests.cpu_time import cpu_seconds

CRASH_ID = "00000000-0000-4000-8000-000000161123"


@pytest.fixture
def lists_directory(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("")
    (tmp_path / PREFIX).write_text("abort\n")
    return tmp_path


@pytest.fixture
def rule(lists_directory) -> SignatureGenerationRule:
    return SignatureGenerationRule(
        defaults(SignatureGenerationRule, **{"c_signature.siglists_directory": str(lists_directory)})
    )


@pytest.fixture(scope="module")
def rule_with_the_projects_lists() -> SignatureGenerationRule:
    return SignatureGenerationRule()


def thread(*functions: str) -> dict[str, object]:
    return {"frames": [{"function": function} for function in functions]}


def crash_with(json_dump: object, **processed: object) -> Crash:
    return Crash(id=CRASH_ID, raw={}, processed={"json_dump": json_dump} | processed)


def two_threads(**more: object) -> dict[str, object]:
    return {"threads": [thread("idle"), thread("abort", "load", "main")], "crash_info": {"crashing_thread": 1}} | more


def test_a_crash_is_signed_by_the_thread_that_crashed(rule):
    crash = crash_with(two_threads())

    assert rule.act(crash) == (True, True)
    assert crash.processed["signature"] == "abort | load"
    assert crash.processed["proto_signature"] == "abort | load | main"
    assert crash.notes == []


@pytest.mark.parametrize(
    ("hang_type", "signature"),
    [
        (1, "chromehang | idle"),
        (-1, "hang | abort | load"),
        (0, "abort | load"),
        (None, "abort | load"),
        ("1", "abort | load"),
    ],
)
def test_a_browser_that_hung_is_signed_by_its_first_thread(hang_type, signature, rule):
    crash = crash_with(two_threads(), hang_type=hang_type)

    rule.act(crash)
    assert crash.processed["signature"] == signature


def test_modules_of_windows_are_in_lower_case(rule):
    frame = {"module": "MozGlue.DLL", "module_offset": "0x1F"}
    crash = crash_with(
        {"threads": [{"frames": [frame]}], "crash_info": {"crashing_thread": 0}, "system_info": {"os": "Windows NT"}}
    )

    rule.act(crash)
    assert crash.processed["signature"] == "mozglue.dll@0x1F"


def test_the_lists_that_signed_a_crash_are_recorded_beside_what_else_is_known_of_its_processing(rule):
    crash = crash_with(two_threads(), processing={"attempt": 2})

    rule.act(crash)
    assert crash.processed["processing"] == {"attempt": 2, "siglists_version": rule.c_signature.lists.current.version}


@pytest.mark.parametrize(
    ("json_dump", "signature"),
    [
        (None, "EMPTY: no crashing thread identified"),
        ([], "EMPTY: no crashing thread identified"),
        ({}, "EMPTY: no crashing thread identified"),
        ({"threads": [thread("load")]}, "EMPTY: no crashing thread identified"),
        (two_threads(crash_info={"crashing_thread": -1}), "EMPTY: no crashing thread identified"),
        (two_threads(crash_info={"crashing_thread": 2}), "EMPTY: no frame data available"),
        (two_threads(threads=None), "EMPTY: no frame data available"),
        (two_threads(threads={"1": thread("load")}), "EMPTY: no frame data available"),
        (two_threads(threads=[None, {"frames": "load"}]), "EMPTY: no frame data available"),
        (two_threads(threads=[None, {"frames": [None, "load", {"function": "load"}]}]), "load"),
        ({"threads": [thread("load")], "crashing_thread": {"threads_index": 0}}, "load"),
    ],
)
def test_a_missing_stack_gives_an_empty_signature_that_says_why(json_dump, signature, rule):
    crash = crash_with(json_dump)

    assert rule.act(crash) == (True, True)
    assert crash.processed["signature"] == signature
    assert bool(crash.notes) == signature.startswith("EMPTY")


class TestReload:
    def test_the_next_crash_is_signed_by_the_new_lists(self, rule, lists_directory):
        (lists_directory / PREFIX).write_text("abort\nload\n")
        rule.reload()

        crash = crash_with(two_threads())
        rule.act(crash)
        assert crash.processed["signature"] == "abort | load | main"

    def test_bad_lists_are_refused_and_the_old_ones_stay(self, rule, lists_directory):
        (lists_directory / PREFIX).write_text("abort(\n")
        with pytest.raises(ConfigurationError, match=PREFIX):
            rule.reload()

        crash = crash_with(two_threads())
        rule.act(crash)
        assert crash.processed["signature"] == "abort | load"


HOSTILE = {
    "nested templates": "a<" * 50_000,
    "closed templates": "a<" * 25_000 + ">" * 50_000,
    "templates beside each other": "a<b>" * 25_000,
    "nested arguments": "(" * 100_000,
    "commas": "," * 100_000,
    "spaces": " " * 99_999 + "*",
    "colons": ":" * 100_000,
    "underscores": "_" * 100_000,
    "one letter": "a" * 100_000,
    "a long call of Rust": "core::option::" + "unwrap_faile" * 8_000,
    "a long module": "nvoglv" * 16_000,
    "NULs and surrogates": "\x00\ud800\udfff<" * 25_000,
    "quotes": "'" * 100_000,
}


@pytest.mark.parametrize("collapse_arguments", [False, True])
@pytest.mark.parametrize("function", HOSTILE.values(), ids=HOSTILE)
def test_five_thousand_frames_of_a_hundred_thousand_characters_take_no_time(function, collapse_arguments):
    values = {"c_signature.collapse_arguments": collapse_arguments}
    rule = SignatureGenerationRule(defaults(SignatureGenerationRule, **values))
    crash = crash_with(
        {"threads": [{"frames": [{"function": function} for _ in range(5000)]}], "crash_info": {"crashing_thread": 0}}
    )

    # 50 ms on a quiet machine; what this guards against would take minutes.
    assert cpu_seconds(lambda: rule.act(crash)) < 0.25
    assert len(crash.processed["signature"]) <= 255


text = st.text(alphabet=st.sampled_from("<>()@,*& '|\x00\ud800abort"), max_size=30) | st.text(max_size=10)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
frames = st.lists(
    st.fixed_dictionaries({}, optional={"function": anything, "module": anything, "file": anything, "line": anything})
    | anything,
    max_size=6,
)
json_dumps = anything | st.fixed_dictionaries(
    {},
    optional={
        "threads": st.lists(st.fixed_dictionaries({"frames": frames | anything}) | anything, max_size=3) | anything,
        "crash_info": st.fixed_dictionaries({"crashing_thread": anything}) | anything,
        "crashing_thread": st.fixed_dictionaries({"threads_index": anything}) | anything,
        "system_info": st.fixed_dictionaries({"os": st.just("Windows NT") | anything}) | anything,
    },
)


@given(json_dumps, anything)
def test_whatever_the_stackwalker_printed_there_is_a_signature_and_nothing_fails(
    rule_with_the_projects_lists, json_dump, hang_type
):
    crash = crash_with(json_dump, hang_type=hang_type)

    assert rule_with_the_projects_lists.act(crash) == (True, True)
    assert 0 < len(crash.processed["signature"]) <= 255
    assert isinstance(crash.processed["proto_signature"], str)


@pytest.mark.parametrize(
    ("length", "outcome", "signature"),
    [
        (0, (False, None), ""),
        (255, (False, None), "x" * 255),
        (256, (True, True), "x" * 252 + "..."),
    ],
)
def test_a_signature_made_longer_by_other_rules_is_cut(length, outcome, signature):
    crash = crash_with({}, signature="x" * length)

    assert SigTrunc().act(crash) == outcome
    assert crash.processed["signature"] == signature


@pytest.mark.parametrize(
    ("signature", "plain"),
    [
        ("Abort | a\nb | f", "Abort | a b | f"),
        ("f\u202eg | h", "f g | h"),
        ("m\0odule.dll@0x1", "m odule.dll@0x1"),
        ("\n" * 300 + "f", "f"),
        ("f" * 249 + "\n" * 9 + "g" * 5, "f" * 249 + " " + "g" * 5),
    ],
)
def test_control_characters_become_a_space_wherever_they_come_from_before_a_signature_is_cut(signature, plain):
    crash = Crash(id="", raw={}, processed={"signature": signature})

    assert SigTrunc().act(crash) == (True, True)
    assert crash.processed["signature"] == plain


def test_a_signature_without_control_characters_is_left_as_it_is():
    crash = Crash(id="", raw={}, processed={"signature": "a  b | \u3000"})

    assert SigTrunc().act(crash) == (False, None)
