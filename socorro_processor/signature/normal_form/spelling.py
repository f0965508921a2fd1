"""One spelling for what a compiler counts or hashes, and for what each compiler writes in its own way.

$_3, {lambda(int)#2}, 'lambda0'(int), <lambda_8e1f0c2a>  ->  {lambda}
"""

from __future__ import annotations

import re

from socorro_processor.signature.normal_form.tokens import Kind, Tokens

LAMBDA = "{lambda}"
CLOSURE = "{{closure}}"
ANONYMOUS_NAMESPACE = "(anonymous namespace)"
UNNAMED_TYPE = "{unnamed type}"

_LAMBDA_OF_CLANG = re.compile(r"\$_[0-9]+")
_LAMBDA_OF_MSVC = re.compile(r"lambda_[0-9a-fA-F_]+")
_CLOSURE_WORDS = r"(?:closure|(?:async|gen|async_gen)_(?:fn|block|closure)|coroutine)"
_CLOSURE_OF_PDB = re.compile(rf"{_CLOSURE_WORDS}\$[0-9]+")
_CLOSURE_OF_RUST = re.compile(rf"\{{(?:\{{closure\}}|{_CLOSURE_WORDS}#[0-9]+)\}}")
_HASHED_NAMESPACE = re.compile(r"A0x[0-9a-fA-F]{8}")
_COUNTED_BY_ZIG = re.compile(r"__anon_[0-9]+(?![0-9A-Za-z_])|(?<=__struct)_[0-9]+(?![0-9A-Za-z_])")
_LAMBDA_IN_QUOTES = re.compile(r"'lambda[0-9]*'")
_TYPE_IN_QUOTES = re.compile(r"'unnamed[0-9]*'")
_CRATE_NUMBER = re.compile(r"\[[0-9a-f]{1,16}\]")
_UNNAMED_BY_CLANG = re.compile(r"\((?:anonymous|unnamed) (class|struct|union|enum)(?: at [^()]*)?\)")
_THUNK_OF_MSVC = ("adjustor", "vtordisp", "vtordispex")
_LONGEST = 4096
"""Characters of a bracket's content that are looked at, to see what it is."""


def spelled(tokens: Tokens, index: int) -> tuple[str, int] | None:
    """Return the one spelling of what begins at this token, and the token behind it; None for other things."""
    kind, text = tokens.kinds[index], tokens.texts[index]
    if kind is Kind.WORD:
        return _spelled_word(tokens, index, text)
    if kind is Kind.OTHER:
        if text[-1] == "?" and len(text) == 1 and _is_hashed_namespace(tokens, index + 1):
            return ANONYMOUS_NAMESPACE, index + 2
        return None
    if kind is not Kind.OPENING:
        return None
    spelling = {
        "<": _angle_brackets,
        "(": _parentheses,
        "{": _braces,
        "[": _square_brackets,
        "`": _quotation,
        "'": _quotation,
    }[text](tokens, index)
    return None if spelling is None else (spelling, tokens.behind(index))


def begins_component(tokens: Tokens, index: int) -> bool:
    """Return True if nothing of its component of a path stands before the token."""
    return index == 0 or tokens.kinds[index - 1] in (Kind.SPACE, Kind.SCOPE, Kind.OPENING)


def without_counter(word: str) -> str:
    """Return a word without the number that Zig gives to copies of a function."""
    return _COUNTED_BY_ZIG.sub("", word) if "__anon_" in word or "__struct_" in word else word


def _spelled_word(tokens: Tokens, index: int, word: str) -> tuple[str, int] | None:
    if word[0] == "$" and _LAMBDA_OF_CLANG.fullmatch(word) and begins_component(tokens, index):
        return LAMBDA, index + 1
    if "$" in word and _CLOSURE_OF_PDB.fullmatch(word):
        return CLOSURE, index + 1
    if word == "_GLOBAL__N_1" or _is_hashed_namespace(tokens, index):
        return ANONYMOUS_NAMESPACE, index + 1
    return None


def _is_hashed_namespace(tokens: Tokens, index: int) -> bool:
    return (
        index < len(tokens)
        and tokens.texts[index].startswith("A0x")
        and _HASHED_NAMESPACE.fullmatch(tokens.texts[index]) is not None
        and tokens.is_text(index + 1, "::")
    )


def _angle_brackets(tokens: Tokens, index: int) -> str | None:
    first = tokens.texts[index + 1] if index + 1 < len(tokens) else ""
    if first == "lambda" and tokens.opens(index + 2, "("):
        return LAMBDA
    if tokens.partner[index] != index + 2:
        return None
    if _LAMBDA_OF_MSVC.fullmatch(first):
        return LAMBDA
    return ANONYMOUS_NAMESPACE if first == "unnamed" and begins_component(tokens, index) else None


def _parentheses(tokens: Tokens, index: int) -> str | None:
    first = tokens.texts[index + 1] if index + 1 < len(tokens) else ""
    if first not in ("anonymous", "unnamed", "lambda") or not tokens.is_text(index + 2, " "):
        return None
    if first == "lambda":
        return LAMBDA if tokens.is_text(index + 3, "at") else None
    content = _source(tokens, index)
    if content == ANONYMOUS_NAMESPACE:
        return content
    if not (unnamed := _UNNAMED_BY_CLANG.fullmatch(content)):
        return None
    behind = tokens.behind(index)
    if unnamed[1] == "class" and tokens.is_text(behind, "::") and tokens.is_text(behind + 1, "operator()"):
        return LAMBDA
    return f"({first} {unnamed[1]})"


def _braces(tokens: Tokens, index: int) -> str | None:
    first = tokens.texts[index + 1] if index + 1 < len(tokens) else ""
    if first == "lambda":
        return LAMBDA
    if first not in ("anonymous", "unnamed", "{") and not tokens.is_text(index + 2, "#"):
        return None
    content = _source(tokens, index)
    if content == "{anonymous}":
        return ANONYMOUS_NAMESPACE
    if content.startswith("{unnamed type#"):
        return UNNAMED_TYPE
    return CLOSURE if _CLOSURE_OF_RUST.fullmatch(content) else None


def _square_brackets(tokens: Tokens, index: int) -> str | None:
    if tokens.is_text(index + 1, "abi") and tokens.is_text(index + 2, ":"):
        return ""
    is_crate_number = (
        index > 0
        and tokens.kinds[index - 1] is Kind.WORD
        and tokens.partner[index] == index + 2
        and tokens.is_text(index + 3, "::")
        and _CRATE_NUMBER.fullmatch(_source(tokens, index))
    )
    return "" if is_crate_number else None


def _quotation(tokens: Tokens, index: int) -> str | None:
    content = _source(tokens, index)
    if content in ("`anonymous namespace'", "`anonymous-namespace'"):
        return ANONYMOUS_NAMESPACE
    if tokens.is_text(index, "`"):
        return "" if index + 1 < len(tokens) and tokens.texts[index + 1] in _THUNK_OF_MSVC else None
    if _LAMBDA_IN_QUOTES.fullmatch(content):
        return LAMBDA
    return UNNAMED_TYPE if _TYPE_IN_QUOTES.fullmatch(content) else None


def _source(tokens: Tokens, index: int) -> str:
    """Return the brackets with their content; the empty text if it is too long to be what is looked for."""
    begin, end = tokens.starts[index], tokens.behind(index)
    stop = tokens.starts[end] if end < len(tokens) else len(tokens.text)
    return tokens.text[begin:stop] if stop - begin <= _LONGEST else ""
