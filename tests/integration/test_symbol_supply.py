"""Symbols for real dumps from a symbol server and from a bucket, by the rule and by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.breakpad import BreakpadStackwalkerRule2015
from socorro_processor.rules.missing_symbols import MissingSymbolsRule
from tests.integration.s3_bucket import (
    as_symbol_bucket,
    bucket_options,
    get_object,
    no_bucket_options,
    object_keys,
)
from tests.services import service
from tests.shared import own_stackwalker, shared, stock_stackwalker
from tests.symbol_server import SymbolServer, always, store
from tests.unit.symbols import written_binaries

MAIN = "upload_file_minidump"
DUMPS = ("linux-mini", "linux-x86_64", "macos-x86_64", "test", "windows-x86_64")
ID = "83CF4DC03621B778E931FC713889E8F10"
SYM = f"MODULE windows x86_64 {ID} xul.pdb\nFUNC 1000 10 0 main\n".encode()


def walked(name: str, **options: str) -> Crash:
    """Return the crash of a real dump after the stackwalker rule and the rule for missing symbols."""
    dump = shared("crashes") / name / f"{MAIN}.dmp"
    crash = Crash("an id", {}, {MAIN: dump})
    rule = BreakpadStackwalkerRule2015(
        defaults(BreakpadStackwalkerRule2015, **{"command_pathname": str(own_stackwalker()), **options})
    )
    try:
        assert rule.act(crash) == (True, True)
    finally:
        rule.close()
    MissingSymbolsRule().act(crash)
    return crash


def asked_for(crash: Crash) -> set[str]:
    """Return the paths of the symbol files that the walk asked for."""
    symbols = crash.processed["json_dump"]["socorro_stackwalk"]["symbols"]
    return {path for path, use in symbols.items() if use.get("asked_for")}


@pytest.mark.parametrize("name", DUMPS)
def test_with_a_symbol_server_frames_are_those_of_symbols_in_a_directory_and_a_second_run_asks_nothing(name, tmp_path):
    expected = walked(name, symbols_path=str(shared("symbols"))).processed["json_dump"]
    with SymbolServer(store(shared("symbols"))) as server:
        options = {"symbols_path": "", "symbol_cache_path": str(tmp_path / "cache"), "symbols.sources": server.url}
        crash = walked(name, **options)
        requests = len(server.paths)
        again = walked(name, **options)
        assert len(server.paths) == requests > 0
    gone = walked(name, **options)
    for each in (crash, again, gone):
        assert each.processed["json_dump"]["threads"] == expected["threads"]
        assert [module.get("missing_symbols") for module in each.processed["json_dump"]["modules"]] == [
            module.get("missing_symbols") for module in expected["modules"]
        ]


@pytest.mark.parametrize("name", DUMPS)
def test_the_supplier_and_the_rule_for_missing_symbols_agree(name, tmp_path):
    with SymbolServer(store(shared("symbols"))) as server:
        cache = tmp_path / "cache"
        crash = walked(name, symbols_path="", symbol_cache_path=str(cache), **{"symbols.sources": server.url})
    missed = {f"{row[0]}/{row[1]}" for row in crash.processed["processing"]["missing_symbols"]}
    asked = asked_for(crash)
    missing = {path.rpartition("/")[0] for path in asked if not (cache / path).is_file()}
    assert missed == missing
    assert (not missing) or any(f"symbols of {len(missing)} module" in note for note in crash.notes)


@pytest.mark.parametrize("name", DUMPS)
def test_another_stackwalker_walks_again_with_what_it_missed(name, tmp_path):
    program = str(stock_stackwalker())
    expected = walked(name, symbols_path=str(shared("symbols")), command_pathname=program).processed["json_dump"]
    with SymbolServer(store(shared("symbols"))) as server:
        options = {"symbols_path": "", "symbol_cache_path": str(tmp_path / "cache"), "symbols.sources": server.url}
        crash = walked(name, **options, command_pathname=program)
    assert crash.processed["json_dump"]["threads"] == expected["threads"]


@pytest.mark.parametrize("answer", [always(b"", 500), always(b"<html></html>"), always(b"", 404)])
def test_whatever_the_symbol_server_says_the_crash_is_processed_and_says_so(answer, tmp_path):
    expected = walked("test", symbols_path="").processed["json_dump"]["threads"]
    with SymbolServer(answer) as server:
        options = {"symbol_cache_path": str(tmp_path / "cache"), "symbols.sources": server.url}
        crash = walked("test", symbols_path="", **options)
    assert crash.processed["json_dump"]["threads"] == expected
    assert any("symbols of" in note for note in crash.notes)


def test_a_dump_that_is_not_understood_is_walked_without_new_symbols(tmp_path):
    dump = shared("hostile") / "invalid-range.dmp"
    crash = Crash("an id", {}, {MAIN: dump})
    options = {"symbol_cache_path": str(tmp_path / "cache"), "symbols.sources": str(tmp_path)}
    rule = BreakpadStackwalkerRule2015(defaults(BreakpadStackwalkerRule2015, **options))
    rule.act(crash)
    rule.close()
    assert crash.processed["success"] is False
    assert not any("symbols of" in note for note in crash.notes)


# The command with a bucket


@pytest.fixture
def symbols(tmp_path, capsys):
    """Run ``socorro symbols`` with a bucket of its own; return exit code, output and error output."""
    options = bucket_options()
    mine = {
        **as_symbol_bucket(options),
        "resource.symbols.symbol_cache_path": str(tmp_path / "cache"),
        "resource.filesystem.root": str(tmp_path / "crashes"),
    }

    def run(*arguments: str, sources: str = "s3") -> tuple[int, str, str]:
        given = {**mine, "resource.symbols.sources": sources}
        code = main(["symbols", *arguments, *(f"--{key}={value}" for key, value in given.items())], environ={})
        out, err = capsys.readouterr()
        return code, out, err

    run.options = options
    return run


def test_an_uploaded_symbol_file_can_be_fetched_from_the_bucket(symbols, tmp_path):
    built = tmp_path / "built" / "any" / "where"
    built.mkdir(parents=True)
    (built / "a.sym").write_bytes(SYM)
    assert symbols("fetch", f"xul.pdb/{ID}")[:2] == (1, f"xul.pdb/{ID}: missing\n")
    assert symbols("upload", str(tmp_path / "built")) == (0, f"xul.pdb/{ID}: uploaded\n", "")
    assert object_keys(symbols.options) == [f"xul.pdb/{ID}/xul.sym"]
    assert get_object(symbols.options, f"xul.pdb/{ID}/xul.sym") == SYM
    code, out, _ = symbols("fetch", f"xul.pdb/{ID}", "--json")
    assert (code, [each["result"] for each in json.loads(out)]) == (0, ["fetched"])
    assert (tmp_path / "cache" / "xul.pdb" / ID / "xul.sym").read_bytes() == SYM
    assert symbols("fetch", f"xul.pdb/{ID}")[:2] == (0, f"xul.pdb/{ID}: cached\n")


def test_a_binary_is_uploaded_as_the_symbol_file_that_is_made_of_it(symbols, tmp_path):
    program = tmp_path / "App"
    program.write_bytes(written_binaries.macho())
    name = f"App/{written_binaries.DEBUG_ID}0"
    assert symbols("upload", str(program)) == (0, f"{name}: uploaded\n", "")
    assert get_object(symbols.options, f"{name}/App.sym").startswith(b"MODULE Mac arm64 ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>", "does not begin with a MODULE line"),
        (SYM[:-1], "was cut off"),
        (SYM.replace(ID.encode(), b"12"), "not a debug id"),
        (SYM.replace(b"xul.pdb", b".."), "not the name of a debug file"),
        (b"", "Invalid argument"),
        (SYM + b"INLINE_ORIGIN 5\n", "is corrupt: the stackwalker rejects a line of it"),
    ],
)
def test_a_file_that_is_not_a_symbol_file_is_not_uploaded(symbols, tmp_path, content, reason):
    (tmp_path / "bad.sym").write_bytes(content)
    code, out, err = symbols("upload", str(tmp_path))
    assert (code, out) == (1, "")
    assert reason in err
    assert object_keys(symbols.options) == []


def test_symbols_for_a_past_crash_are_fetched(symbols, tmp_path, capsys):
    dump = shared("crashes") / "test" / f"{MAIN}.dmp"
    root = f"--resource.filesystem.root={tmp_path / 'crashes'}"
    queue = f"--new_crash_source.path={tmp_path / 'queue.sqlite'}"
    assert main(["submit", str(dump), root, queue], environ={}) == 0
    crash_id = capsys.readouterr().out.strip()
    code, out, _ = symbols("fetch", crash_id, sources=str(shared("symbols")))
    fetched = [line for line in out.splitlines() if line.endswith(": fetched")]
    assert fetched == ["test_app.pdb/5A9832E5287241C1838ED98914E9B7FF1: fetched"]
    assert code == 1  # Windows' own modules have none there
    options = {"symbol_cache_path": str(tmp_path / "another"), "symbols.sources": str(shared("symbols"))}
    assert len(out.splitlines()) == len(asked_for(walked("test", symbols_path="", **options)))


@pytest.mark.parametrize("item", ["x", "xul.pdb/12", "/" + ID, "a" * 4000 + "/" + ID])
def test_a_name_that_is_not_a_symbol_files_is_refused(symbols, item):
    code, out, err = symbols("fetch", item)
    assert (code, out) == (1, "")
    assert err.startswith("socorro: ")
    assert len(err) < 400


def test_a_missing_bucket_is_reported(symbols, tmp_path):
    code, out, _ = symbols(
        "fetch",
        f"xul.pdb/{ID}",
        "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols.s3.bucket_name=none-such",
    )
    assert code == 1
    assert "NoSuchBucket" in out or "there is no" in out
    assert not Path(tmp_path, "cache", "xul.pdb").exists()


def test_the_setup_makes_the_bucket_that_the_doctor_misses_where_the_crashes_are(tmp_path, capsys):
    options = bucket_options() | {
        "resource.symbols.s3.bucket_name": no_bucket_options()["resource.boto.bucket_name"],
        "resource.symbols.sources": "s3",
        "resource.symbols.symbol_cache_path": str(tmp_path / "cache"),
        "resource.filesystem.root": str(tmp_path / "crashes"),
        "new_crash_source.path": str(tmp_path / "queue.sqlite"),
    }
    name = f"s3://{options['resource.symbols.s3.bucket_name']}"

    def run(command: str, *arguments: str) -> str:
        main([command, *arguments, *(f"--{key}={value}" for key, value in options.items())], environ={})
        return capsys.readouterr().out

    def problem() -> str:
        (finding,) = (each for each in json.loads(run("doctor", "--json")) if each["part"] == "symbols.sources")
        return finding["problem"]

    assert "make it with `socorro setup`" in problem()
    assert f"symbols.sources: {name} has what it needs" in run("setup")
    assert problem() == ""


def test_the_test_servers_have_one_bucket_for_symbols_and_one_for_crashes():
    options = service("s3")
    crashes = {option: options[option] for option in options if ".boto." in option}
    others = {option: value for option, value in options.items() if option not in crashes}
    assert others == as_symbol_bucket(crashes) | {"resource.symbols.s3.bucket_name": "symbols"}
