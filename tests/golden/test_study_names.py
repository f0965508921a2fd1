"""The study of names recognizes a normal form that is cut in the middle of a name."""

from __future__ import annotations

import pytest

from tests.golden.study_names import cut_in_the_middle


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("acme::Shop::close(int)", "acme::Shop::close"),
        (
            "acme::f()::{lambda()#1}::operator()() const::{lambda()#2}::_FUN()",
            "acme::f::{lambda}::operator()::{lambda}::_FUN",
        ),
        ("std::enable_if<(a())<(b()), bool>::type acme::operator< <int>(int)", "acme::operator< <T>"),
        ("acme::Shop::operator->() const", "acme::Shop::operator->"),
        ("<acme::Reader>::visit_operator::<acme::Part>", "acme::Reader::visit_operator<T>"),
    ],
)
def test_a_whole_name_is_not_cut(name: str, normal: str) -> None:
    assert cut_in_the_middle(name, normal) == ""


@pytest.mark.parametrize(
    ("name", "normal", "reason"),
    [
        ("acme::Shop::close(int)", "", "nothing is left"),
        ("acme::Shop::close(int)", "acme::Shop::clo", "clo is not in the name"),
        ("acme::Shop::close(int)", "acme::Shop::", "ends where no name ends"),
        ("acme::Box<acme::Part>::open()", "acme::Box<T", "lacks a < or >"),
        ("acme::f()::{lambda()#1}::operator()() const", "acme::f::{lambda::operator()", "lacks a { or }"),
    ],
)
def test_a_name_that_is_cut_is_told_with_the_reason(name: str, normal: str, reason: str) -> None:
    assert cut_in_the_middle(name, normal) == reason
