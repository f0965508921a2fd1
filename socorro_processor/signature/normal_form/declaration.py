"""The name within a declaration: C++, C, Rust, D, Java, Zig.

    public: virtual void __cdecl acme::Shop::close(int)const  ->  acme::Shop::close

A declaration is words with spaces between them; brackets and operators belong to a word, whatever spaces they hold.
One of the words is the name: the last that has arguments or ``::``, what stands behind it apart. Where there is no
such sign, the words before the last one have to be known as types or specifiers; else the text stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from socorro_processor.signature.normal_form.spelling import LAMBDA, spelled, without_counter
from socorro_processor.signature.normal_form.tokens import Kind, Tokens
from socorro_processor.signature.normal_form.types import MAXIMUM_DEPTH, TEMPLATE, is_qualified, kept_type
from socorro_processor.signature.normal_form.vocabulary import BEFORE, BEHIND, ENDS, MSVC_NAMES, TYPES_OF_RUST

_POINTERS = "*&^"
_NAMES_IN_BRACKETS_AFTER = (".", "#", "+", "/", "@", ":")
"""Behind these a ``<`` opens a name, such as ``<init>``."""
_LOCAL_SCOPE = "__l"


@dataclass
class _Word:
    pieces: list[str] = field(default_factory=list)
    has_arguments: bool = False
    has_scope: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def declared_name(tokens: Tokens, begin: int, end: int, depth: int = 0) -> str:
    """Return the name in a declaration; the empty text if it has none."""
    while True:
        reader = _Reader(tokens, begin, end, depth)
        declarator = reader.read()
        if declarator is None:
            return _name(reader.words)
        # Of a function that returns a pointer to a function, only what is within the brackets is of use.
        begin, end = declarator


class _Reader:
    """Reads the words of a declaration."""

    def __init__(self, tokens: Tokens, begin: int, end: int, depth: int) -> None:
        self._tokens, self._index, self._begin, self._end, self._depth = tokens, begin, begin, end, depth
        self._word = _Word()
        self.words = [self._word]

    def read(self) -> tuple[int, int] | None:
        """Read all words; or return the tokens of the declarator that is the declaration's."""
        tokens = self._tokens
        while self._index < self._end:
            kind = tokens.kinds[self._index]
            if kind is Kind.SPACE:
                self._space()
            elif kind is Kind.OPENING:
                if tokens.texts[self._index] == "(" and (declarator := self._declarator()):
                    return declarator
                self._brackets()
            elif kind is Kind.CONVERSION:
                self._conversion()
            else:
                self._text(kind)
        return None

    def _space(self) -> None:
        following = self._index + 1
        if following < self._end and self._is_behind_arguments() and self._local_scope_follows(following):
            return
        if following < self._end and not self._goes_on(following):
            self._next_word()
        self._index = following

    def _goes_on(self, index: int) -> bool:
        """Return True if brackets behind a space belong to the word before: templates, arguments, ABI tags."""
        tokens = self._tokens
        if tokens.opens(index, "<"):
            return index - 2 >= self._begin and tokens.kinds[index - 2] is Kind.OPERATOR
        if tokens.opens(index, "("):
            return bool(self._word.pieces) and spelled(tokens, index) is None and self._pointer_in(index) < 0
        return tokens.opens(index, "[") and tokens.is_text(index + 1, "abi")

    def _is_behind_arguments(self) -> bool:
        """Return True if the token before is the end of arguments."""
        tokens, before = self._tokens, self._index - 1
        return before >= self._begin and self._word.has_arguments and tokens.texts[before] == ")"

    def _local_scope_follows(self, index: int) -> bool:
        """Step over qualifiers that a ``::`` follows: ``f() const::Guard``; return False where none does."""
        tokens = self._tokens
        while index < self._end:
            if tokens.kinds[index] is Kind.SPACE or tokens.texts[index] in BEHIND:
                index += 1
            elif tokens.opens(index, "[") and tokens.is_text(index + 1, "abi"):
                index = tokens.behind(index)
            else:
                break
        if index < self._end and tokens.kinds[index] is Kind.SCOPE:
            self._index = index
            return True
        return False

    def _next_word(self) -> None:
        self._word = _Word()
        self.words.append(self._word)

    def _text(self, kind: Kind) -> None:
        tokens, text = self._tokens, self._tokens.texts[self._index]
        if self._is_behind_arguments() and (kind is Kind.WORD or text in BEHIND):
            # MSVC: `f(int)const`.
            if self._local_scope_follows(self._index):
                return
            self._next_word()
        if kind is Kind.SCOPE:
            self._word.has_scope = True
        elif one := spelled(tokens, self._index):
            spelling, self._index = one
            self._word.pieces.append(spelling)
            return
        elif self._is_local_scope(text):
            self._index += 2
            return
        self._word.pieces.append(without_counter(text) if kind is Kind.WORD else text)
        self._index += 1

    def _is_local_scope(self, text: str) -> bool:
        return (
            text.startswith(_LOCAL_SCOPE)
            and text[len(_LOCAL_SCOPE) :].isdecimal()
            and bool(self._word.pieces)
            and self._word.pieces[-1] == "::"
            and self._tokens.is_text(self._index + 1, "::")
        )

    def _conversion(self) -> None:
        """Read ``operator T``: up to the arguments, all is the name."""
        tokens = self._tokens
        index = begin = self._index + 2
        while index < self._end and not (tokens.opens(index, "(") and not self._is_pointer(index)):
            if tokens.opens(index, "(") and tokens.opens(tokens.behind(index), "("):
                index = tokens.behind(index)
            index = tokens.behind(index) if tokens.kinds[index] is Kind.OPENING else index + 1
        index = min(index, self._end)
        self._word.pieces.append(f"operator {kept_type(tokens, begin, index, self._depth)}")
        self._index = max(index, begin)

    def _is_pointer(self, opening: int) -> bool:
        """Return True for ``(*)`` and the like, the middle of a pointer to a function."""
        begin, end = self._tokens.inside(opening)
        return end > begin and self._tokens.texts[end - 1][0] in _POINTERS

    def _declarator(self) -> tuple[int, int] | None:
        """Return the tokens behind the pointer of ``(*f(int))(char)``, at the beginning of a word."""
        if self._word.pieces:
            return None
        pointer = self._pointer_in(self._index)
        return None if pointer < 0 else (pointer + 1, self._tokens.partner[self._index])

    def _pointer_in(self, opening: int) -> int:
        """Return the last pointer of a declarator with a name; -1 if the parentheses are none."""
        tokens = self._tokens
        behind = tokens.behind(opening)
        if tokens.is_text(behind, " "):
            behind += 1
        if not (tokens.opens(behind, "(") or tokens.opens(behind, "[")):
            return -1
        index, end = tokens.inside(opening)
        pointer = -1
        while index < end:
            if tokens.kinds[index] is Kind.OTHER and tokens.texts[index][-1] in _POINTERS:
                pointer = index
            index = tokens.behind(index) if tokens.kinds[index] is Kind.OPENING else index + 1
        return pointer if pointer + 1 < end else -1

    def _brackets(self) -> None:
        tokens, opening = self._tokens, self._index
        self._index = tokens.behind(opening)
        if one := spelled(tokens, opening):
            self._word.pieces.append(one[0])
            return
        bracket = tokens.texts[opening]
        if bracket == "(":
            self._parentheses(opening)
        elif bracket == "<":
            self._angle_brackets(opening)
        elif bracket == "`":
            self._quotation(opening)
        else:
            self._word.pieces.append(tokens.source(opening, self._index))

    def _parentheses(self, opening: int) -> None:
        before = opening - 1
        if before >= self._begin and self._tokens.kinds[before] is Kind.OTHER and self._tokens.texts[before][-1] == "!":
            self._word.pieces.append("(T)")  # a template of D
        else:
            self._word.has_arguments = True

    def _angle_brackets(self, opening: int) -> None:
        tokens, pieces = self._tokens, self._word.pieces
        if not pieces or pieces[-1] == "::":
            pieces.append(self._name_in_brackets(opening))
            return
        last = pieces[-1]
        if last.startswith("operator") and last.endswith("<"):
            pieces.append(f" {TEMPLATE}")
        elif last == LAMBDA:
            pass  # the template parameters of a lambda
        elif last.endswith(_NAMES_IN_BRACKETS_AFTER) and tokens.kinds[opening - 1] is Kind.OTHER:
            pieces.append(tokens.source(opening, self._index))
        elif pieces[-3:] == ["IPC", "::", "ParamTraits"] and self._depth < MAXIMUM_DEPTH:
            pieces.append(f"<{kept_type(tokens, *tokens.inside(opening), self._depth + 1)}>")
        else:
            pieces.append(TEMPLATE)

    def _name_in_brackets(self, opening: int) -> str:
        """Return what brackets at the beginning of a component hold."""
        tokens, pieces = self._tokens, self._word.pieces
        begin, end = tokens.inside(opening)
        if tokens.texts[begin : begin + 1] and tokens.texts[begin].startswith(
            ("unnamed", "unknown", "lambda_", "anonymous")
        ):
            return tokens.source(opening, self._index)
        if is_qualified(tokens, opening) and self._depth < MAXIMUM_DEPTH:
            return f"<{kept_type(tokens, begin, end, self._depth + 1)}>"
        if pieces:
            pieces.pop()
            return TEMPLATE
        if tokens.is_text(self._index, "::"):
            return kept_type(tokens, begin, end, self._depth)
        return tokens.source(opening, self._index)

    def _quotation(self, opening: int) -> None:
        """Read what MSVC has in quotation marks: a local scope's function or number, a name of its own."""
        tokens, pieces = self._tokens, self._word.pieces
        begin, end = tokens.inside(opening)
        first = tokens.texts[begin] if begin < end else ""
        if end == begin + 1 and first.isdecimal():
            if tokens.is_text(self._index, "::"):
                self._index += 1
            elif pieces and pieces[-1] == "::":
                pieces.pop()
        elif first in MSVC_NAMES or not tokens.is_text(self._index, "::") or self._depth >= MAXIMUM_DEPTH:
            pieces.append(self._msvc_name(opening, end))
        else:
            pieces.append(declared_name(tokens, begin, end, self._depth + 1))

    def _msvc_name(self, opening: int, end: int) -> str:
        """Return the name in its quotation marks, what is named in it (``for 'x'``) in normal form."""
        tokens, pieces = self._tokens, list[str]()
        index = opening
        while index < end:
            if tokens.opens(index, "'") and self._depth < MAXIMUM_DEPTH:
                pieces.append(f"'{declared_name(tokens, *tokens.inside(index), self._depth + 1)}'")
                index = tokens.behind(index)
            else:
                pieces.append(tokens.texts[index])
                index += 1
        return f"{''.join(pieces)}'"


