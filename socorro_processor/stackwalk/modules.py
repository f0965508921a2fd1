"""The modules that a minidump names, as the project's own stackwalker reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import ProcessingEnvironmentError, SocorroError
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.machine.find_program import find_program
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, OWN, Stackwalker

MINIDUMP = b"MDMP"
"""The first bytes of a minidump: the Signature of its MINIDUMP_HEADER (Microsoft, minidumpapiset.h)."""

_ADVICE = (
    "only it lists the modules of a minidump: `make install` builds it on hosts with Rust, and hosts without "
    "Rust install its wheel (docs/production.rst)"
)
_LIMITS = Limits(timeout=60, cpu=60)


class Module(NamedTuple):
    """A program or library. Unknown fields are empty."""

    code_file: str
    """Its path on the machine that crashed."""
    code_id: str
    debug_file: str
    debug_id: str


def modules_of(dump: Path) -> list[Module]:
    """Return the modules of a minidump.

    Raises SocorroError if it is not a minidump, and ProcessingEnvironmentError if this machine cannot read it.
    """
    # SOCORRO_STACKWALKER may name ours, or another.
    program = Stackwalker(environment=BASE_ENVIRONMENT).own_program() or str(find_program(OWN, _ADVICE))
    outcome = run([program, "modules", str(dump)], _LIMITS, BASE_ENVIRONMENT)
    if outcome.return_code != 0:
        raise SocorroError(outcome.stderr.strip().rsplit("\n", 1)[-1] or f"exit code {outcome.return_code}")
    try:
        return [Module(**fields) for fields in json.loads(outcome.output)]
    except (ValueError, TypeError) as error:
        raise ProcessingEnvironmentError(f"{program} does not print a list of modules: {error}") from error
