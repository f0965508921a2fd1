"""Fuzz the readers of strangers' bytes.

    python -m tests.fuzz --seconds 3600

Exits with 1 if anything was found; the inputs and their errors are in ``.local/fuzz/findings``. The
corpus beside them is kept: the next run goes on from there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.shared import REPOSITORY

DIRECTORY = REPOSITORY / ".local" / "fuzz"
_MEMORY = Path("/dev/shm")
ROUND = 60
"""Seconds until a new process replaces the old one: atheris keeps the inputs that it has tried in memory."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the readers of strangers' bytes.")
    parser.add_argument("--seconds", type=int, default=3600)
    seconds = parser.parse_args().seconds
    corpus, findings = DIRECTORY / "corpus", DIRECTORY / "findings"
    for directory in (corpus, findings):
        directory.mkdir(parents=True, exist_ok=True)
    known = _names(findings)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None) as scratch:
        while (left := round(end - time.monotonic())) > 0:
            arguments = [str(corpus), str(findings), str(min(left, ROUND))]
            code = subprocess.run(
                [sys.executable, "-m", "tests.fuzz.guided", *arguments],
                cwd=REPOSITORY,
                env=os.environ | {"TMPDIR": scratch},
            ).returncode
            # A hang or a crash has left its input; other ends are not the fault of the project.
            if code != 0 and _names(findings) == known:
                print(f"the fuzzer itself has ended with exit code {code}", file=sys.stderr)
                return 2
    found = sorted(_names(findings) - known)
    print(f"{len(list(corpus.iterdir()))} inputs in the corpus; found: {', '.join(found) or 'nothing'}")
    return 1 if found else 0


def _names(findings: Path) -> set[str]:
    return {path.name for path in findings.iterdir() if path.suffix != ".txt"}


if __name__ == "__main__":
    sys.exit(main())
