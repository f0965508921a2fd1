"""Count different functions that have the same normal form, by the rules that make them equal.

    nm -C --defined-only libstdc++.so.6 | cut -d' ' -f3- > names
    python -m tests.golden.study_names [--pairs 10] [--seed 1] names ...

Each line of a file is a name. Names that differ only in what compilers count or hash (numbers of lambdas and closures,
hashes, crate numbers, ABI tags, suffixes of copies) are the same function. Other pairs with an equal normal form are
counted by the parts in which they differ, and some are shown. Then follow normal forms that are cut in the middle of
a name: empty ones, those with a word that the name does not have, and those with an unbalanced bracket.
Exit code: 0 none is cut; 1 some are; 2 a file cannot be read.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from socorro_processor.signature.normal_form import normalize_function
from socorro_processor.untrusted import plain

PARTS = ("templates", "arguments", "the rest")
_COUNTED = (
    (re.compile(r" ?\[clone [^\]]*\]| ?\[\.[^\]]*\]| ?\(\.[^()]*\)"), ""),
    (re.compile(r"(?:\.(?:cold|llvm|constprop|isra|part|lto_priv|localalias)(?:\.[0-9]+)?|\.[0-9]+|@plt)+$"), ""),
    (re.compile(r"::h[0-9a-f]{16}$"), ""),
    (re.compile(r"(?<=_block_invoke)(?:[_.][0-9]+)+"), ""),
    (re.compile(r"\[(?:abi:[^\]]*|[0-9a-f]{6,16})\]"), ""),
    (re.compile(r"#[0-9]+(?=[ }])"), "#"),
    (re.compile(r"\$_[0-9]+"), "$_"),
    (re.compile(r"'(lambda|unnamed)[0-9]*'"), r"'\1'"),
    (re.compile(r"lambda_[0-9a-f_]+"), "lambda"),
    (re.compile(r"\?A0x[0-9a-f]{8}"), "?A0x"),
    (re.compile(r"closure\$[0-9]+"), "closure$"),
    (re.compile(r"__anon_[0-9]+"), ""),
    (re.compile(r"^(?:(?:non-virtual|virtual|covariant return) thunk to )+"), ""),
    (re.compile(r"\s+"), " "),
)
"""Parts of names that a compiler counts. Written independently of the package, so as not to share its faults."""
_WORD = re.compile(r"[\w$]+")
_COUNTER = re.compile(r"__anon_[0-9]+$|(?<=_block_invoke)(?:_[0-9]+)+$")
_OWN_WORDS = frozenset(("T", "lambda", "closure", "anonymous", "namespace", "unnamed", "type"))
_OPERATOR = re.compile(r"(?<![\w$])operator *(?:\(\)|<<=?|<=>?|>>=?|[<>]=?|->\*?)|->")
"""Names of operators that are brackets or have some, and arrows."""
_ENDS = ("::", ".", ",", "<", "(", "[", "{", "->")
_ATTEMPTS = 200_000


@dataclass(frozen=True)
class Function:
    """A function, without the parts of its name that a compiler counts."""

    name: str
    parts: tuple[str, str, str]
    """The content of its outermost ``<>``, that of its outermost ``()``, and the rest: PARTS."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.study_names")
    parser.add_argument("--pairs", type=int, default=10, help="pairs to show of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs")
    parser.add_argument("files", nargs="+", type=Path, help="names, one a line")
    options = parser.parse_args(arguments)
    try:
        names = list(_names(options.files))
    except OSError as error:
        print(f"study_names: {error}", file=sys.stderr)
        return 2
    groups: dict[str, dict[str, Function]] = defaultdict(dict)
    cut = []
    for name in names:
        normal = normalize_function(name, "")
        if reason := cut_in_the_middle(name, normal):
            cut.append((reason, name, normal))
        function = function_of(name)
        groups[normal].setdefault(function.name, function)
    functions = sum(map(len, groups.values()))
    print(f"{len(names):,} names, {functions:,} functions, {len(groups):,} normal forms")
    merged = {normal: list(group.values()) for normal, group in groups.items() if len(group) > 1}
    print(f"{len(merged):,} normal forms are those of more than one function\n")
    _print_pairs(merged, options.pairs, random.Random(options.seed))
    print(f"cut in the middle of a name: {len(cut)}")
    for reason, name, normal in cut[:100]:
        print(f"    {reason}: {plain(name)[:200]}\n        {plain(normal)[:200]}")
    return 1 if cut else 0


