"""Run golden cases: print every difference, and how many cases are exact.

    python -m tests.golden.run [FILE]

FILE is a list of cases, ``.json`` or ``.json.xz``; without it, the shared one. Lists and reference data are
those that lie beside it. Exit code: 0 all cases are exact; 1 some are not; 2 FILE is no file of cases.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.golden.cases import Case, Data, Difference, Golden, cases_file, differences, read_cases

_SHOWN = 300


def main(arguments: list[str]) -> int:
    # Rules log what a case makes them do; here only what comes of it counts.
    logging.disable()
    file = Path(arguments[0]) if arguments and arguments[0] else cases_file()
    try:
        cases = read_cases(file)
    except (OSError, ValueError) as error:
        print(f"golden: {file} cannot be read: {error}", file=sys.stderr)
        return 2
    golden = Golden(Data.beside(file))
    exact = 0
    for case in cases:
        if found := list(_differences(case, golden)):
            _print(case, found)
        else:
            exact += 1
    print(f"{exact} of {len(cases)} cases exact")
    return 0 if exact == len(cases) else 1


def _differences(case: Case, golden: Golden) -> Iterable[Difference]:
    try:
        return differences(case["expect"], golden.run(case))
    except Exception as error:
        return [Difference("the run itself", "an outcome", f"{type(error).__name__}: {error}")]


def _print(case: Case, found: Iterable[Difference]) -> None:
    for difference in found:
        print(f"{case['id']}: {case.get('rule', case['kind'])}: {difference.path}")
        print(f"    expected {_shown(difference.expected)}")
        print(f"    got      {_shown(difference.got)}")


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
