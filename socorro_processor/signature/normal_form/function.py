"""The normal form of a function's name, step by step."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from socorro_processor.signature.normal_form.characters import one_line
from socorro_processor.signature.normal_form.declaration import declared_name
from socorro_processor.signature.normal_form.go import go_name, is_go
from socorro_processor.signature.normal_form.kotlin import is_kotlin, kotlin_name
from socorro_processor.signature.normal_form.mangled import is_mangled
from socorro_processor.signature.normal_form.objective_c import is_method, without_block_numbers
from socorro_processor.signature.normal_form.rust import comes_from_rust, has_escapes, without_escapes
from socorro_processor.signature.normal_form.suffixes import without_suffixes
from socorro_processor.signature.normal_form.swift import is_swift, swift_name
from socorro_processor.signature.normal_form.tokens import Tokens

MAXIMUM_READ = 1 << 14
"""Characters of a name that are read; the rest is ignored."""
MAXIMUM_LENGTH = 4096
"""Characters of a normal form; a longer one is cut."""

_CACHED_LENGTH = 1024
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*", re.ASCII)
"""A name, or a path of names, of nothing but letters, digits and ``_``."""
_CHANGES = re.compile(r"_block_invoke|__(?:anon_|struct_|l[0-9])|_GLOBAL__N_1|\bA0x|::h[0-9a-f]{16}\Z", re.ASCII)
"""Parts that do not stay, even in a plain name: counters, anonymous namespaces, a hash of Rust."""
_PLACEHOLDER = re.compile(
    r"<(?:(?:unknown|\.\S+ ELF section) in ([^<>]*)|name omitted|deduplicated_symbol|redacted|unknown)>"
)
_UNLOADED = re.compile(r"\(unloaded [^()]*\)")
_THUNK = re.compile(r"(?:(?:non-virtual|virtual|covariant return) thunk to |\[thunk\]: ?)+")
_OF_ANOTHER = re.compile(
    r"""(?: (?: invocation[ ]function[ ]for[ ]block[ ]in
              | (?:VTT|vtable|typeinfo|typeinfo[ ]name|guard[ ]variable|transaction[ ]clone|initializer)[ ]for
              | (?:TLS|thread-local)[ ](?:init|initialization|wrapper)[ ](?:function|routine)[ ]for
              | reference[ ]temporary(?:[ ]\#[0-9]+)?[ ]for
              | global[ ](?:constructors|destructors)[ ]keyed[ ]to )[ ])+""",
    re.VERBOSE,
)
"""Words that demanglers put before the name that they are about; they stay."""
_SPACE_BEFORE = re.compile(r" +([*&,])")
_COMMA = re.compile(r"(?<!operator), *")


class Step(NamedTuple):
    """A step to the normal form."""

    name: str
    text: str
    """The text after the step."""


def placeholder_module(name: str) -> str | None:
    """Return the module that a placeholder names, or the empty text; None for a name that is not a placeholder."""
    # Most names are not placeholders: their beginning tells.
    beginning = name[:100]
    if "<" not in beginning or not one_line(beginning).startswith("<"):
        return None
    placeholder = _PLACEHOLDER.fullmatch(one_line(name[:MAXIMUM_READ]))
    return None if placeholder is None else placeholder[1] or ""


def normalize_function(name: str, file: str) -> str:
    """Return the normal form of a function's name; empty if nothing is left of it.

    ``file`` is the path of its source, or the empty text.
    """
    if len(name) <= _CACHED_LENGTH:
        return _normalize_cached(name, _language_of(file))
    return _normalize_long(name[:MAXIMUM_READ], _language_of(file))


def function_steps(name: str, file: str) -> list[Step]:
    """Return each step that changes the name, in order."""
    return _steps(name[:MAXIMUM_READ], _language_of(file))


def forget_normal_forms() -> None:
    """Empty the cache of normal forms, as it is when a processor starts."""
    _normalize_cached.cache_clear()
    _normalize_long.cache_clear()


@lru_cache(maxsize=4096)
def _normalize_cached(name: str, file: str) -> str:
    return name if _PLAIN.fullmatch(name) and not _CHANGES.search(name) else _last(_steps(name, file))


@lru_cache(maxsize=64)
def _normalize_long(name: str, file: str) -> str:
    return _last(_steps(name, file))


def _language_of(file: str) -> str:
    """Return the extension of a source file if it tells more than the name; otherwise the empty text."""
    return ".rs" if comes_from_rust(file) else ".swift" if file.endswith(".swift") else ""


def _last(steps: list[Step]) -> str:
    return steps[-1].text


def _steps(name: str, file: str) -> list[Step]:
    steps = [Step("function", name)]

    def step(what: str, text: str) -> str:
        if text != steps[-1].text:
            steps.append(Step(what, text))
        return text

    text = step("one line, nothing invisible", one_line(name))
    if not text or _UNLOADED.fullmatch(text):
        return steps
    text = step("without suffixes", without_suffixes(text))
    if is_mangled(text):
        step("blocks without numbers", without_block_numbers(text))
        return steps
    text = step("blocks without numbers", without_block_numbers(text))
    if is_method(text):
        return steps
    is_rust = bool(file == ".rs" or has_escapes(text))
    if is_rust:
        text = step("escapes of Rust", one_line(without_escapes(text)))
    if thunk := _THUNK.match(text):
        text = step("function of the thunk", text[thunk.end() :])
    words = _OF_ANOTHER.match(text)
    prefix = words[0] if words else ""
    language, named = _named(text[len(prefix) :], file, is_rust)
    # Arguments that are left out may have stood between two spaces.
    text = step(f"read as {language}", one_line(prefix + named) if named else "")
    text = step("without suffixes", without_suffixes(text))
    if not is_method(text):
        text = step("regular spaces", _COMMA.sub(", ", _SPACE_BEFORE.sub(r"\1", text)).strip())
    step(f"cut to {MAXIMUM_LENGTH} characters", text[:MAXIMUM_LENGTH].rstrip())
    return steps


def _named(text: str, file: str, is_rust: bool) -> tuple[str, str]:
    """Return the language of a name, and the part of it that names the function."""
    if not text or is_method(text):
        return "Objective-C", text
    if is_kotlin(text):
        return "Kotlin/Native", kotlin_name(Tokens(text, operators=False))
    if is_go(text):
        return "Go", go_name(Tokens(text, operators=False))
    if is_swift(text, file):
        return "Swift", swift_name(Tokens(text, operators=False))
    tokens = Tokens(text, operators=not is_rust)
    return "Rust" if is_rust else "a declaration", declared_name(tokens, 0, len(tokens))
