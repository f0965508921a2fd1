"""Link the source line of a frame to where it can be read, by templates that an operator configures.

[web]
    source_links = [{"file": "/build/lightbox/{path}",
                     "link": "https://git.example.com/lightbox/blob/v{version}/{path}#L{line}"}]

The names in braces are the parts of a file's name that vary, and stand in the link again. The path of a file comes
from symbols, which may be a stranger's: it can choose neither the server of a link nor leave the part of the address
in which it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from socorro_processor.report.walked_dump import Frame

_LONGEST_PATH = 1000
"""Characters. A longer path gets no link."""
_LONGEST_LIST = 100
"""Templates that are tried for a frame."""
_IN_BRACES = re.compile(r"\{([a-z]+)\}")
_FIXED_SERVER = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+/")
_SEVERAL_PARTS = ("path", "repository")
"""The names whose value may hold slashes."""
_OF_THE_CRASH = ("line", "version", "build", "product")

BUILT_IN = (
    ("git:github.com/{repository}:{path}:{revision}", "https://github.com/{repository}/blob/{revision}/{path}#L{line}"),
    (
        "git:gitlab.com/{repository}:{path}:{revision}",
        "https://gitlab.com/{repository}/-/blob/{revision}/{path}#L{line}",
    ),
    (
        "hg:hg.mozilla.org/{repository}:{path}:{revision}",
        "https://hg.mozilla.org/{repository}/file/{revision}/{path}#l{line}",
    ),
    ("/rustc/{revision}/{path}", "https://github.com/rust-lang/rust/blob/{revision}/{path}#L{line}"),
)
"""The links of servers that everyone can reach; they are tried last."""


@dataclass(frozen=True)
class _Template:
    file: re.Pattern[str]
    link: str

    def fill(self, path: str, crash: Mapping[str, str]) -> str:
        """Return the link for a path; empty if the template is not made for it, or the crash lacks what it needs."""
        match = self.file.fullmatch(path)
        if match is None:
            return ""
        values = {name: value.replace("\\", "/") for name, value in match.groupdict().items()}
        values.update(crash)
        used = _IN_BRACES.findall(self.link)
        if not all(_is_inside(values[name]) for name in used):
            return ""
        return _IN_BRACES.sub(lambda name: quote(values[name[1]], safe="/"), self.link)


class SourceLinks:
    """The templates of links: the value of the option ``web.source_links``."""

    def __init__(self, text: str = "") -> None:
        """Read a JSON list of objects with ``file`` and ``link``. Raises ValueError, which says what is wrong."""
        self._text = text.strip()
        rows = json.loads(self._text or "[]")
        if not isinstance(rows, list) or len(rows) > _LONGEST_LIST:
            raise ValueError(f"a JSON list of up to {_LONGEST_LIST} objects with file and link")
        pairs = [_pair(row) for row in rows]
        self._templates = [_template(file, link) for file, link in (*pairs, *BUILT_IN)]

    def to_str(self) -> str:
        return self._text

    def link(self, frame: Frame, crash: Mapping[str, str]) -> str:
        """Return the address of a frame's source line; empty if no template is made for its file.

        ``crash`` has the product, version and build of the crash.
        """
        if not frame.path or len(frame.path) > _LONGEST_PATH:
            return ""
        values = {**dict.fromkeys(_OF_THE_CRASH, ""), **crash, "line": frame.line or "1"}
        return next(filter(None, (template.fill(frame.path, values) for template in self._templates)), "")


def _is_inside(value: str) -> bool:
    """Return True for a value that stays in its place in an address: a browser resolves ``..`` before it asks."""
    return bool(value) and not any(part in (".", "..") for part in value.split("/"))


def _pair(row: object) -> tuple[str, str]:
    if not isinstance(row, dict) or row.keys() != {"file", "link"} or not all(isinstance(v, str) for v in row.values()):
        raise ValueError(f"each has two texts, file and link, unlike {json.dumps(row)[:100]}")
    return row["file"], row["link"]


def _template(file: str, link: str) -> _Template:
    names = _IN_BRACES.findall(file)
    if len(set(names)) < len(names) or set(names).intersection(_OF_THE_CRASH):
        raise ValueError(f"file {file!r}: a name may be in braces once, and {', '.join(_OF_THE_CRASH)} only in link")
    if not _FIXED_SERVER.match(link):
        raise ValueError(f"link {link!r} must begin with http:// or https:// and a server without braces")
    if unknown := set(_IN_BRACES.findall(link)).difference(names, _OF_THE_CRASH):
        raise ValueError(f"link {link!r} has {{{min(unknown)}}}, but file {file!r} has not")
    parts = re.split(r"(\{[a-z]+\})", file)
    return _Template(re.compile("".join(map(_pattern, parts))), link)


def _pattern(part: str) -> str:
    if not (name := _IN_BRACES.fullmatch(part)):
        return re.escape(part)
    # No part is empty, and none reaches over the colon that separates it from the next one.
    return f"(?P<{name[1]}>[^:]+)" if name[1] in _SEVERAL_PARTS else rf"(?P<{name[1]}>[^:/\\]+)"
