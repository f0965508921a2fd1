"""Write messages to standard error, each as a line that begins with the program's name."""

from __future__ import annotations

import sys

from socorro_processor.untrusted import plain


def say(text: str) -> None:
    """Print ``text`` as one line; nothing in it can steer a terminal."""
    print(f"socorro: {plain(text)}", file=sys.stderr)
