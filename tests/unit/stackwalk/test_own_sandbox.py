"""Rights that socorro-stackwalk gives up, tried from outside."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.own_stackwalker import own, run, walk
from tests.poorer_kernel import has_landlock, landlock_version, without_landlock, without_seccomp
from tests.shared import require, shared

DONE = 0
DENIED = {
    "chmod", "create", "exec", "fork", "io_uring", "limit", "ptrace", "remove", "rename", "signal", "socket", "unshare",
    "write",
}  # fmt: skip
"""Calls that seccomp denies with EPERM."""
ABSENT = {"clone3", "openat2"}
"""Calls that fail as if the kernel did not have them."""
NEEDED = {"map", "send_descriptor", "thread"}


def tried(*arguments: str | Path, before: Callable[[], None] | None = None) -> dict[str, Any]:
    """Return the attempts in the sandbox of a walk, and the error number of each."""
    ended = run("--sandbox-check", *arguments, before=before)
    assert (ended.returncode, ended.stderr) == (0, "")
    checked: dict[str, Any] = json.loads(ended.stdout)
    return checked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o640)
    return path


@pytest.fixture
def _landlock() -> None:
    require(has_landlock(), "this kernel has no Landlock")


def test_a_walk_can_only_read_and_write_the_files_that_it_has_open(file: Path) -> None:
    checked = tried(file)
    assert checked["seccomp"] == "enforced"
    attempts = checked["attempts"]
    assert {name for name, error in attempts.items() if error == errno.EPERM} == DENIED
    assert {name for name, error in attempts.items() if error == errno.ENOSYS} == ABSENT
    assert {name for name, error in attempts.items() if error == DONE} >= NEEDED


@pytest.mark.usefixtures("_landlock")
def test_a_walk_without_symbol_directories_can_read_no_path_at_all(file: Path) -> None:
    checked = tried(file)
    assert checked["landlock"].startswith("enforced, ABI ")
    assert (checked["attempts"]["read"], checked["attempts"]["list"]) == (errno.EACCES, errno.EACCES)
    assert tried("/")["attempts"]["list"] == errno.EACCES


@pytest.mark.usefixtures("_landlock")
@pytest.mark.parametrize("option", ["--symbols-path", "--index-path"])
def test_files_below_the_symbol_directories_can_be_read_and_not_changed(
    file: Path, tmp_path: Path, option: str
) -> None:
    options = ["--symbols-path", tmp_path]
    if option == "--index-path":
        indexes = tmp_path / "indexes"
        store = tmp_path / "symbols"
        store.mkdir()
        below = indexes / store.relative_to("/")
        below.mkdir(parents=True)
        file = file.rename(below / file.name)
        options = ["--symbols-path", store, "--index-path", indexes]
    attempts = tried(*options, file)["attempts"]
    assert (attempts["read"], attempts["list"]) == (DONE, DONE)
    assert {name for name, error in attempts.items() if error == errno.EPERM} == DENIED


@pytest.mark.usefixtures("_landlock")
def test_a_symbol_directory_may_be_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    directory = tmp_path / "directory"
    directory.mkdir()
    file = file.rename(directory / "file")
    link.symlink_to(directory)
    assert tried("--symbols-path", link, file)["attempts"]["read"] == DONE


@pytest.mark.usefixtures("_landlock")
def test_the_annotations_can_be_read_and_no_file_beside_them(file: Path, tmp_path: Path) -> None:
    annotations = tmp_path / "annotations.json"
    annotations.write_text("{}")
    assert tried("--evil-json", annotations, annotations)["attempts"]["read"] == DONE
    assert tried("--evil-json", annotations, file)["attempts"]["read"] == errno.EACCES


def test_the_annotations_count_in_the_sandbox(tmp_path: Path) -> None:
    dump = shared("crashes/windows-x86_64") / "upload_file_minidump.dmp"
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps({"ModuleSignatureInfo": json.dumps({"A Company": ["firefox.exe"]})}))
    modules = walk("--evil-json", annotations, dump)["modules"]
    assert {module["filename"]: module["cert_subject"] for module in modules}["firefox.exe"] == "A Company"


def symbol_store(directory: Path) -> tuple[Path, str]:
    """A copy of the symbols of the crash ``test``, and the path of a file in it."""
    source = shared("symbols")
    dump = shared("crashes/test") / "upload_file_minidump.dmp"
    (path,) = own("--symbols-path", source, dump)["symbols"]
    file = directory / path
    file.parent.mkdir(parents=True)
    file.write_bytes((source / path).read_bytes())
    return dump, path


def loaded(printed: dict[str, Any]) -> int:
    return sum(module["loaded_symbols"] for module in printed["modules"])


def test_links_that_stay_in_the_symbol_directories_are_followed(tmp_path: Path) -> None:
    dump, path = symbol_store(tmp_path / "store")
    file = tmp_path / "store" / path
    file.rename(file.with_name("other"))
    file.symlink_to(file.with_name("other"))
    printed = walk("--symbols-path", tmp_path / "store", dump)
    assert loaded(printed) == 1
    assert printed["socorro_stackwalk"]["symbols"] == {path: {"used": "whole"}}


@pytest.mark.parametrize("kernel", [None, without_landlock()], ids=["this kernel", "a kernel without Landlock"])
def test_a_link_that_leads_out_of_the_symbol_directories_is_refused_and_reported(
    tmp_path: Path, kernel: Callable[[], None] | None
) -> None:
    dump, path = symbol_store(tmp_path / "store")
    file = tmp_path / "store" / path
    file.rename(tmp_path / "outside")
    file.symlink_to(tmp_path / "outside")
    ended = run("--symbols-path", tmp_path / "store", dump, before=kernel)
    printed = json.loads(ended.stdout)
    assert (ended.returncode, loaded(printed)) == (0, 0)
    assert printed["socorro_stackwalk"]["symbols"] == {path: {"used": "refused"}}


@pytest.mark.parametrize("name", [".", ".."])
def test_a_module_whose_debug_file_is_not_a_file_name_has_no_symbols(tmp_path: Path, name: str) -> None:
    source, path = symbol_store(tmp_path / "symbols")
    debug_file, debug_id, _ = path.split("/")
    store = tmp_path / "store"
    store.mkdir()
    (store / "directory").mkdir()
    file = store / name / debug_id / f"{name}.sym"
    file.parent.mkdir()
    file.write_bytes((tmp_path / "symbols" / path).read_bytes())
    dump = tmp_path / "crash.dmp"
    named = f"{debug_file}\0".encode()
    assert source.read_bytes().count(named) == 1
    dump.write_bytes(source.read_bytes().replace(named, name.encode().ljust(len(named), b"\0")))
    printed = walk("--symbols-path", store, dump)
    assert name in [module["debug_file"] for module in printed["modules"]]
    assert (loaded(printed), printed["socorro_stackwalk"].get("symbols")) == (0, None)


@pytest.mark.parametrize("options", [(), ("--reference",)], ids=["own", "reference"])
@pytest.mark.parametrize("option", ["--symbols-path", "--index-path"])
def test_a_file_given_as_a_directory_is_reported_and_the_walk_goes_on_without_it(
    file: Path, tmp_path: Path, option: str, options: tuple[str, ...]
) -> None:
    dump, _ = symbol_store(tmp_path / "store")
    without = run(
        *options,
        "--symbols-path",
        *((tmp_path / "none",) if option == "--symbols-path" else (tmp_path / "store",)),
        dump,
    )
    odd = file.rename(tmp_path / "a\nfile")
    stores = () if option == "--symbols-path" else ("--symbols-path", tmp_path / "store")
    ended = run(*options, *stores, option, odd, dump)
    assert (without.returncode, without.stderr, ended.returncode) == (0, "", 0)
    assert (
        ended.stderr == f"socorro-stackwalk: {option} {tmp_path}/a file is not a directory, nothing is read from it\n"
    )
    with_file, expected = json.loads(ended.stdout), json.loads(without.stdout)
    with_file.pop("socorro_stackwalk", None)
    expected.pop("socorro_stackwalk", None)
    assert with_file == expected


NOT_SUPPORTED = "not supported by this kernel"
FORMER_KERNELS = {
    "without Landlock": (without_landlock(), NOT_SUPPORTED, "enforced"),
    "with Landlock not enabled": (
        without_landlock(errno.EOPNOTSUPP),
        "not enabled in this kernel",
        "enforced",
    ),
    "without seccomp filters": (without_seccomp(), "enforced, ABI ", NOT_SUPPORTED),
    "without the call seccomp": (without_seccomp(errno.ENOSYS), "enforced, ABI ", NOT_SUPPORTED),
    "that refuses seccomp": (without_seccomp(errno.EACCES), "enforced, ABI ", "not enforced: Permission denied"),
}


@pytest.mark.usefixtures("_landlock")
@pytest.mark.parametrize("kernel", FORMER_KERNELS)
def test_if_the_kernel_lacks_something_the_walk_goes_on_and_the_version_says_so(kernel: str) -> None:
    before, landlock, seccomp = FORMER_KERNELS[kernel]
    dump = shared("crashes/test") / "upload_file_minidump.dmp"
    ended = run(dump, before=before)
    assert (ended.returncode, ended.stderr) == (0, "")
    printed = json.loads(ended.stdout)
    here = walk(dump)
    for what in (printed, here):
        del what["socorro_stackwalk"]
    assert printed == here
    _, *enforced = run("--version", "--verbose", before=before).stdout.splitlines()
    assert [line.split(": ", 1)[0] for line in enforced] == ["landlock", "seccomp"]
    assert enforced[0].startswith(f"landlock: {landlock}")
    assert enforced[1].startswith(f"seccomp: {seccomp}")


@pytest.mark.parametrize("order", [("--version", "--verbose"), ("--verbose", "--version")])
@pytest.mark.usefixtures("_landlock")
def test_the_version_says_what_is_enforced(order: tuple[str, str]) -> None:
    _, landlock, seccomp = run(*order).stdout.splitlines()
    abi = landlock_version()
    assert (landlock, seccomp) == (f"landlock: enforced, ABI {abi}", "seccomp: enforced")


def test_the_attempts_leave_no_trace_if_nothing_is_denied(file: Path) -> None:
    def bare() -> None:
        without_landlock()()
        without_seccomp()()

    def state() -> tuple[object, ...]:
        return list(file.parent.iterdir()), file.read_bytes(), file.stat().st_mode, file.stat().st_mtime_ns

    before = state()
    attempts = tried(file, before=bare)["attempts"]
    assert {"chmod", "create", "fork", "read", "rename", "socket", "write", *NEEDED} <= {
        name for name, error in attempts.items() if error == DONE
    }
    assert state() == before
