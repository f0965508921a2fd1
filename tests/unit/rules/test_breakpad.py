"""The stackwalker rule: with small fakes, with the golden cases, and with the real stackwalker on real dumps."""

import json
import logging
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.app.fetch_transform_save import FetchTransformSaveApp
from socorro_processor.configuration import Configuration, Source, as_ini, defaults, read_ini
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.machine.bounded_program import Limits
from socorro_processor.machine.memory_share import SMALLEST, MemoryShare, memory_share
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.breakpad import BreakpadStackwalkerRule2015
from tests.golden.cases import cases_file, of_kind, read_cases
from tests.shared import SHARED, require, shared, stackwalker, stock_stackwalker
from tests.unit.stackwalk.deep_minidump import minidump_of_a_deep_stack
from tests.unit.stackwalk.many_threads import minidump_of_threads

MAIN = "upload_file_minidump"
PLUGIN = "upload_file_minidump_plugin"
Program = Callable[[str], str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes a shell script, and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)
        return str(path)

    return write


_MADE: list[BreakpadStackwalkerRule2015] = []


def rule(**options: Any) -> BreakpadStackwalkerRule2015:
    _MADE.append(BreakpadStackwalkerRule2015(defaults(BreakpadStackwalkerRule2015, **options)))
    return _MADE[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No rule of a test goes on building indexes in the next test."""
    yield
    while _MADE:
        _MADE.pop().close()


def crash_with(directory: Path, **dumps: object) -> Crash:
    """A crash with these dumps, each holding the JSON of a value."""
    for name, value in dumps.items():
        (directory / name).write_text(json.dumps(value))
    raw = {"ProductName": "Firefox", "Comments": "\ud800 é"}
    return Crash("an id", raw, {name: directory / name for name in dumps}, temporary_directory=directory)


# Its output


def test_the_main_dump_goes_to_the_crash_and_the_others_below_their_names(tmp_path: Path) -> None:
    ok, bad = {"status": "OK", "pid": 1}, {"status": "ERROR_NO_THREAD_LIST"}
    crash = crash_with(tmp_path, **{PLUGIN: bad, MAIN: ok, "memory_report": ok, MAIN + "_browser": ok})
    assert rule(command_line="cat {dump_file_pathname}").act(crash) == (True, True)
    walked = {"mdsw_return_code": 0, "mdsw_status_string": "OK", "success": True}
    assert crash.processed == {
        "json_dump": ok,
        **walked,
        "additional_minidumps": [PLUGIN, MAIN + "_browser"],
        PLUGIN: {"json_dump": bad, **walked, "mdsw_status_string": "ERROR_NO_THREAD_LIST", "success": False},
        MAIN + "_browser": {"json_dump": ok, **walked},
    }
    assert crash.notes == [f"stackwalk of {PLUGIN} failed: ERROR_NO_THREAD_LIST, exit code 0"]


def test_a_crash_without_a_minidump_goes_on_and_says_so(tmp_path: Path) -> None:
    crash = crash_with(tmp_path, memory_report={})
    counted = METRICS.snapshot().counter("stackwalk.no_minidump")
    assert rule(command_line="cat {dump_file_pathname}").act(crash) == (True, True)
    assert crash.processed == {
        "json_dump": {},
        "mdsw_return_code": None,
        "mdsw_status_string": "unknown error",
        "success": False,
        "additional_minidumps": [],
    }
    assert crash.notes == [f"there is no minidump ({MAIN})"]
    assert METRICS.snapshot().counter("stackwalk.no_minidump") == counted + 1


def test_a_dump_without_a_byte_is_not_walked(tmp_path: Path) -> None:
    crash = crash_with(tmp_path, **{MAIN: {}})
    crash.dumps[MAIN].write_bytes(b"")
    counted = METRICS.snapshot().counter("stackwalk.ended", outcome="EmptyMinidump")
    assert rule(command_line="/no/walker").act(crash) == (True, True)
    assert crash.processed["mdsw_status_string"] == "EmptyMinidump"
    assert crash.processed["mdsw_return_code"] is None
    assert crash.notes == [f"stackwalk of {MAIN} failed: EmptyMinidump, the dump has no bytes"]
    assert METRICS.snapshot().counter("stackwalk.ended", outcome="EmptyMinidump") == counted + 1


def test_each_walk_is_counted_by_its_outcome(tmp_path: Path) -> None:
    crash = crash_with(tmp_path, **{MAIN: {"status": "OK"}, f"{MAIN}_browser": {"status": "OK"}})
    counted = METRICS.snapshot().counter("stackwalk.ended", outcome="OK")
    rule(command_line="cat {dump_file_pathname}").act(crash)
    assert METRICS.snapshot().counter("stackwalk.ended", outcome="OK") == counted + 2


def test_a_dump_of_another_name_may_be_the_main_one(tmp_path: Path) -> None:
    crash = crash_with(tmp_path, dump={"status": "OK"}, dump_2={"status": "OK"}, upload_file_minidump={})
    rule(command_line="cat {dump_file_pathname}", dump_field="dump").act(crash)
    assert crash.processed["success"]
    assert crash.processed["additional_minidumps"] == ["dump_2"]


@pytest.mark.parametrize(
    ("script", "options", "status", "said"),
    [
        ("sleep 60", {"kill_timeout": "0.3"}, "TimedOut", "killed: not done"),
        ("cat /dev/zero", {"output_limit": "100k"}, "OutputTooLarge", "its output was too large (output_limit)"),
        ("echo no JSON", {}, "unknown error", "not JSON"),
        ("echo '{\"status\": '; kill -SEGV $$", {}, "unknown error", "died of signal 11"),
        ("exit 1", {}, "unknown error", "printed nothing"),
    ],
)
def test_whatever_the_stackwalker_does_the_crash_goes_on(
    program: Program, tmp_path: Path, script: str, options: dict[str, str], status: str, said: str
) -> None:
    crash = crash_with(tmp_path, **{MAIN: {}, PLUGIN: {}})
    walks = rule(command_line="{command_pathname}", command_pathname=program(script), **options)
    assert walks.act(crash) == (True, True)
    assert crash.processed["json_dump"] == {}
    assert crash.processed["mdsw_status_string"] == status
    assert crash.processed[PLUGIN]["success"] is False
    assert any(said in note for note in crash.notes)


def test_the_main_one_and_the_first_others_of_too_many_minidumps_are_walked(tmp_path: Path) -> None:
    others = [f"{MAIN}_{number}" for number in range(100)]
    crash = crash_with(tmp_path, **{name: {"status": "OK"} for name in [*others, MAIN]})
    rule(command_line="cat {dump_file_pathname}", maximum_minidumps=3).act(crash)
    assert crash.processed["success"]
    assert crash.processed["additional_minidumps"] == others[:2]
    assert crash.notes == ["98 of 101 minidumps are not walked: maximum_minidumps"]


def test_a_hang_on_every_minidump_is_not_a_hang_of_the_processor() -> None:
    options = defaults(BreakpadStackwalkerRule2015)
    maximum_crash_time = float(FetchTransformSaveApp.required_config.app.maximum_crash_time.default)
    assert options.maximum_minidumps * options.kill_timeout < maximum_crash_time * 0.9


def test_what_is_printed_for_all_minidumps_of_a_crash_is_limited(tmp_path: Path) -> None:
    crash = crash_with(tmp_path, **{name: ["x" * 60_000] for name in (MAIN, PLUGIN, MAIN + "_browser")})
    rule(command_line="cat {dump_file_pathname}", output_limit="100k").act(crash)
    assert [note for note in crash.notes if "too large" in note] == [
        f"stackwalk of {PLUGIN}: killed: its output was too large (output_limit)",
        f"stackwalk of {MAIN}_browser: killed: its output was too large (output_limit)",
    ]
    assert crash.processed[PLUGIN]["mdsw_status_string"] == "OutputTooLarge"


def test_the_beginning_and_the_end_of_a_stack_with_too_much_output_are_kept(tmp_path: Path) -> None:
    (tmp_path / MAIN).write_bytes(minidump_of_a_deep_stack(frames=3000))
    crash = Crash("an id", {}, {MAIN: tmp_path / MAIN}, temporary_directory=tmp_path)
    rule(command_pathname=str(stackwalker()), output_limit="400k").act(crash)
    assert crash.processed["mdsw_status_string"] == "OK"
    assert crash.processed["json_dump"]["crash_info"]["crashing_thread"] == 0
    for thread in (crash.processed["json_dump"]["threads"][0], crash.processed["json_dump"]["crashing_thread"]):
        numbers = [each.get("frame") for each in thread["frames"]]
        assert numbers == [*range(250), None, *range(2750, 3000)]
        assert thread["frames"][250] == {"truncated": {"msg": "2,500 frames truncated"}}
        assert (thread["truncated"], thread["frame_count"]) == (True, 3000)


def test_a_stackwalker_that_cannot_run_is_not_the_crashs_fault(tmp_path: Path) -> None:
    walks = rule(command_pathname="/no/stackwalker")
    with pytest.raises(ProcessingEnvironmentError, match="bin/install-stackwalker"):
        walks.act(crash_with(tmp_path, **{MAIN: {}}))
    with pytest.raises(ProcessingEnvironmentError, match="bin/install-stackwalker"):
        walks.check()


def test_a_stackwalker_that_is_stopped_with_the_service_is_not_the_crashs_fault(
    program: Program, tmp_path: Path
) -> None:
    walks = rule(command_line="{command_pathname}", command_pathname=program("kill -TERM $$"))
    with pytest.raises(ProcessingEnvironmentError, match="killed by another"):
        walks.act(crash_with(tmp_path, **{MAIN: {}}))


def test_a_stackwalker_with_other_arguments_than_ours_is_not_the_crashs_fault(program: Program, tmp_path: Path) -> None:
    walks = rule(command_pathname=program("echo unexpected argument >&2; exit 2"))
    with pytest.raises(ProcessingEnvironmentError, match=r"exit code 2 .*unexpected argument"):
        walks.check()
    with pytest.raises(ProcessingEnvironmentError, match="unexpected argument"):
        walks.act(crash_with(tmp_path, **{MAIN: {}}))


@pytest.mark.parametrize(
    "command_line",
    [
        "cat {dump_file_pathname}",
        "{command_pathname} --json {raw_crash_pathname} {dump_file_pathname} {symbols_path} {public_symbols_url}",
    ],
)
def test_a_stackwalker_may_be_any_command(program: Program, command_line: str) -> None:
    rule(command_line=command_line, command_pathname=program("echo {}")).check()


def test_stderr_goes_to_the_log_in_one_line(program: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    walks = rule(command_line="{command_pathname}", command_pathname=program("echo one >&2; echo two >&2"))
    walks.act(crash_with(tmp_path, **{MAIN: {}}))
    assert "an id: stackwalk of upload_file_minidump: one | two\n" in caplog.text


def test_walks_are_measured(tmp_path: Path) -> None:
    before = METRICS.snapshot().durations
    rule(command_line="cat {dump_file_pathname}").act(crash_with(tmp_path, **{MAIN: {}, PLUGIN: {}}))
    after = METRICS.snapshot().durations
    for name in ("stackwalk", "stackwalk.cpu"):
        earlier = before[name, ()].count if (name, ()) in before else 0
        assert after[name, ()].count == earlier + 2


# Its input


@pytest.mark.parametrize("directory", ["of the crash", "configured", "of the system"])
def test_the_raw_crash_is_handed_over_in_a_file_that_is_gone_with_its_directory(
    program: Program, tmp_path: Path, directory: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    walks = rule(
        command_line="{command_pathname} {raw_crash_pathname}",
        command_pathname=program('printf \'{"status": "OK", "path": "%s", "raw": %s}\' "$1" "$(cat "$1")"'),
        temporary_file_system_storage_path=str(elsewhere) if directory == "configured" else "",
    )
    crash = crash_with(tmp_path, **{MAIN: {}, PLUGIN: {}})
    if directory == "of the system":
        crash.temporary_directory = None
    before = sorted(tmp_path.iterdir())
    walks.act(crash)
    assert crash.processed["json_dump"]["raw"]["ProductName"] == "Firefox"
    assert crash.processed[PLUGIN]["json_dump"] == crash.processed["json_dump"]
    path = Path(crash.processed["json_dump"]["path"])
    assert sorted(tmp_path.iterdir()) == sorted([*before, path] if directory == "of the crash" else before)
    assert (elsewhere in path.parents) == (directory == "configured")
    assert path.exists() == (directory == "of the crash")
    assert not list(elsewhere.iterdir())


def test_the_raw_crash_is_removed_even_if_the_walk_cannot_be_made(tmp_path: Path) -> None:
    walks = rule(command_line="/no/walker {raw_crash_pathname}", temporary_file_system_storage_path=str(tmp_path))
    crash = crash_with(tmp_path, **{MAIN: {}})
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ProcessingEnvironmentError):
        walks.act(crash)
    assert sorted(tmp_path.iterdir()) == before


def test_a_raw_crash_that_cannot_be_written_is_not_the_crashs_fault(tmp_path: Path) -> None:
    walks = rule(command_line="cat {raw_crash_pathname}", temporary_file_system_storage_path=str(tmp_path / "nowhere"))
    with pytest.raises(ProcessingEnvironmentError, match="cannot write the raw crash"):
        walks.act(crash_with(tmp_path, **{MAIN: {}}))


def test_no_raw_crash_is_written_for_a_stackwalker_that_does_not_read_it(tmp_path: Path) -> None:
    walks = rule(command_line="cat {dump_file_pathname}", temporary_file_system_storage_path=str(tmp_path / "nowhere"))
    assert walks.act(crash_with(tmp_path, **{MAIN: {}})) == (True, True)


ARGUMENTS = 'printf \'{"status": "OK", "arguments": "\'; printf \'%s|\' "$@"; printf \'"}\''


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, "--symbols-path socorro-data/symbols"),
        ({"symbols_path": ""}, ""),
        (
            {"symbols_path": "/a, /b:/c", "symbol_cache_path": "/cache"},
            "--symbols-cache /cache --symbols-path /a --symbols-path /b --symbols-path /c --symbols-path /cache",
        ),
        (
            {"symbols_path": "", "private_symbols_url": "https://p/?a&b", "symbol_tmp_path": "/tmp/s"},
            "--symbols-url https://p/?a&b --symbols-tmp /tmp/s",
        ),
    ],
)
def test_the_default_command_line_says_only_what_is_configured(
    program: Program, tmp_path: Path, options: dict[str, str], arguments: str
) -> None:
    crash = crash_with(tmp_path, **{MAIN: {}})
    rule(command_pathname=program(ARGUMENTS), **options).act(crash)
    said = crash.processed["json_dump"]["arguments"].split("|")[:-1]
    *before, evil_json, raw_crash, dump = said
    assert before == ["--json", "--no-interactive", "--no-color", *arguments.split()]
    assert (evil_json, Path(raw_crash).name, dump) == ("--evil-json", "raw_crash.json", str(tmp_path / MAIN))


def test_a_command_line_of_2016_still_works(program: Program, tmp_path: Path) -> None:
    crash = crash_with(tmp_path, **{MAIN: {}})
    rule(
        command_line="timeout -s KILL {kill_timeout} {command_pathname} --symbols-url {public_symbols_url}"
        " --symbols-cache {symbol_cache_path} --symbols-tmp {symbol_tmp_path} {dump_file_pathname} 2>/dev/null",
        command_pathname=program(ARGUMENTS),
        public_symbols_url="https://localhost",
        symbol_cache_path="/cache",
        symbol_tmp_path="/t",
    ).act(crash)
    said = crash.processed["json_dump"]["arguments"].split("|")[:-1]
    expected = ["--symbols-url", "https://localhost", "--symbols-cache", "/cache", "--symbols-tmp", "/t"]
    assert said == [*expected, str(tmp_path / MAIN)]


def test_only_the_configured_environment_is_passed_on(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("WANTED", "w")
    script = 'printf \'{"status": "OK", "said": "%s%s%s"}\' "$SECRET" "$WANTED" "$LANG"'
    crash = crash_with(tmp_path, **{MAIN: {}})
    rule(command_pathname=program(script), environment="PATH,WANTED,UNSET").act(crash)
    assert crash.processed["json_dump"]["said"] == "wC.UTF-8"


# Its configuration


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("command_line", "walk {dump}"),
        ("command_line", "walk '{dump_file_pathname}"),
        ("sandbox", "bwrap |"),
        ("memory_limit", "4 apples"),
        ("memory_limit", "0"),
        ("output_limit", "-1"),
        ("kill_timeout", "0"),
        ("kill_timeout", "soon"),
        ("cpu_limit", "inf"),
    ],
)
def test_a_bad_value_is_an_error_at_the_start(option: str, value: str) -> None:
    with pytest.raises(ConfigurationError):
        rule(**{option: value})


def test_by_default_five_times_the_largest_real_output_is_read_in_little_memory() -> None:
    largest, growth = 2_500_000, 35  # of `{},{},...`, as JSON in memory
    limit = defaults(BreakpadStackwalkerRule2015).output_limit
    assert 5 * largest < limit == Limits().output
    assert limit * growth < 1 << 30


def test_a_token_in_the_private_symbol_servers_address_is_not_printed() -> None:
    values = Source({"private_symbols_url": "https://p/?token=s3cret", "public_symbols_url": "https://public"})
    printed = as_ini(Configuration(BreakpadStackwalkerRule2015.get_required_config(), [values]))
    assert "https://public" in printed
    assert "s3cret" not in printed


def test_the_printed_configuration_of_the_rule_can_be_read_back(tmp_path: Path) -> None:
    values = Source({"memory_limit": "500M", "symbols_path": "/a, /b", "sandbox": "env -i", "cpu_limit": "7.5"})
    definitions = BreakpadStackwalkerRule2015.get_required_config
    written = tmp_path / "rule.ini"
    written.write_text(as_ini(Configuration(definitions(), [values])).replace("#", ""))
    lines = [line for line in written.read_text().splitlines() if " = " in line and not line.startswith(" ")]
    written.write_text("\n".join(lines))
    again = Configuration(definitions(), [read_ini(written)]).values
    assert again.memory_limit == 500 << 20
    assert again.symbols_path == ("/a", "/b")
    assert again.sandbox.to_str() == "env -i"
    assert again.cpu_limit == 7.5
    assert again.kill_timeout == 120


# The memory of a walk


def of_2_gb(walks: int) -> MemoryShare:
    return memory_share(walks, read=lambda path: {"/proc/meminfo": "MemTotal: 2097152 kB\n"}.get(path, ""))


def rule_of_2_gb(**options: Any) -> BreakpadStackwalkerRule2015:
    _MADE.append(BreakpadStackwalkerRule2015(defaults(BreakpadStackwalkerRule2015, **options), of_2_gb))
    return _MADE[-1]


LIMIT = 'printf \'{"status": "OK", "limit": %s}\' "$(ulimit -v)"'


@pytest.mark.parametrize(
    ("options", "threads", "kilobytes", "said"),
    [
        ({}, 4, 384 << 10, "a stackwalker may use 384 MB, of 2048 MB for 4 walks at once (memory_limit)"),
        ({"memory_limit": "auto"}, 1, 1536 << 10, "a stackwalker may use 1536 MB, of 2048 MB for 1 walk at once"),
        ({"memory_limit": "700M"}, 4, 700 << 10, "a stackwalker may use 700 MB of memory (memory_limit)"),
    ],
)
def test_a_walk_gets_its_share_of_the_memory_by_default(
    program: Program, tmp_path: Path, options: dict[str, str], threads: int, kilobytes: int, said: str
) -> None:
    # The limits are set at once, but a shell may be faster.
    script = f"while [ $(ulimit -v) = unlimited ]; do :; done; {LIMIT}"
    walks = rule_of_2_gb(command_line="{command_pathname}", command_pathname=program(script), **options)
    assert walks.prepare(threads).startswith(said)
    crash = crash_with(tmp_path, **{MAIN: {}})
    walks.act(crash)
    assert crash.processed["json_dump"]["limit"] == kilobytes


def test_a_limit_above_the_memory_of_the_machine_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    rule_of_2_gb().prepare(6)
    assert caplog.text == ""
    rule_of_2_gb().prepare(16)
    assert "256 MB, of 2048 MB for 16 walks at once: give the processor more memory, or fewer threads" in caplog.text


def test_a_minidump_of_100_000_threads_stays_within_its_share_of_the_memory_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(minidump_of_threads(100_000))
    walks = rule_of_2_gb(symbols_path=str(tmp_path), command_pathname=str(stock_stackwalker()))
    walks.prepare(4)
    crash = Crash("an id", {}, {MAIN: tmp_path / "dump"}, temporary_directory=tmp_path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert walks.act(crash) == (True, True)
    assert f"stackwalk of {MAIN}: it wanted more memory than it may use (memory_limit)" in crash.notes
    assert crash.processed["success"] is False
    # A child begins as a copy of this process.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, own, 384 << 10)


@pytest.mark.parametrize("symbols", ["symbols", "no symbols"])
def test_real_dumps_are_walked_with_the_smallest_share(tmp_path: Path, symbols: str) -> None:
    dumps = sorted(shared("crashes").glob("*/*.dmp"))
    stackwalker()
    walks = rule_of_2_gb(
        symbols_path=str(SHARED / symbols), memory_limit=str(SMALLEST), symbol_index_path=str(tmp_path)
    )
    for dump in dumps:
        assert walked(walks, dump).notes == [], dump


# Golden cases


def test_golden_walks_come_out_as_they_should(tmp_path: Path) -> None:
    require(cases_file().exists(), f"no golden cases at {cases_file()}: set SOCORRO_TEST_DATA")
    walks = rule(command_line="cat {dump_file_pathname}")
    cases = of_kind(read_cases(cases_file()), "pipeline")
    for case in cases:
        crash = crash_with(tmp_path, **case["stackwalker"])
        walks.act(crash)
        expected = case["expect"]["processed_crash"]
        assert crash.processed["additional_minidumps"] == expected["additional_minidumps"]
        assert crash.processed["json_dump"] == case["stackwalker"][MAIN]
        for name in ("mdsw_return_code", "mdsw_status_string"):
            assert crash.processed[name] == expected[name]
        for dump in expected["additional_minidumps"]:
            assert crash.processed[dump] | {"json_dump": None} == expected[dump] | {"json_dump": None}
    assert cases


# The real stackwalker


@pytest.fixture(scope="module")
def real() -> BreakpadStackwalkerRule2015:
    stackwalker()
    return rule(symbols_path=str(SHARED / "symbols"))


def dumps_in(directory: str) -> list[Any]:
    found = sorted((SHARED / directory).glob("**/*.dmp"))
    names = [str(path.relative_to(SHARED / directory)) for path in found]
    return [pytest.param(path, id=name) for path, name in zip(found, names, strict=True)] or [
        pytest.param(None, id=f"no {directory}")
    ]


def walked(walks: BreakpadStackwalkerRule2015, dump: Path | None) -> Crash:
    require(dump is not None, f"no dumps at {SHARED}: set SOCORRO_TEST_DATA")
    assert dump is not None
    crash = Crash("an id", {}, {MAIN: dump})
    assert walks.act(crash) == (True, True)
    return crash


@pytest.mark.parametrize("dump", dumps_in("crashes"))
def test_a_real_dump_gives_all_that_the_other_rules_read(real: BreakpadStackwalkerRule2015, dump: Path | None) -> None:
    crash = walked(real, dump)
    assert crash.processed["success"]
    assert crash.processed["mdsw_return_code"] == 0
    assert crash.notes == []
    json_dump = crash.processed["json_dump"]
    thread = json_dump["crash_info"]["crashing_thread"]
    frames = json_dump["crashing_thread"]["frames"]
    # Only the frames of the crashing thread have registers.
    assert [frame["offset"] for frame in frames] == [
        frame["offset"] for frame in json_dump["threads"][thread]["frames"]
    ]
    assert frames[0]["offset"].startswith("0x")
    assert json_dump["crash_info"]["type"]
    assert json_dump["crash_info"]["address"].startswith("0x")
    assert json_dump["system_info"]["cpu_arch"]
    assert json_dump["system_info"]["os"]
    assert {"filename", "debug_file", "debug_id", "base_addr"} <= json_dump["modules"][0].keys()


@pytest.mark.parametrize("dump", dumps_in("hostile"))
def test_a_damaged_dump_gives_a_note_or_a_result(real: BreakpadStackwalkerRule2015, dump: Path | None) -> None:
    crash = walked(real, dump)
    assert crash.processed["success"] or any("failed" in note for note in crash.notes)
    assert isinstance(crash.processed["json_dump"], dict)


def test_the_default_command_line_suits_the_stackwalker(real: BreakpadStackwalkerRule2015) -> None:
    real.check()


def test_symbols_are_used(real: BreakpadStackwalkerRule2015) -> None:
    crash = walked(real, shared("crashes/test") / "upload_file_minidump.dmp")
    assert crash.processed["json_dump"]["crashing_thread"]["frames"][0]["function"].endswith("CrashFunction")


def test_a_file_that_is_not_a_dump_is_a_note(real: BreakpadStackwalkerRule2015, tmp_path: Path) -> None:
    for content in (b"", b"MDMP", b"MDMP" + b"\xff" * 4096, b"GIF89a"):
        (tmp_path / "dump").write_bytes(content)
        crash = walked(real, tmp_path / "dump")
        assert not crash.processed["success"]
        assert any("failed" in note for note in crash.notes)
