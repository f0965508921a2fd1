"""``socorro doctor`` and ``socorro setup``, over the embedded configuration."""

import json

import pytest

from socorro_processor.cli.main import main
from socorro_processor.stackwalk.memory_share import memory_share
from socorro_processor.symbols.cache_directory import CacheDirectory
from tests.shared import SAMPLES, stackwalker
from tests.symbol_server import SymbolServer, always


@pytest.fixture
def socorro(tmp_path, capsys):
    """Run a command over an installation that has nothing yet; its exit code and what it printed."""
    options = {
        "resource.filesystem.root": tmp_path / "crashes",
        "new_crash_source.path": tmp_path / "queue.sqlite",
        "app.temporary_directory": tmp_path / "temporary",
        "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path": SAMPLES / "symbols",
        "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname": stackwalker(),
    }

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, *(f"--{key}={value}" for key, value in options.items()), *arguments], environ={})
        return code, *capsys.readouterr()

    return run


def problems(out: str) -> dict[str, str]:
    return {finding["part"]: finding["problem"] for finding in json.loads(out)}


def test_after_the_setup_all_is_well(socorro):
    code, out, _ = socorro("setup")
    assert code == 0
    assert "source: FileSystemCrashStorage has what it needs" in out
    code, out, _ = socorro("doctor", "--json")
    assert set(problems(out).values()) == {""}, out
    assert code == 0


def test_it_says_what_memory_a_stackwalker_may_use(socorro):
    threads = "--producer_consumer.number_of_threads=2"
    _, out, _ = socorro("doctor", "--json", threads)
    (component,) = (finding["component"] for finding in json.loads(out) if finding["part"] == "processor")
    share = memory_share(2)
    assert component == f"MozillaProcessorAlgorithm2015; a stackwalker may use {share} (memory_limit)"
    # More threads than any machine has memory for.
    _, out, _ = socorro("doctor", "--json", "--producer_consumer.number_of_threads=1000")
    share = memory_share(1000)
    (warnings,) = (finding["warnings"] for finding in json.loads(out) if finding["part"] == "processor")
    assert any("fewer threads" in warning for warning in warnings) is share.is_too_small


def test_the_setup_can_be_run_again(socorro):
    assert socorro("setup")[0] == 0
    assert socorro("setup")[0] == 0


def test_a_store_that_is_not_there_is_named_with_what_to_do(socorro):
    code, out, _ = socorro("doctor", "--json")
    assert code == 1
    assert "socorro setup" in problems(out)["source"]
    assert problems(out)["app.temporary_directory"] == ""


def test_each_store_of_several_is_looked_at(socorro, tmp_path):
    (tmp_path / "file").touch()
    store = "socorro_processor.crashstorage.filesystem.FileSystemCrashStorage"
    stores = (
        "--destination.crashstorage_class=socorro_processor.crashstorage.poly.PolyCrashStorage",
        f"--destination.storage_classes={store}, {store}",
        f"--destination.storage1.root={tmp_path}/file/crashes",
    )
    assert socorro("setup", *stores)[0] == 1
    code, out, _ = socorro("doctor", "--json", *stores)
    assert code == 1
    assert problems(out)["destination.storage0"] == ""
    assert f"{tmp_path}/file/crashes" in problems(out)["destination.storage1"]


def test_people_read_what_is_bad_and_why(socorro):
    code, out, _ = socorro(
        "doctor", "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname=/nowhere/walker"
    )
    assert code == 1
    assert "bad  processor" in out
    assert "/nowhere/walker" in out
    assert "ok   app.temporary_directory" in out


def of_symbols(out: str) -> list[list[str]]:
    """Component and problem."""
    parts = ("companion_process", "symbols.sources")
    return [[each["component"], each["problem"]] for each in json.loads(out) if each["part"] in parts]


def test_all_that_the_rules_lack_is_named_once_each(socorro):
    code, out, _ = socorro(
        "doctor",
        "--json",
        "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.command_pathname=/nowhere/walker",
        "--resource.reference.reference_file=/nowhere/reference.json",
    )
    assert code == 1
    walker, reference = sorted(problems(out)["processor"].splitlines())
    assert walker.startswith("/nowhere/walker, which command_pathname names, is not an executable file")
    assert reference == "reference data /nowhere/reference.json cannot be read: No such file or directory"


def test_the_symbol_cache_and_each_source_of_symbols_are_looked_at(socorro, tmp_path):
    socorro("setup")
    with SymbolServer(always(b"", 404)) as server:
        cache, sources = tmp_path / "cache", [str(tmp_path), server.url]
        options = (
            f"--resource.symbols.symbol_cache_path={cache}",
            f"--resource.symbols.sources={','.join(sources)}, {tmp_path}/nowhere",
        )
        code, out, _ = socorro("doctor", "--json", *options)
        assert code == 1
        assert of_symbols(out) == [
            [f"{cache}: 0 directories, no manager runs", ""],
            *([source, ""] for source in sources),
            [f"{tmp_path}/nowhere", f"there is no directory {tmp_path}/nowhere"],
        ]
    code, out, _ = socorro("doctor", *options)
    assert f"bad  symbols.sources          {server.url}" in out


def test_a_symbol_cache_that_cannot_be_written_or_watched_is_named_with_what_to_do(socorro, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    _, out, _ = socorro("doctor", "--json", f"--resource.symbols.symbol_cache_path={tmp_path}/file/cache")
    assert "set companion_process.symbol_cache_path to another directory" in of_symbols(out)[0][1]
    limit = tmp_path / "max_user_watches"
    limit.write_text("3")
    monkeypatch.setattr("socorro_processor.cli.symbol_checks._MAXIMUM_WATCHES", limit)
    cache = CacheDirectory(tmp_path / "cache")
    assert cache.lock()
    option = f"--resource.symbols.symbol_cache_path={cache.path}"
    _, out, _ = socorro("doctor", "--json", option)
    assert of_symbols(out) == [[f"{cache.path}: 1 directories, managed", ""]]
    (cache.path / "a.pdb" / "0").mkdir(parents=True)
    _, out, _ = socorro("doctor", "--json", option)
    cache.close()
    assert "raise the sysctl fs.inotify.max_user_watches" in of_symbols(out)[0][1]
