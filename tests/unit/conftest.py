from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., str]:
    """Writes an executable file with this text, and gives its path."""

    def write(text: str, name: str = "program", interpreter: str = "#!/bin/sh\n") -> str:
        path = tmp_path / name
        path.write_text(interpreter + text)
        path.chmod(0o755)
        return str(path)

    return write