def _names(files: Iterable[Path]) -> Iterator[str]:
    seen = set()
    for file in files:
        for line in file.read_text(errors="replace").splitlines():
            if (name := line.strip()) and name not in seen:
                seen.add(name)
                yield name


def function_of(name: str) -> Function:
    for pattern, replacement in _COUNTED:
        name = pattern.sub(replacement, name)
    return Function(name, _parts(name))


def _parts(name: str) -> tuple[str, str, str]:
    """Split a name by counting brackets; those of operators and arrows do not count."""
    templates, arguments, rest = list[str](), list[str](), list[str]()
    target, opening, closing, depth = rest, "", "", 0
    for token in re.finditer(rf"{_OPERATOR.pattern}|\(anonymous namespace\)|.", name, re.DOTALL):
        text = token[0]
        if depth:
            depth += (text == opening) - (text == closing)
            target.append(text)
            if not depth:
                target = rest
        elif text in "<(" and len(text) == 1:
            target, opening, closing = (templates, "<", ">") if text == "<" else (arguments, "(", ")")
            depth = 1
        else:
            rest.append(text)
    return "".join(templates), "".join(arguments), "".join(rest)


def cut_in_the_middle(name: str, normal: str) -> str:
    """Return why the normal form is not a whole name; empty if it is one."""
    if not normal:
        return "nothing is left"
    words = {word for found in _WORD.findall(name) for word in (found, _COUNTER.sub("", found))}
    if "$u" not in name and "$LT$" not in name and (strange := set(_WORD.findall(normal)) - words - _OWN_WORDS):
        return f"{', '.join(sorted(strange))} is not in the name"
    if normal.endswith(_ENDS) and not re.search(r"operator\W*$", normal) and not name.endswith(normal[-2:]):
        return "ends where no name ends"
    text, source = _OPERATOR.sub("", normal), _OPERATOR.sub("", name)
    for opening, closing in ("()", "[]", "{}", "<>"):
        if source.count(opening) == source.count(closing) and text.count(opening) != text.count(closing):
            return f"lacks a {opening} or {closing}"
    return ""


def _print_pairs(merged: dict[str, list[Function]], shown: int, chance: random.Random) -> None:
    counts: Counter[str] = Counter()
    for group in merged.values():
        counts.update(count_pairs(group))
    examples = _examples(merged, {kind for kind, count in counts.items() if count}, shown, chance)
    for kind, count in counts.most_common():
        print(f"{count:,} pairs differ in {kind}")
        for normal, one, other in examples[kind]:
            print(f"    {plain(normal)[:200]}\n        {plain(one)[:240]}\n        {plain(other)[:240]}")
        print()


def count_pairs(group: Sequence[Function]) -> Counter[str]:
    """Count the pairs of these functions by the parts in which they differ, in linear time."""
    positions = range(len(PARTS))
    kinds = [equal for size in range(len(PARTS)) for equal in combinations(positions, size)]
    at_least = {
        equal: sum(
            count * (count - 1) // 2
            for count in Counter(tuple(function.parts[part] for part in equal) for function in group).values()
        )
        for equal in kinds
    }
    exactly: Counter[str] = Counter()
    for equal in reversed(kinds):
        more = sum(at_least[other] for other in kinds if set(other) > set(equal))
        at_least[equal] -= more
        exactly[" and ".join(PARTS[part] for part in positions if part not in equal)] = at_least[equal]
    return exactly


def _examples(
    merged: dict[str, list[Function]], kinds: set[str], shown: int, chance: random.Random
) -> dict[str, list[tuple[str, str, str]]]:
    """Return pairs of each kind, chosen at random among the normal forms."""
    examples: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    normals = list(merged)
    for _ in range(_ATTEMPTS if normals else 0):
        normal = chance.choice(normals)
        one, other = chance.sample(merged[normal], 2)
        kind = " and ".join(part for part, a, b in zip(PARTS, one.parts, other.parts, strict=True) if a != b)
        if len(examples[kind]) < shown:
            examples[kind].append((normal, one.name, other.name))
        if all(len(examples[each]) >= shown for each in kinds):
            break
    return examples


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
