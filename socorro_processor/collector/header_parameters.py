"""Read headers that have parameters, as clients of crash reports write them.

``form-data; name="upload_file_minidump"; filename="C:\\crashes\\1.dmp"`` is the value of a Content-Disposition. The
standard's backslash escapes nothing but a quote here: Breakpad on Windows sends whole paths. CR, LF, quote and percent
sign come as ``%0D``, ``%0A``, ``%22``, ``%25`` (HTML, *Multipart form data*; the last from Crashpad), an old curl sends
``\\"``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

MAXIMUM_PARAMETERS = 32

_NAME = re.compile(r';\s*([^\s=;"]+)\s*=\s*')
_CLOSING_QUOTE = re.compile(r'"(?=\s*(?:;|$))')
_ESCAPES = {'\\"': '"', "%22": '"', "%0D": "\r", "%0A": "\n", "%25": "%"}
_ESCAPE = re.compile(r'\\"|%(?:22|0D|0A|25)', re.IGNORECASE)


def read_header(value: str) -> tuple[str, Mapping[str, str]]:
    """Return the value in small letters, and its parameters by their names in small letters.

    Of a parameter that occurs twice, the first counts; of very many, the first ones. ``name*`` (RFC 5987) comes before
    ``name``.
    """
    first, _, _ = value.partition(";")
    parameters: dict[str, str] = {}
    at = len(first)
    for _ in range(MAXIMUM_PARAMETERS):
        if not (match := _NAME.search(value, at)):
            break
        name, at = match[1].lower(), match.end()
        quoted = value.startswith('"', at)
        # A quote within the text is no closing one. Without any, the rest of the header is the text.
        end = _CLOSING_QUOTE.search(value, at + 1) if quoted else None
        if quoted:
            text = _unescaped(value[at + 1 : end.start() if end else len(value)])
            at = end.end() if end else len(value)
        else:
            token_end = value.find(";", at)
            token_end = len(value) if token_end < 0 else token_end
            text, at = value[at:token_end].strip(), token_end
        parameters.setdefault(name, text)
    for name in [name for name in parameters if name.endswith("*")]:
        if (decoded := _decoded(parameters.pop(name))) is not None:
            parameters[name[:-1]] = decoded
    return first.strip().lower(), parameters


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES[match[0].upper()], text)


def _decoded(text: str) -> str | None:
    """Decode ``UTF-8'en'na%C3%AFve``; return None if it has not that form."""
    charset, quote, rest = text.partition("'")
    _, second_quote, encoded = rest.partition("'")
    if not quote or not second_quote or charset.lower() not in ("utf-8", "iso-8859-1"):
        return None
    return unquote_to_bytes(encoded).decode(charset, "replace")
