from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes an executable file with a text, and returns its path."""

    def write(text: str, name: str = "program", interpreter: str = "#!/bin/sh\n") -> str:
        path = tmp_path / name
        path.write_text(interpreter + text)
        path.chmod(0o755)
        return str(path)

    return write


class Clock:
    """A clock that stands still; a test sets ``now``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()
