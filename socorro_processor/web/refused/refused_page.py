"""The page of uploads that were refused, ``/refused``: the answer to *why do no reports arrive?*"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from socorro_processor.collector.refused import RefusedUpload
from socorro_processor.machine.disk_space import in_words
from socorro_processor.search.filters import Filter
from socorro_processor.stackwalk.result import OK
from socorro_processor.web.pages.address import Address
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.rendering import Pages

PATH = "/refused"

MOST_SHOWN = 200
"""Uploads on the page; ``collector.maximum_refused`` may keep more."""

NOT_WALKED = str(
    Address(
        "/search",
        (Filter("mdsw_status_string", "is", (OK,), negated=True),),
        {"columns": ("date_processed,product,version,mdsw_status_string,signature",), "facet": ("mdsw_status_string",)},
    )
)
"""The search for the crashes of the last days that were taken, and whose minidump could not be walked."""

_ENCODE = "Let the client send the body as it is, or compressed as the header says."
_FORM = (
    "The client does not write a form as RFC 7578 has it. Compare with what `curl -F` sends (`curl --trace-ascii -`)."
)

ADVICE: Mapping[str, str] = {
    "malformed_boundary": _FORM,
    "malformed_headers": _FORM,
    "malformed_no_boundary": "The client has to name the boundary in its Content-Type. HTTP libraries do so if they "
    "are left to write that header themselves.",
    "malformed_no_name": 'Each part of the form needs a name: name="..." in its Content-Disposition.',
    "malformed_transfer_encoding": "The client has to send files as bytes, without base64 or quoted-printable.",
    "malformed_content_encoding": "gzip is the only compression of a whole body that is understood.",
    "malformed_content_type": "The client has to post a form as multipart/form-data, with the minidump as a file named "
    "upload_file_minidump, or a minidump alone as the body.",
    "malformed_gzip": _ENCODE,
    "malformed_zstd": _ENCODE,
    "malformed_cut": "The upload ended early. A proxy on the way may limit its size or time, or the client broke off.",
    "malformed_empty": "The form had neither a file nor a field: the client did not attach its dump.",
    "malformed_uuid": "The client may choose a crash id, but this is none: see docs/collector.rst.",
    "unauthorized_product": "The client has to send a key of collector.product_keys, as ?key=KEY in the address or as "
    "a bearer token.",
    "unauthorized_uuid": "Only with a key of collector.uuid_keys may a client choose the crash id. Without one it must "
    "not send the field uuid.",
    "too_large": "If the upload is genuine, raise the limit that the reason names, in the section collector.",
    "spool_full": "The disk of the spool is full: make room, or let the store come back. docs/collector.rst, Runbook.",
    "spool_failing": "The disk of the spool fails: the server's log says how. docs/collector.rst, Runbook.",
    "gap_time": "The client stopped sending in the midst of its upload. Its network is slow, or the program ended.",
    "broken_off": "The client went away before it had sent everything. It may end too early after a crash: let its "
    "handler finish.",
}
"""Advice by the code of a refusal; ``too_large`` stands for all codes that begin so."""


class Reason(NamedTuple):
    """A code, and how many of the uploads were refused for it."""

    code: str
    uploads: int
    advice: str
    address: str
    is_chosen: bool


@dataclass(frozen=True)
class RefusedView:
    reasons: list[Reason]
    uploads: list[RefusedUpload]
    left_out: int
    chosen: str
    has_crashes: bool
    """True if a crash was ever taken."""
    origin: str


def refused_page(
    pages: Pages, uploads: Sequence[RefusedUpload], chosen: str, origin: str, has_crashes: Callable[[], bool]
) -> Answer:
    """Return the page. ``uploads`` come newest first; of these only those with the code ``chosen``, if it has any."""
    counts = Counter(each.code for each in uploads)
    chosen = chosen if chosen in counts else ""
    shown = [each for each in uploads if chosen in ("", each.code)]
    view = RefusedView(
        [
            Reason(code, count, advice_on(code), PATH if code == chosen else _address(code), code == chosen)
            for code, count in counts.most_common()
        ],
        shown[:MOST_SHOWN],
        max(0, len(shown) - MOST_SHOWN),
        chosen,
        bool(uploads) or has_crashes(),
        origin,
    )
    return Answer(200, pages.render("refused.html", view=view, size_words=in_words, not_walked=NOT_WALKED))


def advice_on(code: str) -> str:
    return ADVICE["too_large"] if code.startswith("too_large_") else ADVICE.get(code, "")


def _address(code: str) -> str:
    return f"{PATH}?code={quote(code, safe='')}"
