"""The modules that a minidump names, as the project's own stackwalker reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from socorro_processor.errors import ProcessingEnvironmentError, SocorroError
from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.machine.find_program import find_program
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, OWN

_ADVICE = "bin/install-stackwalker builds it"
_LIMITS = Limits(timeout=60, cpu=60)


class Module(NamedTuple):
    """A program or library. What is not known is empty."""

    code_file: str
    """Its path on the machine that crashed."""
    code_id: str
    debug_file: str
    debug_id: str

    @property
    def can_have_symbols(self) -> bool:
        """True where a symbol store could have a file for it: it has a name, and an id that is not all zeros."""
        return bool(self.debug_file and self.debug_id.strip("0"))


def modules_of(dump: Path) -> list[Module]:
    """Raises SocorroError where it is no minidump, and ProcessingEnvironmentError where it cannot be read here."""
    program = find_program(OWN, _ADVICE)
    outcome = run([str(program), "modules", str(dump)], _LIMITS, BASE_ENVIRONMENT)
    if outcome.return_code != 0:
        raise SocorroError(outcome.stderr.strip().rsplit("\n", 1)[-1] or f"exit code {outcome.return_code}")
    try:
        return [Module(**fields) for fields in json.loads(outcome.output)]
    except (ValueError, TypeError) as error:
        raise ProcessingEnvironmentError(f"{program} prints no list of modules: {error}") from error
