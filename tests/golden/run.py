"""Run golden cases: print every difference, and how many cases are exact.

    python -m tests.golden.run [FILE]

FILE is a list of cases, ``.json`` or ``.json.xz``, of 2015 or of today; without it, all shared ones. Lists and
reference data of cases of 2015 are those beside them. Exit code: 0 all cases are exact; 1 some are not; 2 FILE is not a
file of cases.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.golden import today
from tests.golden.cases import Case, Data, Golden, cases_file, differences, read_cases
from tests.golden.comparison import Difference

_SHOWN = 300


def main(arguments: list[str]) -> int:
    # Rules log while they run a case; here only the outcome counts.
    logging.disable()
    given = [Path(argument) for argument in arguments if argument]
    return max(map(_run, given or [cases_file(), *today.FILES]))


def _run(file: Path) -> int:
    try:
        cases = read_cases(file)
    except (OSError, ValueError) as error:
        print(f"golden: {file} cannot be read: {error}", file=sys.stderr)
        return 2
    golden = Golden(Data.beside(file))
    exact = 0
    with closing(today.Today()) as of_today:
        for case in cases:
            if found := list(_differences(case, golden, of_today)):
                _print(case, found)
            else:
                exact += 1
    print(f"{exact} of {len(cases)} cases exact: {file.name}")
    return 0 if exact == len(cases) else 1


def _differences(case: Case, golden: Golden, of_today: today.Today) -> Iterable[Difference]:
    try:
        if "input" in case:
            return of_today.differences(case)
        return differences(case["expect"], golden.run(case))
    except Exception as error:
        return [Difference("the run itself", "an outcome", f"{type(error).__name__}: {error}")]


def _print(case: Case, found: Iterable[Difference]) -> None:
    for difference in found:
        print(f"{case.get('id', case.get('name'))}: {case.get('rule', case['kind'])}: {difference.path}")
        print(f"    expected {_shown(difference.expected)}")
        print(f"    got      {_shown(difference.got)}")


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