def _name(words: list[_Word]) -> str:
    """Return the word that is the name; all words where nobody knows which one is it."""
    first = next((place for place, word in enumerate(words) if word.has_arguments or word.has_scope), len(words))
    end = next((place for place in range(first + 1, len(words)) if words[place].text in ENDS), len(words))
    while end > first + 1 and _is_behind(words[end - 1]):
        end -= 1
    del words[end:]
    name = words[-1]
    if words[0].text in TYPES_OF_RUST:
        return " ".join(word.text for word in words if word.text)
    if not name.has_arguments and not name.has_scope and len(words) > 1:
        called = next(
            (word for word in reversed(words) if word.has_arguments and word.pieces and word.pieces[0] not in BEFORE),
            None,
        )
        if called is not None:
            name = called
        elif not all(_is_before(word) for word in words[:-1]):
            return " ".join(word.text for word in words if word.text)
    text = name.text
    return text.lstrip(_POINTERS) if len(words) > 1 else text


def _is_behind(word: _Word) -> bool:
    text = word.text
    return text in BEHIND or text.startswith(("[", "@")) or not text


def _is_before(word: _Word) -> bool:
    text = word.text
    return text in BEFORE or word.has_scope or text.endswith(("*", "&", ">")) or text.startswith(("@", "[")) or not text
