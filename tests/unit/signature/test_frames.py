"""The normal form of a frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.signature.frames import ARGUMENTS, MAXIMUM_NAME_LENGTH, TEMPLATES, collapse, normalize
from socorro_processor.signature.siglists import Entry, PatternList

NO_LINES = PatternList([])
INTERPRETER = PatternList([Entry("lines", 1, r"interpret\b")])


@pytest.mark.parametrize(
    "function",
    [
        "<unknown in combase.pdb>",
        "<.plt ELF section in libc.so.6>",
        "<.plt.sec ELF section in /usr/lib/my lib.so>",
        "<.text ELF section in app>",
    ],
)
def test_the_word_for_unknown_code_in_symbol_files_is_not_a_function(function):
    frame = {"function": function, "module": "a.dll", "module_offset": "0x12"}
    assert normalize(frame, NO_LINES) == "a.dll@0x12"
    assert normalize({**frame, "file": "/src/b.c", "line": 7}, NO_LINES) == "b.c#7"


@pytest.mark.parametrize("function", ["<A as B>::f", "<unknown in a.pdb>::f", "<known in a.pdb>"])
def test_a_function_in_brackets_is_still_a_function(function):
    assert "@" not in normalize({"function": function, "module": "a.dll", "module_offset": "0x12"}, NO_LINES)


@pytest.mark.parametrize(
    ("function", "collapsed"),
    [
        ("plain", "plain"),
        ("Box<int>", "Box<T>"),
        ("Box<Pair<int, Box<char> > >::open()", "Box<T>::open()"),
        ("map<int>::find<char>(set<int> const&)", "map<T>::find<T>(set<T> const&)"),
        ("<alloc::boxed::Box<F> as Handler>::call", "<T>::call"),
        ("<name omitted>", "<name omitted>"),
        ("IPC::ParamTraits<Foo>::Write", "IPC::ParamTraits<Foo>::Write"),
        ("IPC::ParamTraits<Foo<Bar>, int>::Write", "IPC::ParamTraits<Foo<T>::Write"),
        ("Outer<int, IPC::ParamTraits<Foo>>::x", "Outer<T>::x"),
        ("Outer<IPC::ParamTraits<Foo>>::x", "Outer<IPC::ParamTraits<Foo>>::x"),
        # What only looks like a bracket.
        ("Ptr<Foo>::operator->() const", "Ptr<T>::operator->() const"),
        ("operator->*", "operator->*"),
        ("std::operator<< <char>(int)", "std::operator<< <T>(int)"),
        ("a::operator<=>(b<c>)", "a::operator<=>(b<T>)"),
        ("a::operator>>(b<c>)", "a::operator>>(b<T>)"),
        ("apply<fn(i32) -> i32>::run", "apply<T>::run"),
        ("x > y<z>", "x > y<T>"),
        # A bracket that never closes takes the rest with it.
        ("operator<(A const&)", "operator<"),
        ("Box<int", "Box<"),
        ("Box<<<int>", "Box<"),
    ],
)
def test_template_arguments_collapse(function, collapsed):
    assert collapse(function, TEMPLATES) == collapsed


@pytest.mark.parametrize(
    ("function", "collapsed"),
    [
        ("f(int, char*)", "f"),
        ("f(g(h)) const", "f const"),
        ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
        ("Call::operator()(int) const", "Call::operator() const"),
        ("f(int", "f"),
        ("f)", "f)"),
        ("(f)", "@None"),
    ],
)
def test_argument_lists_collapse_on_request(function, collapsed):
    assert normalize({"function": function}, NO_LINES, collapse_arguments=True) == collapsed


@pytest.mark.parametrize(
    ("frame", "normal_form"),
    [
        ({"function": "f(int *,char & ,long)"}, "f(int*, char&, long)"),
        ({"function": "f(int  *,  char)"}, "f(int *,  char)"),
        ({"function": "interpret", "line": 12}, "interpret:12"),
        ({"function": "interpret"}, "interpret:None"),
        ({"function": "interpreter", "line": 12}, "interpreter"),
        ({"function": "f", "file": "a.c", "line": 1, "module": "m"}, "f"),
        ({"file": "/src/a/b.c", "line": 12, "module": "m"}, "b.c#12"),
        ({"file": "c:\\src\\b.c", "line": 12}, "b.c#12"),
        ({"file": "hg:host/tree:dom/b.c:958d", "line": "12"}, "b.c:958d#12"),
        ({"file": "dir/", "line": 12}, "dir#12"),
        ({"file": "b.c", "line": 0, "module": "m", "module_offset": "0x1"}, "m@0x1"),
        ({"file": "b.c", "line": None, "module": "m", "module_offset": "0x1"}, "m@0x1"),
        ({"module": "m", "module_offset": "0x1", "offset": "0x2"}, "m@0x1"),
        ({"module": None, "module_offset": None, "offset": "0x2"}, "@0x2"),
        ({"function": "", "module": "", "offset": "0x2"}, "@0x2"),
        ({"function": "f", "normalized": "cached"}, "cached"),
        ({"function": "f", "normalized": None}, "f"),
        ({}, "@None"),
    ],
)
def test_a_frame_is_named_by_its_most_telling_fact(frame, normal_form):
    assert normalize(frame, INTERPRETER) == normal_form


@pytest.mark.parametrize(
    "frame",
    [
        {"function": ["f"], "offset": "0x2"},
        {"function": 12, "offset": "0x2"},
        {"file": {"name": "b.c"}, "line": 1, "offset": "0x2"},
        {"file": "b.c", "line": [1], "offset": "0x2"},
        {"module": 5, "module_offset": "0x1", "offset": "0x2"},
        {"normalized": {"a": "b"}, "offset": "0x2"},
    ],
)
def test_a_value_of_another_type_counts_as_missing(frame):
    assert normalize(frame, NO_LINES) == "@0x2"


@pytest.mark.parametrize(
    ("frame", "normal_form"),
    [
        ({"function": "a" * 100_000}, "a" * MAXIMUM_NAME_LENGTH),
        ({"file": "a" * 100_000, "line": 1}, "a" * MAXIMUM_NAME_LENGTH + "#1"),
        ({"module": "a" * 100_000, "module_offset": "0x1"}, "a" * MAXIMUM_NAME_LENGTH + "@0x1"),
        ({"module": "m", "module_offset": "1" * 100_000}, "m@" + "1" * 100),
    ],
)
def test_only_the_beginning_of_an_endless_name_is_read(frame, normal_form):
    assert normalize(frame, NO_LINES) == normal_form


names = st.text(alphabet=st.sampled_from("<>(),*& \x00\ud800aB:-=é"), max_size=60) | st.text()
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
fields = st.sampled_from(["function", "line", "file", "module", "module_offset", "offset", "normalized"])


@given(st.dictionaries(fields, anything), st.booleans())
def test_whatever_a_frame_holds_it_has_a_normal_form(frame, collapse_arguments):
    assert normalize(frame, INTERPRETER, collapse_arguments=collapse_arguments)


@given(names)
def test_a_name_without_brackets_stays_as_it_is(text):
    for brackets in (TEMPLATES, ARGUMENTS):
        if not set(text) & {brackets.opening, brackets.closing}:
            assert collapse(text, brackets) == text


@given(st.recursive(st.just("T"), lambda inner: st.builds("a<{}>::{}".format, inner, inner), max_leaves=20))
def test_nothing_within_balanced_brackets_is_left(text):
    collapsed = collapse(text, TEMPLATES)

    assert collapsed.replace("<T>", "").count("<") == 0
    assert collapse(collapsed, TEMPLATES) == collapsed
