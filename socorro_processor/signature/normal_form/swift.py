"""Swift: the function that a demangled name speaks of.

    closure #1 (Swift.Int) -> () in Orchard.TreeView.prune(at: Foundation.Date) -> ()
        ->  closure in Orchard.TreeView.prune

A name is a chain: closures and local functions, each ``in`` the next. Thunks, copies and parts stand for the function.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from socorro_processor.signature.normal_form.tokens import Kind, Tokens
from socorro_processor.signature.normal_form.types import TEMPLATE

_STAND_FOR_THE_FUNCTION = re.compile(
    r"""(?: @objc | @nonobjc | merged | static | class | dynamic | specialized | distributed[ ]thunk
        | partial[ ]apply(?:[ ]forwarder)?[ ]for | (?:curry|dispatch|vtable)[ ]thunk[ ](?:of|for)
        | back[ ]deployment[ ](?:thunk|fallback)[ ]for | async[ ]function[ ]pointer[ ]to
        | \([0-9]+\)[ ](?:await|suspend)[ ]resume[ ]partial[ ]function[ ]for )[ ]""",
    re.VERBOSE,
)
_SPECIALISATION = re.compile(r"(?:[A-Za-z-]+ ){0,6}(?:pre-)?speciali[sz]ation (?=<)|inlined generic function (?=<)")
_CLOSURE = re.compile(r"(implicit )?closure (?:#[0-9]+ |(?=in ))")
_WITNESS = re.compile(r"protocol witness for ")
_WHOLE = re.compile(r"(?:reabstraction )?thunk (?:helper |for @)")
_DISCRIMINATOR = re.compile(r"_[0-9A-F]{16,}")
_PRIVATE = re.compile(r"\(\w+ in _[0-9A-F]{16}")
_ACCESSOR = re.compile(r"[\w>)]\.(?:getter|setter|modify2?|read2?|willset|didset|init|unsafe\w+|owning\w+) : ")
_QUALIFIERS = frozenset(("async", "throws", "rethrows", "reasync"))
_SIGNS = (
    "@objc ",
    "closure #",
    "closure in ",
    "implicit closure ",
    "protocol witness for ",
    "partial apply ",
    "merged ",
    "(extension in ",
)
_SPECIFIERS = ("static ", "class ", "dynamic ")
"""Words that other languages have too."""
_RESUMED = "resume partial function for "


def is_swift(name: str, file: str) -> bool:
    """Return True for what only Swift's demangler writes, and for what comes from a file of Swift."""
    if "::" in name:
        return False
    return (
        file.endswith(".swift")
        or name.startswith(_SIGNS)
        or _RESUMED in name
        or (" -> " in name and not name.startswith("auto "))
        or " in conformance " in name
        or _SPECIALISATION.match(name) is not None
        or (_STAND_FOR_THE_FUNCTION.match(name) is not None and not name.startswith(_SPECIFIERS))
        or _PRIVATE.search(name) is not None
        or (" : " in name and _ACCESSOR.search(name) is not None)
    )


def swift_name(tokens: Tokens) -> str:
    """Return the function with the closures in it, without types."""
    pieces: list[str] = []
    index, end = 0, len(tokens)
    while index < end:
        index = _function_begins(tokens, index)
        if closure := _CLOSURE.match(tokens.text, _offset(tokens, index)):
            pieces.append("implicit closure" if closure[1] else "closure")
        elif _WITNESS.match(tokens.text, _offset(tokens, index)):
            pieces.append(_witness(tokens, index))
            break
        elif _WHOLE.match(tokens.text, _offset(tokens, index)):
            pieces.append(_entity(tokens, index, end, whole=True))
            break
        else:
            inner = _find_words(tokens, index, end, "in") if _is_local(tokens, index, end) else end
            pieces.append(_entity(tokens, index, inner))
            index = inner + 3
            continue
        index = _find_words(tokens, index, end, "in") + 3
    return " in ".join(piece for piece in pieces if piece)


def _function_begins(tokens: Tokens, index: int) -> int:
    """Step over what only stands for a function: thunks, copies, parts."""
    while index < len(tokens):
        if prefix := _STAND_FOR_THE_FUNCTION.match(tokens.text, _offset(tokens, index)):
            index = _token_at(tokens, prefix.end())
            if prefix[0].startswith("vtable"):
                dispatching = _find_words(tokens, index, len(tokens), "dispatching", "to")
                index = dispatching + 5 if dispatching < len(tokens) else index
        elif copy := _SPECIALISATION.match(tokens.text, _offset(tokens, index)):
            behind = _behind_specialisation(tokens, _token_at(tokens, copy.end()))
            if not (
                tokens.is_text(behind, " ") and tokens.is_text(behind + 1, "of") and tokens.is_text(behind + 2, " ")
            ):
                break
            index = behind + 3
        else:
            break
    return index


