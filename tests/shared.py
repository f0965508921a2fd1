"""What tests need from outside of the project: shared data, and a stackwalker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.stackwalk.stackwalker import find_stackwalker

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SOCORRO_TEST_DATA") or REPOSITORY.parent / "shared")
"""The test data, which is no part of the project."""

SAMPLES = REPOSITORY / "samples"


def require(present: bool, missing: str) -> None:
    """Skip the test where something is missing, and say so; with ``CI=true`` fail it."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def shared(name: str) -> Path:
    """A directory of the shared data."""
    require((SHARED / name).is_dir(), f"no test data at {SHARED / name}: set SOCORRO_TEST_DATA")
    return SHARED / name


def stackwalker() -> Path:
    """A real stackwalker."""
    try:
        return find_stackwalker()
    except ProcessingEnvironmentError as error:
        require(False, f"no stackwalker: {error}")
        raise


def own_stackwalker() -> Path:
    """The stackwalker that is part of this project, where cargo has built it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "stackwalker" / "target")
    program = target / "release" / "socorro-stackwalk"
    require(program.is_file(), f"no stackwalker at {program}: cd stackwalker && cargo build --release")
    return program
