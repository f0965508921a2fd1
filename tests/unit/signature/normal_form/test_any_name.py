"""Properties of the normal form of any name, whatever its characters and its length."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from socorro_processor.signature.characters import has_control_characters
from socorro_processor.signature.normal_form import explain_frame, normalize_frame, normalize_function, one_line
from socorro_processor.signature.normal_form.function import MAXIMUM_LENGTH, function_steps
from socorro_processor.signature.normal_form.tokens import Kind, Tokens
from tests.cpu_time import cpu_seconds

_ALPHABET = """
    acme f Part T int void const static operator operator() operator< operator<< new bool :: . , * & && -> => # ! ~ @
    < > ( ) [ ] { } ` ' " $_0 {lambda()#1} 'lambda0' <lambda_1> {closure#0} {{closure}} closure$1 ` anonymous-namespace'
    (anonymous namespace) `2' __l2 [abi:x] [0b1c] $LT$ $GT$ $u20$ .. ::h0123456789abcdef .cold .llvm.7 .9 @plt
    _block_invoke_2 __anon_3 IPC::ParamTraits <init> impl as for in kfun: -[ _Z ?A0x0123abcd requires noexcept
"""
PIECES = _ALPHABET.split()
SWIFT = (
    "closure #1 ",
    " in ",
    " -> ",
    " : ",
    "@objc ",
    "merged ",
    "protocol witness for ",
    " in conformance ",
    "generic specialization <",
    " <A> ",
    "> of ",
    "(A in _0123456789ABCDEF0123)",
    "(2) suspend resume partial function for ",
    "non-virtual thunk to ",
    "invocation function for block in ",
)
names = st.lists(st.sampled_from([*PIECES, *SWIFT, " ", " "]) | st.text(max_size=3), max_size=25).map("".join)

PLAIN_PIECES = """
    acme f Part9 _ __ __f x__y operator operator_ void const A0x12345678 A0x1 xA0x12345678 __l2 __l x__l2 __anon_3
    x__anon __struct_4 _GLOBAL__N_1 h0123456789abcdef kfun xkfun x_block_invoke x_block_invoke_2 _ZN4acme1fE _R1A _D3foo
    _T0x x__0123456789ABCDEF01 unnamed lambda_1 __part
"""
"""Parts of names of nothing but letters, digits and ``_``, among them what has a meaning somewhere."""
paths = st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,7}", fullmatch=True), min_size=1, max_size=4)
types = st.sampled_from(["int", "char const*", "acme::Part&", "std::map<int, acme::Key<char> >", "void (*)(int, char)"])
arguments = st.lists(types, max_size=3).map(", ".join)


@given(names, st.sampled_from(["", "a.rs", "a.swift", "a.cc"]))
@example("merged generic <A> of f<B>(b: B) async throws -> C", "")
@example(f"{'a' * (MAXIMUM_LENGTH - 1)} * operator", "a.cc")
def test_any_name_has_a_normal_form_that_can_be_printed(name, file):
    frame = {"function": name, "file": file, "module": "m"}
    normalized = normalize_frame(frame)
    assert normalized
    assert not has_control_characters(normalized)
    assert normalized == " ".join(normalized.split())
    assert explain_frame(frame)[-1].text == normalized


@pytest.mark.parametrize("file", ["", "a.rs", "a.swift"])
@pytest.mark.parametrize("form", ["{0}", "{0}::{1}", "f::{0}::{1}", "{0}{1}"])
def test_a_plain_name_that_is_not_read_is_what_the_steps_would_make_of_it(form, file):
    pieces = PLAIN_PIECES.split()
    for name in (form.format(*pair) for pair in product(pieces, repeat=2)):
        assert normalize_function(name, file) == function_steps(name, file)[-1].text


@given(
    st.dictionaries(
        st.sampled_from(["function", "file", "line", "module", "module_offset", "offset", "unloaded_modules"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["module", "offsets"]), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    )
)
def test_a_frame_may_hold_anything(frame):
    normalized = normalize_frame(frame)
    steps = explain_frame(frame)
    assert normalized == (steps[-1].text if steps else "")
    assert not has_control_characters(normalized)


@given(
    paths,
    arguments,
    arguments,
    st.sampled_from(["", "void ", "std::map<int, int> ", "static acme::Part* "]),
    st.sampled_from(["", " const", " &&", " noexcept", " [clone .cold]"]),
)
def test_the_normal_form_of_a_function_is_its_path_whatever_is_around_it(path, parameters, template, before, behind):
    name = "::".join(["acme", *(f"{part}x" for part in path)])
    assert normalize_function(f"{before}{name}({parameters}){behind}", "") == name
    assert normalize_function(f"{before}{name}<{template}>({parameters}){behind}", "") == f"{name}<T>"
    assert normalize_function(f"{name}({parameters}) const::Local::f({template})", "") == f"{name}::Local::f"


@given(paths, arguments, types)
def test_a_normal_form_is_its_own(path, parameters, type_):
    name = "::".join(["acme", *(f"{part}x" for part in path)])
    for function in (
        f"void {name}<{type_}>({parameters}) const",
        f"bool {name}::operator< <{type_}>({parameters})",
        f"{name}::operator {type_}() const",
        f"<{name}<{type_}> as core::Move>::lift::<{type_}>",
        f"closure #1 ({parameters}) -> () in {name.replace('::', '.')}({parameters}) -> ()",
        f"invocation function for block in {name}({parameters})",
        f"{name}({parameters})::$_0::operator()({parameters}) const",
    ):
        normalized = normalize_function(function, "")
        assert normalize_function(normalized, "") == normalized


@given(names)
def test_each_bracket_has_its_partner(name):
    tokens = Tokens(one_line(name))
    assert "".join(tokens.source(index, index + 1) for index in range(len(tokens))) == one_line(name)
    for index, (kind, partner) in enumerate(zip(tokens.kinds, tokens.partner, strict=True)):
        if kind is Kind.OPENING:
            assert partner > index
            assert partner == len(tokens) or tokens.partner[partner] == index
        elif kind is not Kind.CLOSING:
            assert partner == -1


HOSTILE = (
    *("<", "(", "[", "{", "`", "'", '"', "<a", "a<", "a(", "`a'::", "``a'::`2'::", "<<a as ", "<impl ", "operator<"),
    *("operator ", "operator()", " ", "a ", "::", "a::", "a::<", "->", " -> ", "closure #1 () -> () in ", "merged "),
    *("generic specialization <", "protocol witness for ", ".cold", " [clone .cold]", ".resume", "a::f.resume", ".1"),
    *("::h0123456789abcdef", "_block_invoke_2", "$_0::", "$u20$", "..", "{lambda(", "'lambda'(int)::", "(*", "(*f("),
    *("f() const::", "f() const ", "const ", "&", "IPC::ParamTraits<", "!(", "<A>::", "non-virtual thunk to ", "a, "),
    *("[abi:", "core[0a]::", "(a in _0123456789ABCDEF)", "kfun:<", "a.b[", "inner #1 () in ", " : ", "\u200b", '\\"'),
)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("end", ["", ")::f"])
def test_a_long_name_costs_as_much_as_its_length(piece, end):
    def cost(length: int) -> float:
        name = piece * (length // len(piece)) + end
        return cpu_seconds(lambda: normalize_function(name, ""))

    # Eight times the length costs 8 times as much if the cost is linear, 64 times if it is quadratic.
    assert cost(16_000) < 24 * cost(2_000) + 0.5


def test_a_long_name_is_read_to_its_end_and_cut_where_its_normal_form_is_long():
    assert normalize_function(f"acme::Cache<{'int, ' * 3_000}int>::put(int)", "") == "acme::Cache<T>::put"
    assert len(normalize_function("a" * 1_000_000, "")) == MAXIMUM_LENGTH
    assert normalize_function("<" * 1_000_000, "")
