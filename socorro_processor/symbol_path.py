"""The path of a module's symbol file in every store of symbols, in the layout of Breakpad.

``<debug file>/<debug id>/<name>.sym``; socorro_processor.symbols.layout tells more of it.
"""

from __future__ import annotations

import re

MAXIMUM_NAME = 255
"""Bytes of a file name."""

_DEBUG_ID = re.compile(r"[0-9A-Fa-f]{9,40}", re.ASCII)
"""A GUID, or a timestamp of eight digits, followed by the age."""
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates. Other spaces and direction marks do occur in file names."""


def symbol_path(debug_file: str, debug_id: str) -> str:
    """Return the path of a module's symbol file in a store of symbols.

    The arguments may be hostile, since they come from a minidump. Only the last part of a ``debug_file`` with
    directories counts, as for the stackwalker. Raises ValueError if they name no file in this layout.
    """
    if not _DEBUG_ID.fullmatch(debug_id):
        raise ValueError(f"not a debug id: {debug_id[:40]!r}")
    name = re.split(r"[/\\]", debug_file)[-1]
    if name in ("", ".", "..") or _NOT_IN_A_NAME.search(name):
        raise ValueError(f"not the name of a debug file: {name[:40]!r}")
    file = f"{name[:-4] if name.lower().endswith('.pdb') else name}.sym"
    if max(len(each.encode()) for each in (name, file)) > MAXIMUM_NAME:
        raise ValueError(f"a debug file with too long a name: {name[:40]!r}...")
    return f"{name}/{debug_id}/{file}"
