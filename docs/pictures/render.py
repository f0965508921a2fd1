"""Draw the pictures of the docs: each ``.dot`` file here becomes an SVG file beside it (``make pictures``).

To change a picture, change its ``.dot`` file, for which Graphviz is needed (``apt-get install graphviz``). Colours,
light and dark, are in ``style.css``; a node takes another one by its ``class``.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
_STYLE = HERE / "style.css"
_OPENING = re.compile(r"<svg\b[^>]*>")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


def mark(dot: Path) -> str:
    """Return the comment by which a picture shows what it was made of."""
    return f"<!-- make pictures: {hashlib.sha256(dot.read_bytes() + _STYLE.read_bytes()).hexdigest()} -->"


def render(dot: Path) -> None:
    """Raises CalledProcessError, or FileNotFoundError without Graphviz."""
    drawn = subprocess.run(["dot", "-Tsvg", dot], check=True, stdout=subprocess.PIPE, text=True).stdout
    svg = _COMMENT.sub("", drawn[drawn.index("<svg") :])
    head = f"\n{mark(dot)}\n<style>\n{_STYLE.read_text()}</style>"
    dot.with_suffix(".svg").write_text(_OPENING.sub(lambda opening: opening[0] + head, svg, count=1))


if __name__ == "__main__":
    for path in sorted(HERE.glob("*.dot")):
        render(path)
        print(path.with_suffix(".svg"))
