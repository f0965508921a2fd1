"""The end of a name: what optimiser and linker hung on it (rule: *the copy is the function*).

without_suffixes("orchard::prune(int) [clone .isra.0] [clone .cold]")  # "orchard::prune(int)"
"""

from __future__ import annotations

import re

_WORDS = frozenset(
    (
        "cfi",
        "cfi_jt",
        "cold",
        "constprop",
        "isra",
        "llvm",
        "localalias",
        "lto",
        "lto_priv",
        "memprof",
        "omp_outlined",
        "_omp_fn",
        "thinlto",
        "__part",
        "__uniq",
    )
)
"""Words of GCC and LLVM, with a number behind them or without."""
_NUMBERED_WORDS = frozenset(("content", "extracted", "outlined", "part", "specialized", "warm"))
"""Words that count only with a number behind them: without it, ``yard.Gate.part`` is a method."""
_WORDS_OF_NO_METHOD = frozenset(("actor", "cleanup", "destroy", "ifunc", "resolver", "resume", "split"))
"""Words that count only behind arguments, ``::`` or a mangled name: elsewhere, ``yard.Gate.destroy`` is a method."""
_BRACKETS = {
    ")": ("(", re.compile(r"\(\.\w[^()]*\)")),
    "]": ("[", re.compile(r"\[(?:\.\w|clone\b)[^\[\]]*\]")),
}
"""By the closing bracket the opening one, and suffixes in them: ``[clone .cold]``, ``[.cold.1]``, ``(.llvm.7)``."""
_STUBS = ("@plt", "@PLT")
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}")
_RUST_HASH_LENGTH = len("::h") + 16
_SWIFT_REMARK = ' with unmangled suffix "'
_COUNTED_ELSEWHERE = re.compile(r"init|.*(?:func|gowrap|deferwrap|range)[0-9]+|.*[@/ ].*")
"""Names with a number of their own behind them: Go's ``main.run.func1.2``, versions (``@GLIBC_2.14``), files."""


def without_suffixes(name: str) -> str:
    """Return ``name`` without suffixes, any number and kind of them; something is left of it."""
    end = len(name)
    scope = name.find("::")
    while (shorter := _end_before_suffix(name, end, scope)) != end:
        end = shorter
    return name[:end]


def _end_before_suffix(name: str, end: int, scope: int) -> int:
    """Return where the last suffix of ``name[:end]`` begins; ``end`` if there is none.

    ``scope`` is where the first ``::`` is, or -1.
    """
    if end < 2:
        return end
    last = name[end - 1]
    if last == " ":
        return end - 1
    if last in _BRACKETS:
        opening, suffix = _BRACKETS[last]
        start = name.rfind(opening, 0, end)
        return start if start > 0 and suffix.fullmatch(name, start, end) else end
    if last == '"':
        start = name.rfind(_SWIFT_REMARK, 0, end - 1)
        return start if start > 0 and '"' not in name[start + len(_SWIFT_REMARK) : end - 1] else end
    if name.endswith(_STUBS, 0, end):
        return end - len(_STUBS[0]) or end
    start = end - _RUST_HASH_LENGTH
    if start > 0 and _RUST_HASH.fullmatch(name, start, end):
        return start
    return _end_before_words(name, end, scope)


def _end_before_words(name: str, end: int, scope: int) -> int:
    """Cut ``.cold``, ``.llvm.7``, ``.7``."""
    word_end = end
    while (dot := name.rfind(".", 0, word_end)) > 0 and _is_number(name[dot + 1 : word_end]):
        word_end = dot
    if dot <= 0:
        # A number behind the only dot, or dots that nothing stands before.
        return word_end if word_end > 0 and word_end != end and _is_counted(name[:word_end]) else end
    word = name[dot + 1 : word_end]
    numbered = word_end != end
    if (
        word in _WORDS
        or (numbered and word in _NUMBERED_WORDS)
        or (word in _WORDS_OF_NO_METHOD and _is_no_path(name, dot, scope))
    ):
        return dot
    return word_end if numbered and _is_counted(word) else end


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _is_no_path(name: str, end: int, scope: int) -> bool:
    """Return True if ``name[:end]`` is not a path of names with dots between them."""
    return name.startswith(("_Z", "__Z", "_R")) or name[end - 1] in ")]}>" or 0 <= scope < end


def _is_counted(word: str) -> bool:
    """Return True if a number behind the word counts copies of a function."""
    return bool(word) and not _is_number(word) and not _COUNTED_ELSEWHERE.fullmatch(word)
