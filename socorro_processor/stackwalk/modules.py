"""The modules that a minidump names, as the project's own stackwalker reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import ProcessingEnvironmentError, SocorroError
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.machine.find_program import find_program
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, OWN, Stackwalker

_ADVICE = (
    "nothing else lists the modules of a minidump: `make install` builds it where there is Rust, and hosts without "
    "Rust install its wheel (docs/production.rst)"
)
_LIMITS = Limits(timeout=60, cpu=60)


class Module(NamedTuple):
    """A program or library. What is not known is empty."""

    code_file: str
    """Its path on the machine that crashed."""
    code_id: str
    debug_file: str
    debug_id: str


def modules_of(dump: Path) -> list[Module]:
    """Raises SocorroError where it is no minidump, and ProcessingEnvironmentError where it cannot be read here."""
    # SOCORRO_STACKWALKER may name it, or another one.
    program = Stackwalker(environment=BASE_ENVIRONMENT).own_program() or str(find_program(OWN, _ADVICE))
    outcome = run([program, "modules", str(dump)], _LIMITS, BASE_ENVIRONMENT)
    if outcome.return_code != 0:
        raise SocorroError(outcome.stderr.strip().rsplit("\n", 1)[-1] or f"exit code {outcome.return_code}")
    try:
        return [Module(**fields) for fields in json.loads(outcome.output)]
    except (ValueError, TypeError) as error:
        raise ProcessingEnvironmentError(f"{program} prints no list of modules: {error}") from error