def _behind_specialisation(tokens: Tokens, opening: int) -> int:
    """Return the token behind what a copy was made for; the demangler leaves a ``[`` in it open."""
    if tokens.partner[opening] < len(tokens):
        return tokens.behind(opening)
    closing = tokens.text.rfind("> of ", tokens.starts[opening])
    return _token_at(tokens, closing + 1) if closing >= 0 else len(tokens)


def _witness(tokens: Tokens, begin: int) -> str:
    """Return function, type and protocol of a witness; the module that declares the conformance goes."""
    end = len(tokens)
    function = _function_begins(tokens, _token_at(tokens, tokens.starts[begin] + len("protocol witness for ")))
    conformance = _find_words(tokens, function, end, "in", "conformance")
    witness = f"protocol witness for {_entity(tokens, function, conformance)}"
    if conformance == end:
        return witness
    begin = conformance + 5
    if tokens.opens(begin, "<"):
        begin = tokens.behind(begin)
    return f"{witness} in conformance {_entity(tokens, begin, _find_words(tokens, begin, end, 'in'), whole=True)}"


def _is_local(tokens: Tokens, begin: int, end: int) -> bool:
    """Return True if the entity is a local function: ``inner #1 () -> () in Orchard.prune() -> ()``."""
    number = next((index for index in range(begin, min(begin + 4, end)) if tokens.texts[index] == "#"), end)
    return number < end and _find_words(tokens, number, end, "in") < end


def _entity(tokens: Tokens, begin: int, end: int, *, whole: bool = False) -> str:
    """Return an entity without arguments, result, type and effects; with ``whole`` only templates collapse."""
    pieces: list[str] = []
    index = begin
    while index < end:
        text, kind = tokens.texts[index], tokens.kinds[index]
        behind = tokens.behind(index) if kind is Kind.OPENING else index + 1
        if kind is Kind.SPACE and not whole and _ends_name(tokens, index + 1, end):
            break
        if kind is Kind.OPENING and text == "(":
            pieces.append(_parentheses(tokens, index, whole=whole))
        elif kind is Kind.OPENING and text == "<":
            pieces.append(TEMPLATE if pieces and pieces[-1][-1:] not in ("", " ", "#") else "")
        else:
            pieces.append(tokens.source(index, behind))
        index = behind
    return "".join(pieces).strip()


def _ends_name(tokens: Tokens, index: int, end: int) -> bool:
    """Return True if the word is the first that says what a function takes or gives."""
    text = tokens.texts[index] if index < end else ""
    if text in _QUALIFIERS or text == "->":
        return True
    if text == ":":
        return tokens.is_text(index + 1, " ")
    # The number of a local function, ` #1`.
    return text == "#" or tokens.opens(index, "(")


def _parentheses(tokens: Tokens, opening: int, *, whole: bool) -> str:
    """Return what is left of parentheses: of arguments nothing, of a private name the name."""
    begin, end = tokens.inside(opening)
    if tokens.is_text(begin, "extension") and tokens.is_text(begin + 2, "in"):
        return tokens.source(opening, tokens.behind(opening))
    is_private = (
        end >= begin + 5
        and tokens.is_text(end - 4, " ")
        and tokens.is_text(end - 3, "in")
        and tokens.is_text(end - 2, " ")
        and _DISCRIMINATOR.fullmatch(tokens.texts[end - 1])
    )
    if is_private:
        return tokens.source(begin, end - 4)
    return tokens.source(opening, tokens.behind(opening)) if whole else ""


def _find_words(tokens: Tokens, begin: int, end: int, *words: str) -> int:
    """Return the index of the space before these words, outside all brackets; ``end`` if they are not there."""
    index = begin
    while index < end:
        if tokens.kinds[index] is Kind.SPACE and all(
            tokens.is_text(index + 2 * position + 1, word) and tokens.is_text(index + 2 * position + 2, " ")
            for position, word in enumerate(words)
        ):
            return index
        index = tokens.behind(index) if tokens.kinds[index] is Kind.OPENING else index + 1
    return end


def _offset(tokens: Tokens, index: int) -> int:
    return tokens.starts[index] if index < len(tokens) else len(tokens.text)


def _token_at(tokens: Tokens, offset: int) -> int:
    return bisect_left(tokens.starts, offset)
