"""``socorro list``, over crashes in files."""

import json
import re

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage

SUBMITTED = "2016-11-23T12:00:00.264722+00:00"


@pytest.fixture
def store(tmp_path):
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))
    store.setup()
    return store


@pytest.fixture
def socorro_list(tmp_path, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["list", f"--resource.filesystem.root={tmp_path}/crashes", *arguments], environ={})
        return code, *capsys.readouterr()

    return run


def save(store, **fields: object) -> str:
    crash_id = new_crash_id()
    crash = {"uuid": crash_id, "submitted_timestamp": SUBMITTED, "product": "Lightbox", "version": "2.3"}
    store.save_processed(crash | {"signature": "lightbox::Thumbnail::render"} | fields)
    return crash_id


def test_the_output_is_a_table(store, socorro_list):
    crash_id = save(store)
    code, out, err = socorro_list()
    assert (code, err) == (0, "")
    heading, line = out.splitlines()
    assert heading.split() == ["crash", "id", "submitted", "product", "signature"]
    assert line == f"{crash_id}  2016-11-23T12:00:00Z  Lightbox 2.3  lightbox::Thumbnail::render"


def test_programs_get_an_object_a_line(store, socorro_list):
    crash_id = save(store)
    waiting = new_crash_id()
    store.save_raw_crash({"ProductName": "Lightbox"}, {}, waiting)
    objects = {each["crash_id"]: each for each in map(json.loads, socorro_list("--json")[1].splitlines())}
    fields = {"submitted": SUBMITTED, "product": "Lightbox", "version": "2.3"}
    assert objects == {
        crash_id: {"crash_id": crash_id, "signature": "lightbox::Thumbnail::render", "is_processed": True} | fields,
        waiting: {"crash_id": waiting, "signature": None, "is_processed": False}
        | dict.fromkeys(fields)
        | {"product": "Lightbox"},
    }


def test_the_list_can_be_limited_by_number_signature_and_product(store, socorro_list):
    crash_ids = {save(store) for _ in range(25)}
    other = save(store, signature="g", product="Other")
    assert len(socorro_list()[1].splitlines()) == 1 + 20
    assert len(socorro_list("--limit=3")[1].splitlines()) == 1 + 3
    assert {
        line.split()[0] for line in socorro_list("--product=Lightbox", "--limit=99")[1].splitlines()[1:]
    } == crash_ids
    for chosen in ("--signature=g", "--product=Other"):
        assert [line.split()[0] for line in socorro_list(chosen)[1].splitlines()[1:]] == [other]


def test_a_crash_that_is_not_processed_or_has_no_signature_is_marked(store, socorro_list):
    store.save_raw_crash({}, {}, new_crash_id())
    assert socorro_list()[1].splitlines()[1].endswith("(not processed)")
    save(store, signature="")
    assert any(line.endswith("  (none)") for line in socorro_list()[1].splitlines())


def test_text_from_strangers_is_printable_and_bounded(store, socorro_list):
    save(store, signature="\x1b[2J\n\u202e" * 5000, product="\x9bx\r", submitted_timestamp="\x07" * 5000)
    _, out, _ = socorro_list()
    assert all(line.isprintable() for line in out.splitlines())
    assert len(out.splitlines()) == 2
    assert len(out) < 3000
    assert socorro_list("--json")[1].isascii()


def test_an_empty_store_is_named_by_its_directory(store, socorro_list, tmp_path):
    place = f"FileSystemCrashStorage in {tmp_path}/crashes"
    assert socorro_list() == (0, "", f"socorro: there is no crash in {place}\n")
    assert socorro_list("--product=X", "--json") == (0, "", f"socorro: there is no such crash in {place}\n")


def test_a_missing_store_is_named_by_its_directory(socorro_list, tmp_path):
    code, out, err = socorro_list()
    assert (code, out) == (1, "")
    assert err.startswith(f"socorro: there is no directory {tmp_path}/crashes/v1: ")


def test_if_the_data_directory_is_missing_too_the_message_asks_for_the_right_directory(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code = main(["list"], environ={})
    told = f"socorro: no crashes are here yet: {tmp_path}/socorro-data/crashes does not exist; is this the right "
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith(told)


def test_if_the_destination_cannot_list_its_crashes_those_of_the_source_are_listed(store, socorro_list):
    crash_id = save(store)
    destination = f"--destination.crashstorage_class={class_name(InMemoryCrashStorage)}"
    assert crash_id in socorro_list(destination)[1]


def test_if_no_store_can_list_its_crashes_the_command_says_so(socorro_list):
    code, out, err = socorro_list(
        f"--destination.crashstorage_class={class_name(PolyCrashStorage)}",
        f"--destination.storage_classes={class_name(InMemoryCrashStorage)}",
        f"--source.crashstorage_class={class_name(NullCrashStorage)}",
    )
    assert (code, out) == (1, "")
    assert err == (
        "socorro: cannot list the newest crashes: destination: PolyCrashStorage does not list its "
        "newest crashes; source: "
        "NullCrashStorage does not list its newest crashes. FileSystemCrashStorage, PostgreSQLCrashStorage and "
        "ESCrashStorage list theirs\n"
    )


@pytest.mark.parametrize("argument", ["--limit=0", "--limit=-1", "--limit=x", "--signature=\udcff", "--product=\udcff"])
def test_a_limit_is_a_whole_number_above_0_and_a_search_is_text(socorro_list, argument):
    with pytest.raises(SystemExit) as ended:
        socorro_list(argument)
    assert ended.value.code == 2


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_at_a_terminal_the_signature_is_cut_and_never_the_crash_id(store, socorro_list, monkeypatch, width):
    crash_id = save(store, signature="f" * 400, product="Lightbox of the far away " * 20)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    line = re.sub(r"\x1b\[[0-9;]*m", "", socorro_list()[1]).splitlines()[1]
    assert line.startswith(f"{crash_id}  2016-11-23T12:00:00Z  Lightbox")
    assert line.endswith("fff…")
    assert len(line) <= max(width, 84)
