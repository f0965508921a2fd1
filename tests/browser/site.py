"""A `socorro serve` whose store has crashes already: those of Lightbox, hostile ones, and the samples, posted to it."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, EnvironmentSource
from socorro_processor.configuration.components import create
from tests.browser.hostile import MARKUP, ODD, deep_crash, folded_crash, hostile_crash
from tests.browser.lightbox import FIRST_DAY, LAST_DAY, lightbox_crashes
from tests.browser.sample_crashes import SampleCrash
from tests.multipart import CONTENT_TYPE, body_of
from tests.shared import SAMPLES, stackwalker
from tests.system.daemon import variables
from tests.system.serving import Serving, eventually

LIGHTBOX_SIGNATURE = "lightbox::exif::Directory::find"
MADE = {"deep": deep_crash, "folded": folded_crash}
WITHOUT_A_STACK = {"no_minidump": None, "not_a_minidump": b"a text in place of a minidump, and so on" * 9}
OF_ADDRESSES = {
    "days": f"date={FIRST_DAY}..{LAST_DAY}",
    "signature": quote_plus("lightbox::render::Canvas::draw_tile"),
}
"""Names in addresses besides those of crashes: the days of Lightbox, and a signature that has many crashes."""


class Site:
    def __init__(self, serving: Serving, crashes: Mapping[str, str]) -> None:
        self.serving = serving
        self.crashes = crashes
        """The crash ids, by the name of the crash."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.serving.port}"

    def path(self, path: str) -> str:
        """Return an address without the server; ``path`` has names of crashes and of OF_ADDRESSES in braces."""
        return path.format(**self.crashes, **OF_ADDRESSES)


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Run a server in an empty directory, which has all crashes when this begins."""
    stackwalker()
    crashes = {name: f"0bba61c5-dfc3-43e7-dead-8afd2{number}261124" for number, name in enumerate([*ODD, *MADE])}
    lightbox = list(lightbox_crashes())
    hostile = [
        MADE[name](crash_id) if name in MADE else hostile_crash(crash_id, ODD[name])
        for name, crash_id in crashes.items()
    ]
    save(directory, [*lightbox, *(SampleCrash(raw, processed, lightbox[0].dump) for raw, processed in hostile)])
    shutil.copytree(SAMPLES / "symbols", directory / "socorro-data" / "symbols")
    with closing(Serving(directory)) as serving:
        serving.start()
        posted = {name: post_sample(serving, name) for name in ("segfault", "abort")}
        # What a stranger can post: a real minidump with any annotations, and what is no crash at all.
        posted["posted"] = post_sample(serving, "segfault", {"ProductName": MARKUP, "Comments": MARKUP, MARKUP: "x"})
        posted |= {name: serving.post(dump, {"ProductName": "Lightbox"}) for name, dump in WITHOUT_A_STACK.items()}
        _post_what_is_refused(serving)
        for crash_id in posted.values():
            eventually(lambda crash_id=crash_id: serving.is_processed(crash_id), lambda: serving.log)
        yield Site(serving, {**crashes, **posted, "lightbox": _newest_sample(lightbox)})


@contextmanager
def lightbox_site(directory: Path) -> Iterator[Site]:
    """Run a server in an empty directory, which has the crashes of Lightbox, and no others."""
    lightbox = list(lightbox_crashes())
    save(directory, lightbox)
    with closing(Serving(directory)) as serving:
        serving.start("--web.processor=no")
        yield Site(serving, {"lightbox": _newest_sample(lightbox)})


def save(directory: Path, crashes: Iterable[SampleCrash]) -> None:
    """Save crashes where a server in ``directory`` keeps them, through the stores that it uses."""
    root = {"resource.filesystem.root": str(directory / "socorro-data" / "crashes")}
    values = Configuration(all_options(), [EnvironmentSource(variables(root))]).values
    stores = [create(values[name].crashstorage_class, values[name]) for name in ("source", "destination")]
    source, destination = stores
    with closing(source), closing(destination):
        for crash in crashes:
            crash_id: str = crash.processed["uuid"]
            source.save_raw_crash(crash.raw, {"upload_file_minidump": crash.dump.read_bytes()}, crash_id)
            destination.save_processed(crash.processed)


def _newest_sample(crashes: Iterable[SampleCrash]) -> str:
    """Return the id of the newest crash that is a sample, moved to another day: its page has all parts."""
    (*_, newest) = (each.processed["uuid"] for each in crashes if each.processed["signature"] == LIGHTBOX_SIGNATURE)
    return str(newest)


def post_sample(serving: Serving, name: str, others: Mapping[str, str] = {}) -> str:
    """Post a sample crash as a client would, with other annotations as well; return its crash id."""
    raw: dict[str, Any] = json.loads((SAMPLES / name / "raw_crash.json").read_text())
    dump = (SAMPLES / name / "upload_file_minidump.dmp").read_bytes()
    fields = {_escaped(name): value for name, value in {**raw, **others}.items()}
    return serving.post(dump, fields)


def _post_what_is_refused(serving: Serving) -> None:
    body = body_of({"ProductName": MARKUP, _escaped(MARKUP): "x"}, b"no minidump", file_name=_escaped(MARKUP))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(_request(serving, body.removesuffix(b"--\r\n")), timeout=60)
    with refused.value:
        assert refused.value.code == 400


def _request(serving: Serving, body: bytes) -> urllib.request.Request:
    headers = {"Content-Type": CONTENT_TYPE, "User-Agent": MARKUP}
    return urllib.request.Request(f"http://127.0.0.1:{serving.port}/submit", body, headers)


def _escaped(name: str) -> str:
    """Return a name as browsers write it into a form."""
    return name.replace('"', "%22")
