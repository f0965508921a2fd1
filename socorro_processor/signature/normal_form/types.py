"""Types that a name keeps: in ``<A as B>``, ``<impl A for B>``, ``IPC::ParamTraits<X>``, ``operator X``.

Their own templates collapse, and everything in them has one spelling. They may stand within each other; deeper than
MAXIMUM_DEPTH they are templates like all others, so that the stack does not grow with the input.
"""

from __future__ import annotations

from socorro_processor.signature.normal_form.spelling import spelled, without_counter
from socorro_processor.signature.normal_form.tokens import Kind, Tokens

MAXIMUM_DEPTH = 16
TEMPLATE = "<T>"
_ELABORATIONS = frozenset(("class", "struct", "enum", "union"))


def kept_type(tokens: Tokens, begin: int, end: int, depth: int) -> str:
    """Return the type that these tokens are."""
    pieces: list[str] = []
    index = begin
    while index < end:
        kind, text = tokens.kinds[index], tokens.texts[index]
        if one := spelled(tokens, index):
            spelling, index = one
            pieces.append(spelling)
        elif kind is Kind.OPENING and text == "<":
            if is_qualified(tokens, index) and depth < MAXIMUM_DEPTH:
                pieces.append(f"<{kept_type(tokens, *tokens.inside(index), depth + 1)}>")
            elif not pieces and tokens.is_text(tokens.behind(index), "::") and depth < MAXIMUM_DEPTH:
                pieces.append(kept_type(tokens, *tokens.inside(index), depth + 1))
            elif tokens.is_text(index - 1, "for"):
                pieces.append(tokens.source(index, tokens.behind(index)))
            else:
                if pieces and pieces[-1] == "::":
                    pieces.pop()
                pieces.append(TEMPLATE)
            index = tokens.behind(index)
        elif text in _ELABORATIONS and tokens.is_text(index + 1, " "):
            index += 2
        else:
            pieces.append(without_counter(text))
            index += 1
    return "".join(pieces).strip()


def is_qualified(tokens: Tokens, opening: int) -> bool:
    """Return True if the brackets hold ``A as B`` or ``impl A``, as only Rust writes it."""
    index, end = tokens.inside(opening)
    if tokens.is_text(index, "impl") and tokens.is_text(index + 1, " "):
        return True
    while index < end:
        if tokens.kinds[index] is Kind.OPENING:
            index = tokens.behind(index)
            continue
        if tokens.texts[index] == "as" and tokens.is_text(index - 1, " ") and tokens.is_text(index + 1, " "):
            return True
        index += 1
    return False
