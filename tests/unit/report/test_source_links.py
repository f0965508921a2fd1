"""Links to the sources of frames."""

from __future__ import annotations

import json

import pytest

from socorro_processor.report.source_links import SourceLinks
from socorro_processor.report.walked_dump import Frame

OWN = [
    {"file": "/build/lightbox/{path}", "link": "https://git.example.com/lightbox/blob/v{version}/{path}#L{line}"},
    {"file": "C:\\build\\{path}", "link": "http://localhost:8080/{path}?line={line}"},
]


def link(path: str, line: str = "7", version: str = "2.3.1") -> str:
    return SourceLinks(json.dumps(OWN)).link(Frame(0, "cfi", "f", "x:7", "a.so", "", path, line), {"version": version})


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("git:github.com/o/r:src/a b.cpp:4f1c", "https://github.com/o/r/blob/4f1c/src/a%20b.cpp#L7"),
        ("git:gitlab.com/g/s/r:a.c:4f1c", "https://gitlab.com/g/s/r/-/blob/4f1c/a.c#L7"),
        (
            "hg:hg.mozilla.org/mozilla-central:dom/A.cpp:4f",
            "https://hg.mozilla.org/mozilla-central/file/4f/dom/A.cpp#l7",
        ),
        ("/rustc/4f1c/library/std/src/rt.rs", "https://github.com/rust-lang/rust/blob/4f1c/library/std/src/rt.rs#L7"),
        ("/build/lightbox/photos/exif.h", "https://git.example.com/lightbox/blob/v2.3.1/photos/exif.h#L7"),
        ("C:\\build\\photos\\exif.h", "http://localhost:8080/photos/exif.h?line=7"),
    ],
)
def test_a_frame_is_linked_by_the_template_for_its_file(path: str, address: str) -> None:
    assert link(path) == address


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a.cpp",
        "/elsewhere/a.cpp",
        "git:github.com/o/r:a.c:",
        "git:example.com/o/r:a.c:4f",
        "git:github.com@example.com/o/r:a.c:4f",
        "git:github.com/o/r:../../x:4f",
        "git:github.com/../x:a.c:4f",
        "git:github.com/o/r:a.c:4f/../..",
        "/build/lightbox/../x",
        "C:\\build\\..\\x",
        "/build/lightbox/" + "a/" * 600,
    ],
)
def test_other_files_and_files_that_would_lead_elsewhere_have_no_link(path: str) -> None:
    assert link(path) == ""


@pytest.mark.parametrize(
    "hostile", ['"><script>', "javascript:alert(1)", "\x1b[2J", "\u202e", "a?b#c", "//evil.example/"]
)
def test_a_path_cannot_leave_its_part_of_the_address(hostile: str) -> None:
    address = link(f"/build/lightbox/{hostile}")
    assert address == "" or address.startswith("https://git.example.com/lightbox/blob/v2.3.1/")
    assert address.isascii()
    assert not set(address) & set("\"'<>\\ ")
    assert address.count("#") <= 1
    assert "?" not in address


def test_a_version_cannot_leave_its_part_of_the_address() -> None:
    assert link("/build/lightbox/a.c", version="1/../../x") == ""
    assert link("/build/lightbox/a.c", version="") == ""


def test_the_first_template_counts_and_the_built_in_ones_come_last() -> None:
    own = json.dumps([{"file": "git:github.com/{repository}:{path}:{revision}", "link": "https://mirror/{path}"}])
    frame = Frame(0, "cfi", "f", "a.c:7", "a.so", "", "git:github.com/o/r:a.c:4f", "7")
    assert SourceLinks(own).link(frame, {}) == "https://mirror/a.c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("{}", "a JSON list"),
        ("[3]", "file and link"),
        ('[{"file": "a"}]', "file and link"),
        ('[{"file": "/{path}", "link": "https://{host}/x"}]', "a server without braces"),
        ('[{"file": "/{path}", "link": "javascript:{path}"}]', "must begin with http"),
        ('[{"file": "/{path}", "link": "https://a/{revision}"}]', "{revision}, but file"),
        ('[{"file": "/{path}/{path}", "link": "https://a/{path}"}]', "once"),
        ('[{"file": "/{line}", "link": "https://a/{line}"}]', "only in link"),
    ],
)
def test_a_wrong_option_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SourceLinks(text)


def test_the_option_is_written_as_it_was_read() -> None:
    text = json.dumps(OWN)
    assert SourceLinks(text).to_str() == text
    assert SourceLinks().to_str() == ""
