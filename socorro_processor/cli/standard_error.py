"""Notes to people on standard error, each on a line that begins with the program's name."""

from __future__ import annotations

import sys

from socorro_processor.cli.untrusted import plain


def say(text: str) -> None:
    """Print ``text``; a stranger's words in it stay on the line, and steer no terminal."""
    print(f"socorro: {plain(text)}", file=sys.stderr)
