"""Things that tests need from outside the project: shared data, a stackwalker, and programs that cargo builds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.stackwalk.stackwalker import OWN, STOCK, find_stackwalker

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SOCORRO_TEST_DATA") or REPOSITORY.parent / "shared")
"""The directory of the test data, which is not part of the project."""

SAMPLES = REPOSITORY / "samples"


def require(present: bool, missing: str) -> None:
    """Skip the test because something is missing, and say so; with ``CI=true`` fail it."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def shared(name: str) -> Path:
    """Return a directory of the shared data."""
    require((SHARED / name).is_dir(), f"no test data at {SHARED / name}: set SOCORRO_TEST_DATA")
    return SHARED / name


def stackwalker() -> Path:
    """Return the stackwalker that the processor uses by default."""
    return _found("")


def own_stackwalker() -> Path:
    """Return the project's own stackwalker."""
    return _found(OWN)


def stock_stackwalker() -> Path:
    """Return the stackwalker of rust-minidump."""
    return _found(STOCK)


def _found(name: str) -> Path:
    environment = {"PATH": os.environ.get("PATH", os.defpath)} if name else os.environ
    try:
        return find_stackwalker(name, environment)
    except ProcessingEnvironmentError as error:
        require(False, f"no stackwalker: {error}")
        raise
