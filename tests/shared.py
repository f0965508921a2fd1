"""What tests need from outside of the project: shared data, a stackwalker, and what cargo builds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.stackwalk.stackwalker import OWN, STOCK, find_stackwalker

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
    """The one that the processor uses by default."""
    return _found("")


def own_stackwalker() -> Path:
    """The project's own."""
    return _found(OWN)


def stock_stackwalker() -> Path:
    """The one of rust-minidump."""
    return _found(STOCK)


def _found(name: str) -> Path:
    environment = {"PATH": os.environ.get("PATH", os.defpath)} if name else os.environ
    try:
        return find_stackwalker(name, environment)
    except ProcessingEnvironmentError as error:
        require(False, f"no stackwalker: {error}")
        raise
