"""The values that socorro-stackwalk writes below its own key."""

import json
import resource
from pathlib import Path
from typing import ClassVar

import pytest

from tests.own_stackwalker import own, run, walk
from tests.shared import shared
from tests.unit.stackwalk.crashpad_minidump import STRING, Annotated, CrashpadMinidump

REPORT_ID = bytes.fromhex("78563412341278569abcdef012345678")
CLIENT_ID = bytes(range(16))


def written(path: Path, **parts: object) -> Path:
    dump = path / "written.dmp"
    dump.write_bytes(CrashpadMinidump(**parts).written())  # type: ignore[arg-type]
    return dump


def test_annotations_of_a_real_crashpad_client_are_listed() -> None:
    crashpad = own(shared("crashes/simple-crashpad") / "upload_file_minidump.dmp")["crashpad"]
    nothing_else = {"annotation_objects": [], "simple_annotations": {}}
    assert crashpad == {
        "annotations": {"hello": "world"},
        "client_id": "6fd2b3b9-9833-4b2f-bbf7-0bcf501bad7e",
        "report_id": "42f9de72-518a-43dd-97d7-8ddc328d3662",
        "simple_annotations": {"hello": "world"},
        "modules": [
            {
                "module": "libsystem_c.dylib",
                "module_index": 16,
                "list_annotations": ["abort() called"],
                **nothing_else,
            },
            {"module": "dyld", "module_index": 39, "list_annotations": ["dyld2 mode"], **nothing_else},
        ],
    }


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_annotations_of_all_kinds_are_listed_by_module(tmp_path: Path, byte_order: str) -> None:
    objects = (
        ("ptype", STRING, b"renderer"),
        ("ring buffer", 0x8003, b"\x00\xff\n"),
        ("not set", 0, b""),
    )
    dump = written(
        tmp_path,
        modules=("/opt/app/app", "C:\\app\\app.dll"),
        simple=(("prod", "App"), ("ver", "1.2")),
        annotated=[Annotated(1, listed=("one", "two"), simple=(("channel", "beta"),), objects=objects)],
        report_id=REPORT_ID,
        client_id=CLIENT_ID,
        byte_order=byte_order,
    )
    crashpad = own(dump)["crashpad"]
    assert crashpad["simple_annotations"] == {"prod": "App", "ver": "1.2"}
    assert crashpad["modules"] == [
        {
            "module": "app.dll",
            "module_index": 1,
            "list_annotations": ["one", "two"],
            "simple_annotations": {"channel": "beta"},
            "annotation_objects": [
                {"name": "ptype", "type": "string", "value": "renderer"},
                {"name": "ring buffer", "type": "0x8003", "value": "00ff0a"},
                {"name": "not set", "type": "invalid", "value": ""},
            ],
        }
    ]
    assert crashpad["annotations"] == {"channel": "beta", "prod": "App", "ptype": "renderer", "ver": "1.2"}
    if byte_order == "<":
        assert crashpad["report_id"] == "12345678-1234-5678-9abc-def012345678"
        assert crashpad["client_id"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"


def test_an_annotation_of_the_process_precedes_those_of_modules_in_their_order(tmp_path: Path) -> None:
    dump = written(
        tmp_path,
        modules=("a", "b"),
        simple=(("x", "process"),),
        annotated=[
            Annotated(0, objects=(("x", STRING, b"object"), ("y", STRING, b"first"))),
            Annotated(1, simple=(("x", "simple"), ("y", "second"), ("z", "third"))),
        ],
    )
    assert own(dump)["crashpad"]["annotations"] == {"x": "process", "y": "first", "z": "third"}


def test_ids_of_zeros_are_null(tmp_path: Path) -> None:
    crashpad = own(written(tmp_path))["crashpad"]
    assert (crashpad["report_id"], crashpad["client_id"]) == (None, None)


def test_a_module_keeps_its_index_where_the_crates_leave_out_those_before_it(tmp_path: Path) -> None:
    dump = written(tmp_path, modules=("a", "b"), module_size=0, annotated=[Annotated(1), Annotated(2)])
    printed = walk(dump)
    assert printed["modules"] == []
    modules = printed["socorro_stackwalk"]["crashpad"]["modules"]
    assert [(module["module_index"], module["module"]) for module in modules] == [(1, "b"), (2, None)]


def test_text_that_is_not_utf_8_hides_no_other_annotation(tmp_path: Path) -> None:
    objects = (("odd", STRING, b"\xff\x00\x1b]0;"), ("even", STRING, b"ok"))
    dump = written(tmp_path, modules=("a",), simple=((b"\xfe", "v"),), annotated=[Annotated(0, objects=objects)])
    assert own(dump)["crashpad"]["annotations"] == {"odd": "\ufffd\0\x1b]0;", "even": "ok", "\ufffd": "v"}


def test_annotations_that_point_out_of_the_dump_hide_no_other_one(tmp_path: Path) -> None:
    class Damaged(CrashpadMinidump):
        def put_text(self, text: str | bytes) -> int:
            return 0xFFFFFFF0 if text == "away" else super().put_text(text)

    damaged = Damaged(
        modules=("a",),
        simple=(("away", "v"), ("k", "away"), ("k2", "v2")),
        annotated=[Annotated(0, listed=("away", "here"))],
    )
    dump = tmp_path / "damaged.dmp"
    dump.write_bytes(damaged.written())
    crashpad = own(dump)["crashpad"]
    assert crashpad["simple_annotations"] == {"k2": "v2"}
    assert crashpad["modules"][0]["list_annotations"] == ["here"]


@pytest.mark.parametrize("version", [0, 2])
def test_every_version_but_0_is_read(tmp_path: Path, version: int) -> None:
    said = own(written(tmp_path, version=version, simple=(("a", "b"),)))
    assert said.get("crashpad", {}).get("annotations") == (None if version == 0 else {"a": "b"})


def test_a_dump_that_is_cut_within_its_crashpad_data_has_no_annotations(tmp_path: Path) -> None:
    dump = written(tmp_path, simple=(("a", "b"),))
    whole = dump.read_bytes()
    for length in range(len(whole) - 52, len(whole) - 8, 4):
        dump.write_bytes(whole[:length])
        assert not own(dump).get("crashpad", {}).get("annotations")


def test_as_many_annotations_as_clients_write_are_kept_whole(tmp_path: Path) -> None:
    objects = [(f"key {number}", STRING, b"x" * 100) for number in range(200)]
    objects[0] = ("long", STRING, "ü".encode() * 10_240)
    said = own(written(tmp_path, modules=("a",), annotated=[Annotated(0, objects=objects)]))
    assert len(said["crashpad"]["annotations"]) == 200
    assert said["crashpad"]["annotations"]["long"] == "ü" * 10_240
    assert "bounded" not in said


def test_long_names_and_values_are_cut_between_characters(tmp_path: Path) -> None:
    objects = (("text", STRING, "€".encode() * 10_000), ("bytes", 0x8000, b"\xab" * 30_000))
    said = own(written(tmp_path, modules=("a",), simple=(("n" * 300, "v"),), annotated=[Annotated(0, objects=objects)]))
    assert said["crashpad"]["simple_annotations"] == {"n" * 256: "v"}
    text, digits = (annotation["value"] for annotation in said["crashpad"]["modules"][0]["annotation_objects"])
    assert text == "€" * (20_480 // 3)
    assert digits == "ab" * 10_240
    assert said["bounded"] == {"annotation_names": 300, "annotation_values": 30_000}


def test_modules_that_share_a_huge_list_of_annotations_cost_little(tmp_path: Path) -> None:
    class Shared(CrashpadMinidump):
        """All modules have the same lists of the same long string."""

        texts: ClassVar[dict[str | bytes, int]] = {}
        lists: ClassVar[dict[int, bytes]] = {}

        def put_text(self, text: str | bytes) -> int:
            return self.texts[text] if text in self.texts else self.texts.setdefault(text, super().put_text(text))

        def put_strings(self, strings: object) -> bytes:
            if id(strings) not in self.lists:
                self.lists[id(strings)] = super().put_strings(strings)  # type: ignore[arg-type]
            return self.lists[id(strings)]

    listed = ["\x01" * 20_000] * 100_000
    shared_lists = Shared(modules=("a",), annotated=[Annotated(0, listed=listed)] * 100_000)
    dump = tmp_path / "shared.dmp"
    dump.write_bytes(shared_lists.written())
    assert dump.stat().st_size < 8_000_000

    def with_little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (2, 2))

    ended = run(dump, before=with_little)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout) < 8_000_000
    said = json.loads(ended.stdout)["socorro_stackwalk"]
    assert said["bounded"] == {"annotated_modules": 100_000, "annotation_text": 540_000, "annotations": 105_000}


def test_streams_are_listed_by_name_or_number_in_the_order_of_the_dump(tmp_path: Path) -> None:
    dump = written(tmp_path, streams={0x4D7A0003: b"limits", 0x12345678: bytes(7)})
    assert own(dump)["streams"] == [
        {"type": "SystemInfoStream", "size": 56},
        {"type": "ThreadListStream", "size": 4},
        {"type": "ModuleListStream", "size": 4},
        {"type": "CrashpadInfoStream", "size": 52},
        {"type": "MozLinuxLimits", "size": 6},
        {"type": "0x12345678", "size": 7},
    ]


def test_streams_have_the_size_in_the_dump_even_if_less_of_them_is_read(tmp_path: Path) -> None:
    said = own(written(tmp_path, modules=("m",) * 10_001))
    assert said["bounded"] == {"modules": 10_001}
    assert {"type": "ModuleListStream", "size": 4 + 108 * 10_001} in said["streams"]


def test_cpu_time_is_printed(tmp_path: Path) -> None:
    seconds = own(shared("crashes/linux-x86_64") / "upload_file_minidump.dmp")["seconds"]
    assert 0 < seconds["walking"] < seconds["total"] < 60
