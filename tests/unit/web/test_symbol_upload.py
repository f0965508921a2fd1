"""Symbols that are uploaded are in the store, or the answer says why not; no upload costs more than its bounds."""

from __future__ import annotations

import errno
import io
import os
import struct
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.collector.refusal import Refused
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker
from socorro_processor.web.symbols.symbol_upload import (
    INCOMING,
    SymbolUpload,
    SymbolUploads,
    UploadedSymbols,
    UploadLimits,
)
from socorro_processor.web.symbols.zip_upload import file_name
from tests.multipart import BOUNDARY, CONTENT_TYPE

ID = "0" * 31 + "1C0"
OTHER_ID = "0" * 31 + "2C0"
LIMITS = UploadLimits(size=1 << 20, decoded=1 << 20, files=20, seconds=600.0)


def symbols_of(name: str = "libapp.so", debug_id: str = ID) -> bytes:
    return f"MODULE Linux x86_64 {debug_id} {name}\nFUNC 1000 10 0 main\n1000 10 7 0\n".encode()


def body_of(*files: tuple[str, bytes]) -> bytes:
    """Return a form with files, as curl and browsers send it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="symbols"; filename="{name}"\r\n\r\n'.encode() + data
        for name, data in files
    ]
    return b"\r\n".join((*parts, f"--{BOUNDARY}--\r\n".encode()))


def zip_of(*files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, data in files:
            # Of a fixed date: the bytes name a test, and each process of the tests must know it by the same name.
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 24, 0, 0, 0)), data, compression)
    return packed.getvalue()


class Store:
    def __init__(self, path: Path, limits: UploadLimits = LIMITS) -> None:
        self.path = path
        self.forgotten: list[str] = []
        # Without a stackwalker symbol files are not tried; that is tested where it is done.
        maker = SymbolFileMaker("/no/such/stackwalker")
        self.uploads = SymbolUploads(path, maker, limits, self.forgotten.append)

    def begin(self) -> SymbolUpload:
        return self.uploads.begin(CONTENT_TYPE, None)

    def send(self, *files: tuple[str, bytes]) -> list[UploadedSymbols]:
        return self.send_body(body_of(*files))

    def send_body(self, body: bytes, step: int = 1 << 18) -> list[UploadedSymbols]:
        upload = self.begin()
        try:
            for at in range(0, len(body), step):
                upload.feed(body[at : at + step])
            return upload.finish()
        finally:
            upload.discard()

    def files(self) -> dict[str, bytes]:
        """Return the symbol files of the store by their paths in it; what was left of an upload is among them."""
        found = [path for path in self.path.rglob("*") if path.is_file()] if self.path.exists() else []
        return {str(path.relative_to(self.path)): path.read_bytes() for path in found}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "symbols")


def told(results: Sequence[UploadedSymbols]) -> list[tuple[str, str]]:
    return [(each.name, each.result) for each in results]


PATH = f"libapp.so/{ID}/libapp.so.sym"


def test_a_symbol_file_is_in_the_store_and_sources_that_lacked_it_are_asked_again(store):
    (result,) = store.send(("anything.sym", symbols_of()))
    assert (result.result, result.identity and result.identity.path) == ("added", PATH)
    assert store.files() == {PATH: symbols_of()}
    assert store.forgotten == [PATH]


def test_a_second_sending_changes_nothing(store):
    store.send(("a.sym", symbols_of()))
    assert told(store.send(("a.sym", symbols_of()))) == [("a.sym", "already there")]
    assert store.files() == {PATH: symbols_of()}


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_bytes_may_come_in_any_pieces(store, step):
    store.send_body(body_of(("a.sym", symbols_of()), ("b.sym", symbols_of("b"))), step)
    assert store.files() == {PATH: symbols_of(), f"b/{ID}/b.sym": symbols_of("b")}


def test_two_files_of_the_same_name_are_two(store):
    assert len(store.send(("a.sym", symbols_of()), ("a.sym", symbols_of(debug_id=OTHER_ID)))) == 2
    assert len(store.files()) == 2


def test_the_files_of_a_zip_file_are_added_and_what_is_no_symbol_file_is_left_out(store):
    packed = zip_of(("build/a.sym", symbols_of()), ("b/x.sym", symbols_of("b")), ("README", b"x"), ("empty/", b""))
    assert told(store.send(("build.zip", packed))) == [
        ("build.zip: build/a.sym", "added"),
        ("build.zip: b/x.sym", "added"),
        ("1 other file in zip files", "left out"),
    ]
    assert len(store.files()) == 2


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("notes.txt", b"hello", "neither a symbol file"),
        ("app.dmp", b"MDMP\x93\xa7\x00\x00" + bytes(100), "neither a symbol file"),
        ("empty.sym", b"", "cannot be read"),
        ("a.sym", b"no module line\n", "does not begin with a MODULE line"),
        ("a.sym", symbols_of()[:-5], "was cut off"),
        ("a.sym", symbols_of(debug_id="0" * 33), "no debug id"),
        ("a.sym", symbols_of("../../../etc/passwd\x01"), "not the name of a debug file"),
        ("only.zip", zip_of(("README", b"x")), "neither a symbol file"),
        ("bad.zip", zip_of(("a.sym", symbols_of()))[:60], "no zip file that can be read"),
        ("lzma.zip", zip_of(("a.sym", symbols_of()), compression=zipfile.ZIP_LZMA), "compression is not deflate"),
    ],
)
def test_what_cannot_be_used_is_refused_with_words_and_the_store_stays_as_it_was(store, name, data, words):
    (result,) = store.send((name, data))
    assert result.result == "refused"
    assert words in result.words
    assert str(store.path) not in result.words
    assert store.files() == {}


def test_a_bad_file_keeps_no_good_one_out(store):
    results = store.send(("bad.sym", b"x\n"), ("a.sym", symbols_of()))
    assert sorted(told(results)) == [("a.sym", "added"), ("bad.sym", "refused")]


@pytest.mark.parametrize(
    "name",
    ["../../../../outside.sym", "/etc/outside.sym", "C:\\temp\\outside.sym", "..", ".", "", "x" * 3000, "a\x00b"],
)
def test_names_of_files_lead_nowhere_outside(tmp_path, name):
    store = Store(tmp_path / "symbols")
    packed = zip_of((name or "y", symbols_of()))
    store.send((name or "y", symbols_of("one")), ("z.zip", packed))
    assert set(store.files()) == {PATH, f"one/{ID}/one.sym"}
    assert [path.name for path in tmp_path.iterdir()] == ["symbols"]


@given(st.text(max_size=400))
def test_a_cleaned_name_is_that_of_one_file(text):
    name = file_name(text)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert "\0" not in name
    assert len(name.encode()) <= 255


def test_a_debug_file_that_names_a_path_is_kept_under_its_last_part(store):
    store.send(("a.sym", symbols_of("../../../../tmp/evil.so")))
    assert set(store.files()) == {f"evil.so/{ID}/evil.so.sym"}


@pytest.mark.parametrize(
    ("limits", "files", "option"),
    [
        ({"size": 1000}, [("a.sym", symbols_of() + b"x" * 2000)], "maximum_symbols"),
        ({"decoded": 5000}, [("bomb.zip", zip_of(("a.sym", b"\n" * 1_000_000)))], "maximum_symbols_decoded"),
        ({"files": 3}, [(f"{number}.sym", b"x") for number in range(9)], "maximum_symbol_files"),
    ],
)
def test_an_upload_over_a_limit_is_refused_with_the_name_of_the_option_and_nothing_is_left(
    tmp_path, limits, files, option
):
    store = Store(tmp_path / "symbols", UploadLimits(**{**vars(LIMITS), **limits}))
    with pytest.raises(Refused, match=rf"web\.{option}\b") as caught:
        store.send(*files)
    assert caught.value.status == 413
    assert store.files() == {}
    assert list((store.path / INCOMING).iterdir()) == []


def test_a_zip_file_with_too_many_files_is_refused(store):
    packed = zip_of(*((f"{number}.sym", b"x") for number in range(21)))
    (result,) = store.send(("many.zip", packed))
    assert "it has 21 files, at most 20 are taken" in result.words


def test_a_zip_file_that_claims_a_list_of_files_of_gigabytes_is_not_believed(store):
    packed = bytearray(zip_of(("a.sym", symbols_of()), compression=zipfile.ZIP_STORED))
    # APPNOTE.TXT, section 4.3.16: size and offset of the central directory.
    struct.pack_into("<II", packed, len(packed) - 10, 0x7FFFFFFF, 0)
    (result,) = store.send(("liar.zip", bytes(packed)))
    assert result.result == "refused"


def test_a_zip_file_with_a_comment_is_read(store):
    packed = io.BytesIO(zip_of(("a.sym", symbols_of())))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.comment = b"of a build"
    store.send(("a.zip", packed.getvalue()))
    assert store.files() == {PATH: symbols_of()}


@given(st.data())
def test_a_damaged_zip_file_costs_no_more_than_itself(tmp_path_factory, data):
    packed = bytearray(zip_of(("a.sym", symbols_of()), ("b.sym", symbols_of("b"))))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(4, len(packed) - 1))] = data.draw(st.integers(0, 255))
    store = Store(tmp_path_factory.mktemp("damaged"))
    for result in store.send(("a.zip", bytes(packed))):
        assert result.result in ("added", "refused", "left out")
    assert all(not path.startswith(INCOMING) for path in store.files())


@pytest.mark.parametrize("field", [b"PK\x01\x02", b"PK\x05\x06"])
def test_a_zip_file_that_names_places_outside_itself_is_damaged_and_no_fault_of_the_disk(store, field):
    packed = bytearray(zip_of(("a.sym", symbols_of())))
    offset = packed.index(field) + {b"PK\x01\x02": 42, b"PK\x05\x06": 16}[field]
    packed[offset : offset + 4] = b"\xf0\xff\xff\xff"
    (result,) = store.send(("a.zip", bytes(packed)))
    assert result.result == "refused"


def test_a_body_that_is_cut_adds_nothing(store):
    body = body_of(("a.sym", symbols_of()))
    with pytest.raises(Refused, match="before its closing boundary"):
        store.send_body(body[:-10])
    assert store.files() == {}


def test_a_form_in_which_no_file_was_chosen_is_refused(store):
    with pytest.raises(Refused, match="no file was chosen"):
        store.send(("", b""))


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_no_form_with_files_is_refused(store, content_type):
    with pytest.raises(Refused, match="curl --fail-with-body -F"):
        store.uploads.begin(content_type, None)


def test_a_body_that_announces_too_much_is_refused_before_it_comes(store):
    with pytest.raises(Refused, match=r"web\.maximum_symbols\b"):
        store.uploads.begin(CONTENT_TYPE, LIMITS.size + 1)
    assert not store.path.exists()


def test_only_some_uploads_are_taken_at_once_and_each_end_makes_room(store):
    uploads = [store.begin() for _ in range(8)]
    with pytest.raises(Refused, match="try again later") as caught:
        store.begin()
    assert caught.value.status == 503
    uploads[0].discard()
    uploads[0].discard()
    store.begin()
    with pytest.raises(Refused):
        store.begin()


def test_files_for_which_the_time_is_over_are_named(tmp_path):
    moments = iter([0.0, 1.0, 700.0])
    store = Store(tmp_path / "symbols")
    store.uploads.clock = lambda: next(moments)
    results = store.send(("a.sym", symbols_of()), ("b.sym", symbols_of("b")))
    assert told(results) == [("a.sym", "added"), ("b.sym", "refused")]
    assert "web.symbol_time" in results[1].words


def test_conversions_wait_for_one_another(store):
    uploads = [store.begin() for _ in range(2)]
    for number, upload in enumerate(uploads):
        upload.feed(body_of((f"{number}.sym", symbols_of(f"lib{number}"))))
    with store.uploads.converting:
        threads = [threading.Thread(target=upload.finish) for upload in uploads]
        for thread in threads:
            thread.start()
        assert not any(path.startswith("lib") for path in store.files())
    for thread in threads:
        thread.join()
    assert sorted(store.files()) == [f"lib0/{ID}/lib0.sym", f"lib1/{ID}/lib1.sym"]


def test_what_a_killed_server_left_goes_after_a_day_and_what_arrives_now_stays(store):
    old, young = (store.path / INCOMING / name for name in ("old", "young"))
    for each in (old, young):
        each.mkdir(parents=True)
    os.utime(old, (0, 0))
    store.begin()
    assert not old.exists()
    assert young.exists()


def test_nothing_that_arrives_is_taken_for_a_symbol_file_of_the_store(store):
    upload = store.begin()
    upload.feed(body_of(("a.sym", symbols_of())))
    assert list(store.path.glob("*/*/*.sym")) == []
    assert len(list(store.path.rglob("*.sym"))) == 1
    upload.discard()
    assert list(store.path.rglob("*.sym")) == []


def test_a_store_that_cannot_be_written_is_said_and_is_not_the_client_s_fault(tmp_path):
    (tmp_path / "symbols").write_bytes(b"a file")
    with pytest.raises(Refused, match="cannot write below the symbol store") as caught:
        Store(tmp_path / "symbols").begin()
    assert caught.value.status == 503


def test_a_full_disk_in_the_midst_is_said(store, monkeypatch):
    upload = store.begin()

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # The disk is the one thing that cannot be an argument here: files are opened by the path of the upload.
    monkeypatch.setattr(Path, "open", lambda *_: Full())
    with pytest.raises(Refused, match="No space left") as caught:
        upload.feed(body_of(("a.sym", symbols_of())))
    assert caught.value.status == 503
