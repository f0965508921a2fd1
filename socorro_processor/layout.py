"""Lay out the lines of reports and tables: fields, sections, rows of columns.

A ``width`` is that of the terminal, in cells: tables are cut to it, prose is wrapped. In a pipe it is None, and lines
are not limited. Either way the middle of a very long list of lines is left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

Row = list[tuple[str, str]]
"""The cells of a line, each with its style."""

LONGEST_LINE = 2000  # cells that a terminal shows of anything
_LABEL_WIDTH = 14
_NARROWEST = 20  # cells in which prose is wrapped, even if the terminal is narrower
_MAXIMUM_PADDING = 64  # cells to which a column is padded in a pipe; a longer cell shifts the next ones
_FIRST, _LAST = 80, 20  # lines that are shown of a longer stack, or of more notes


def counted(number: int, thing: str, things: str = "") -> str:
    """Return a number with what it counts: ``1 crash id``, ``2 crash ids``."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def counted_with_verb(number: int, thing: str, things: str = "", dry_run: bool = False) -> str:
    """Return the beginning of a sentence: ``1 crash id was``, ``2 crash ids would be``."""
    return f"{counted(number, thing, things)} {'would be' if dry_run else 'was' if number == 1 else 'were'}"


def field(label: str, value: str, style: str = "", width: int | None = None) -> Iterator[Text]:
    """Yield a label and its value: wrapped to ``width``, or in one line, to be copied."""
    for line in wrapped(value, width, _LABEL_WIDTH):
        yield Text.assemble((f"{label:<{_LABEL_WIDTH - 1}} ", "dim"), (line, style))
        label = ""


def section(title: str, contents: Iterable[str], width: int | None, *, all_lines: bool = False) -> Iterator[Text]:
    """Yield a title with each of the contents below it; nothing if they are empty.

    Without ``all_lines`` the middle of very many lines is left out.
    """
    lines = []
    for content in contents:
        first, *more = wrapped(content, width, 4)
        lines += [Text(f"  {first}"), *(Text(f"    {line}") for line in more)] if content else []
    if lines:
        yield Text(f"\n{title}", "bold")
        yield from lines if all_lines else excerpt(lines)


def excerpt(lines: list[Text]) -> Iterator[Text]:
    """Yield the lines; if there are very many, the first and the last, and how many are left out."""
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 0:
        lines[_FIRST:-_LAST] = [Text(f"... {left_out} more lines, which --json has ...", "dim")]
    yield from lines


def print_table(headings: Sequence[str], rows: Sequence[Row], shares: tuple[float, ...]) -> None:
    """Print rows below their headings on standard output; see ``table``."""
    console = Console(highlight=False, soft_wrap=True)
    for line in table([titles(headings), *rows], shares, width_of(console)):
        console.print(line)


def titles(headings: Iterable[str]) -> Row:
    return [(heading, "dim") for heading in headings]


def width_of(console: Console) -> int | None:
    """Return the width of a terminal; None for a file or a pipe."""
    return console.width if console.is_terminal else None


def table(
    rows: Sequence[Row], shares: tuple[float, ...], width: int | None, numbers: Collection[int] = ()
) -> Iterator[Text]:
    """Yield rows as lines of columns.

    ``shares`` has the part of the width that each column takes at most; 0 for the column that takes the rest. The
    columns in ``numbers`` are aligned on the right.
    """
    widths = [max(cell_len(cell) for cell, _ in column) for column in zip(*rows, strict=True)]
    if width is None:
        widths = [min(natural, _MAXIMUM_PADDING) for natural in widths]
    elif widths:
        rest = shares.index(0)
        widths = [min(natural, int(width * (share or 1))) for natural, share in zip(widths, shares, strict=False)]
        others = sum(widths) - widths[rest] + 2 * (len(widths) - 1)
        widths[rest] = min(widths[rest], max(10, width - others))
    for row in rows:
        line = Text()
        for column, ((cell, style), cells) in enumerate(zip(row, widths, strict=True)):
            too_long = width is not None and cell_len(cell) > cells
            shown = set_cell_size(cell, cells - 1) + "…" if too_long else cell
            padding = " " * max(0, cells - cell_len(shown))
            line.append(f"{padding}{shown}" if column in numbers else f"{shown}{padding}", style)
            line.append("  ")
        line.rstrip()
        yield line


def wrapped(text: str, width: int | None, indent: int) -> list[str]:
    """Return the lines of a text that stands ``indent`` cells from the left; at least one."""
    if width is None:
        return [text]
    shown = text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
    return textwrap.wrap(shown, max(_NARROWEST, width - indent), break_on_hyphens=False) or [""]
