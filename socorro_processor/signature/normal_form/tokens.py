"""The tokens of a name, and which brackets belong together.

    tokens = Tokens("acme::operator< <acme::Part>(int)")
    tokens.texts    # acme, ::, operator<, " ", <, acme, ::, Part, >, (, int, )
    tokens.partner  # of each bracket the index of the other

Names come from strangers: brackets may be missing, or be no brackets (``a < b``). Each character is looked at a
fixed number of times, and nothing here calls itself.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Kind(IntEnum):
    """The kinds of tokens."""

    WORD = 0
    """Letters of any language, digits, ``_`` and ``$``."""
    OTHER = 1
    """All else, also a bracket that is none."""
    SPACE = 2
    SCOPE = 3
    """``::``"""
    OPERATOR = 4
    """The whole name of an operator, ``operator()``."""
    CONVERSION = 5
    """The word ``operator`` in front of a type."""
    OPENING = 6
    CLOSING = 7


_TOKEN = re.compile(
    r"""
      (?P<operator> (?<![\w$]) operator (?![\w$]) )
    | (?P<swift_operator> (?<=\.) [-+*/%=<>!&|^~?]+ [ ] (?:infix|prefix|postfix) (?![\w$]) )
    | (?P<word> [\w$]+ )
    | (?P<scope> :: )
    | (?P<space> [ ] )
    | (?P<literal> (?<=[<(,\ ]) '[^\\']' | "[^"]*+" )
    | (?P<other> (?<=\)) (?<! operator\(\) ) <<? (?=\()
        | -> | => | <= | >= | (?<=[ ]) < (?=[ ]) | [^\w$ .:<>()\[\]{}`'"=-]+ | \.+ | [:"=-] )
    | (?P<bracket> [<>()\[\]{}`'] )
    """,
    re.VERBOSE,
)
_KINDS = {
    "swift_operator": Kind.OPERATOR,
    "word": Kind.WORD,
    "scope": Kind.SCOPE,
    "space": Kind.SPACE,
    "literal": Kind.OTHER,
    "other": Kind.OTHER,
}
_OPERATOR = re.compile(
    r"""
      [ ]? (?: \(\) | \[\] | <=>(?!=) | <<= | >>= | ->\* | <<(?![\w$:]) | >>(?![\w$:]) | [<>=!]= | && | \|\| | \+\+ | --
             | -> | [-+*/%^&|]= | [-+*/%^&|~!=<>,] )
    | [ ](?: new | delete | co_await )(?![\w$]) (?: \[\] )?
    """,
    re.VERBOSE,
)
_LITERAL_OPERATOR = re.compile(r' ?"" ?([\w$]+)')
_CLOSES = {")": "(", "]": "[", "}": "{", ">": "<"}
_QUOTES = "`'"
_BEFORE_A_QUOTATION = frozenset(" :(<,&[{`")
"""Characters in front of a ``'`` that opens; behind a name it closes."""


class Tokens:
    """A name in tokens.

    With ``operators``, the word ``operator`` is the keyword of C++.
    """

    def __init__(self, text: str, *, operators: bool = True) -> None:
        self.text = text
        self.texts: list[str] = []
        self.kinds: list[Kind] = []
        self.starts: list[int] = []
        """Where each token begins in ``text``."""
        self.partner: list[int] = []
        """The index of the other bracket; of one that is never closed, the number of tokens; else -1."""
        self._read(operators)

    def __len__(self) -> int:
        return len(self.texts)

    def source(self, begin: int, end: int) -> str:
        """Return the characters of these tokens."""
        return self.text[self._offset(begin) : self._offset(end)]

    def inside(self, opening: int) -> tuple[int, int]:
        """Return the first token between these brackets, and the one that closes them."""
        return opening + 1, self.partner[opening]

    def behind(self, opening: int) -> int:
        """Return the index of the token behind these brackets."""
        return min(self.partner[opening] + 1, len(self))

    def is_text(self, index: int, text: str) -> bool:
        return 0 <= index < len(self.texts) and self.texts[index] == text

    def opens(self, index: int, bracket: str) -> bool:
        return 0 <= index < len(self.texts) and self.texts[index] == bracket and self.kinds[index] is Kind.OPENING

    def _offset(self, index: int) -> int:
        return self.starts[index] if index < len(self.starts) else len(self.text)

    def _read(self, operators: bool) -> None:
        text, position, open_brackets = self.text, 0, list[int]()
        texts, kinds, starts, partner = self.texts, self.kinds, self.starts, self.partner
        while match := _TOKEN.match(text, position):
            name, token = match.lastgroup, match[0]
            starts.append(position)
            position = match.end()
            partner.append(-1)
            if name == "bracket":
                kinds.append(self._bracket(token, text.startswith("::", position), open_brackets))
                texts.append(token)
                continue
            kind = _KINDS.get(name or "", Kind.WORD)
            if name == "operator" and operators:
                if literal := _LITERAL_OPERATOR.match(text, position):
                    kind, token, position = Kind.OPERATOR, f'operator""{literal[1]}', literal.end()
                elif symbol := _OPERATOR.match(text, position):
                    of_words = symbol[0][1:2].isalpha()
                    token += symbol[0] if of_words else symbol[0].strip()
                    kind, position = Kind.OPERATOR, symbol.end()
                elif text.startswith(" ", position):
                    kind = Kind.CONVERSION
            texts.append(token)
            kinds.append(kind)
        for index in open_brackets:
            if texts[index] in _QUOTES:
                kinds[index] = Kind.OTHER
            else:
                partner[index] = len(texts)

    def _bracket(self, bracket: str, is_scope: bool, open_brackets: list[int]) -> Kind:
        """Return the kind of a bracket, the next token; enter it into, or take its partner from, the open ones.

        ``is_scope`` says that ``::`` is behind it, as it is behind MSVC's ``f(int)const '``.
        """
        index = len(self.texts)
        if bracket in _QUOTES:
            before = self.texts[-1][-1] if self.texts else " "
            if bracket == "`" or (before in _BEFORE_A_QUOTATION and not is_scope):
                open_brackets.append(index)
                return Kind.OPENING
            return self._close(_QUOTES, "<", open_brackets)
        if bracket not in _CLOSES:
            open_brackets.append(index)
            return Kind.OPENING
        return self._close(_CLOSES[bracket], _QUOTES if bracket == ">" else "<`'", open_brackets)

    def _close(self, opening: str, weaker: str, open_brackets: list[int]) -> Kind:
        """Close the topmost ``opening``; what is open above it and ``weaker`` was no bracket."""
        index = len(self.texts)
        while open_brackets:
            top = open_brackets[-1]
            if self.texts[top] in opening:
                open_brackets.pop()
                self.partner[top], self.partner[index] = index, top
                return Kind.CLOSING
            if self.texts[top] not in weaker:
                break
            open_brackets.pop()
            self.kinds[top] = Kind.OTHER
        return Kind.OTHER
