import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.bounded_program import Limits, UnusableProgramError
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.smallest_minidump import sound_minidump
from socorro_processor.stackwalk.stackwalker import FIELDS, Stackwalker, find_stackwalker
from tests.shared import stackwalker

Program = Callable[..., str]
ENVIRONMENT = {"PATH": os.environ["PATH"]}
PYTHON = f"#!{sys.executable}\n"

SANDBOXES = [
    "env -i",
    "setpriv --no-new-privs --inh-caps=-all",
    *(["unshare --net --ipc"] if os.geteuid() == 0 else []),
    *(["bwrap --unshare-all --die-with-parent --ro-bind / / --dev /dev --"] if shutil.which("bwrap") else []),
]


def command_line(template: str) -> CommandLine:
    return CommandLine(template, FIELDS)


# The search for a stackwalker


def test_a_name_with_a_slash_is_the_program(program: Program) -> None:
    path = program("")
    assert find_stackwalker(path, {"SOCORRO_STACKWALKER": "/elsewhere"}) == Path(path)


def test_the_environment_takes_precedence_over_path(program: Program, tmp_path: Path) -> None:
    named = program("", "named")
    program("", "minidump-stackwalk")
    environment = {"SOCORRO_STACKWALKER": named, "PATH": str(tmp_path)}
    assert find_stackwalker("minidump-stackwalk", environment) == Path(named)


def test_path_takes_precedence_over_the_stackwalker_beside_the_interpreter(program: Program, tmp_path: Path) -> None:
    for directory in ("bin", "venv"):
        (tmp_path / directory).mkdir()
        program("", f"{directory}/walker")
    found = find_stackwalker("walker", {"PATH": f"{tmp_path}/bin"}, f"{tmp_path}/venv/python")
    assert found == tmp_path / "bin/walker"


def test_a_stackwalker_is_found_beside_the_interpreter(program: Program, tmp_path: Path) -> None:
    path = program("", "walker")
    assert find_stackwalker("walker", {"PATH": "/nowhere"}, f"{tmp_path}/python") == Path(path)


@pytest.mark.parametrize(
    ("name", "environment", "said"),
    [
        ("/no/walker", {}, "/no/walker, which command_pathname names, is not an executable file"),
        ("walker", {"SOCORRO_STACKWALKER": "/no/walker"}, "/no/walker, which SOCORRO_STACKWALKER names"),
        ("walker", {"PATH": "/nowhere"}, "walker is neither on PATH .* nor beside /venv/python"),
    ],
)
def test_without_a_stackwalker_the_error_says_what_was_tried_and_what_to_do(
    name: str, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(UnusableProgramError, match=f"{said}.*bin/install-stackwalker"):
        find_stackwalker(name, environment, "/venv/python")


# Walks


def test_a_walk_fills_in_the_program_and_the_values(program: Program) -> None:
    walker = Stackwalker(command_line("{command_pathname} {dump_file_pathname}"), program=program('echo "walked $1"'))
    assert walker.walk({"dump_file_pathname": ["a b.dmp"]}).output == b"walked a b.dmp\n"


def test_a_command_line_that_names_its_program_itself_needs_no_other() -> None:
    walker = Stackwalker(command_line("echo {dump_file_pathname}"), program="/nothing", environment=ENVIRONMENT)
    walker.check()
    assert walker.walk({"dump_file_pathname": ["x"]}).output == b"x\n"


def test_a_stackwalker_installed_while_the_processor_waits_is_found(program: Program, tmp_path: Path) -> None:
    walker = Stackwalker(command_line("{command_pathname}"), program=str(tmp_path / "walker"))
    with pytest.raises(ProcessingEnvironmentError, match="bin/install-stackwalker"):
        walker.check()
    with pytest.raises(ProcessingEnvironmentError):
        walker.walk({})
    program("echo '{}'", "walker")
    assert walker.walk({}).output == b"{}\n"
    walker.check()


def test_a_stackwalker_that_was_removed_is_used_again_once_it_is_back(program: Program, tmp_path: Path) -> None:
    walker = Stackwalker(command_line("{command_pathname}"), program=program("echo walked"))
    walker.walk({})
    (tmp_path / "program").unlink()
    with pytest.raises(UnusableProgramError, match="bin/install-stackwalker"):
        walker.walk({})
    program("echo again")
    assert walker.walk({}).output == b"again\n"


# The trial walk

USAGE = "echo \"error: unexpected argument '--json' found\" >&2; echo Usage: ... >&2; exit 2"


def counting(tmp_path: Path, script: str) -> str:
    return f"echo >> {tmp_path}/runs; {script}"


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().splitlines())


def test_a_stackwalker_that_prints_json_for_a_sound_dump_is_tried_once(program: Program, tmp_path: Path) -> None:
    sound = 'head -c 4 "$1" | grep -q MDMP && test "$(cat "$2")" = "{}" && echo {}'
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname} {raw_crash_pathname}"),
        program=program(counting(tmp_path, sound)),
        environment=ENVIRONMENT,
    )
    walker.check()
    walker.check()
    assert runs(tmp_path) == 1


def test_a_replaced_stackwalker_is_tried_again(program: Program) -> None:
    walker = Stackwalker(command_line("{command_pathname}"), program=program("echo {}"))
    walker.check()
    program(USAGE)
    with pytest.raises(ProcessingEnvironmentError):
        walker.check()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (USAGE, r"exit code 2 after .*: error: unexpected argument '--json' found \| Usage: \.\.\."),
        ("exit 0", "exit code 0 after .* no output"),
        ("echo walked", "exit code 0"),
        ("echo '[]'", "exit code 0"),
        ("kill -SEGV $$", "exit code -11"),
        ("sleep 60", "not done after 0"),
        ("exit 127", "did not run, exit code 127"),
    ],
)
def test_a_program_that_cannot_walk_a_sound_dump_is_not_a_stackwalker(program: Program, script: str, said: str) -> None:
    path = program(script)
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname}"),
        program=path,
        limits=Limits(timeout=0.5),
        environment=ENVIRONMENT,
    )
    for _ in range(2):
        with pytest.raises(ProcessingEnvironmentError, match=f"{path} .*{said}.*bin/install-stackwalker"):
            walker.check()


def test_a_stackwalker_that_refuses_a_sound_dump_walks_no_other_until_it_is_replaced(
    program: Program, tmp_path: Path
) -> None:
    walker = Stackwalker(command_line("{command_pathname} {dump_file_pathname}"), program=program("exit 1"))
    with pytest.raises(ProcessingEnvironmentError):
        walker.check()
    for _ in range(2):
        with pytest.raises(ProcessingEnvironmentError, match="for a sound minidump"):
            walker.walk({"dump_file_pathname": ["x"]}, "an id")
    program("echo {}")
    assert walker.walk({"dump_file_pathname": ["x"]}, "an id").output == b"{}\n"


@pytest.mark.parametrize("was_there", [True, False])
def test_a_stackwalker_that_replaces_another_is_tried_before_it_walks(
    program: Program, tmp_path: Path, was_there: bool
) -> None:
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname}"),
        program=str(tmp_path / "program"),
        environment=ENVIRONMENT,
    )
    if was_there:
        program("echo {}")
        walker.check()
    else:
        with pytest.raises(UnusableProgramError):
            walker.check()
    program("exit 1")
    with pytest.raises(ProcessingEnvironmentError, match="for a sound minidump"):
        walker.walk({"dump_file_pathname": ["x"]}, "an id")


def test_a_stackwalker_that_moves_on_path_is_found_again(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in ("one", "two"):
        (tmp_path / directory).mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/one{os.pathsep}{tmp_path}/two{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SOCORRO_STACKWALKER", raising=False)
    program("echo {}", "one/a-walker")
    walker = Stackwalker(command_line("{command_pathname}"), program="a-walker", environment=ENVIRONMENT)
    walker.check()
    (tmp_path / "one/a-walker").rename(tmp_path / "two/a-walker")
    with pytest.raises(UnusableProgramError):
        walker.walk({})
    assert walker.walk({}).output == b"{}\n"


def test_a_stackwalker_that_refuses_its_arguments_fails_its_first_walk(program: Program) -> None:
    walker = Stackwalker(command_line("{command_pathname} {dump_file_pathname}"), program=program(USAGE))
    with pytest.raises(ProcessingEnvironmentError, match="unexpected argument"):
        walker.walk({"dump_file_pathname": ["x"]})


def test_a_stackwalker_that_refuses_only_this_dump_has_walked(program: Program, tmp_path: Path) -> None:
    script = counting(tmp_path, "grep -q MDMP $1 && echo {} || exit 2")
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname}"), program=program(script), environment=ENVIRONMENT
    )
    for _ in range(2):
        assert walker.walk({"dump_file_pathname": ["/dev/null"]}).return_code == 2
    assert runs(tmp_path) == 3


def test_a_stackwalker_is_tried_in_its_sandbox(program: Program) -> None:
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname}"),
        program=program('test "$INSIDE" && test -s "$1" && echo {}'),
        sandbox=command_line("env INSIDE=1"),
        environment=ENVIRONMENT,
    )
    walker.check()


def test_an_unwritable_directory_for_the_dump_is_named(program: Program, tmp_path: Path) -> None:
    walker = Stackwalker(command_line("{command_pathname}"), program=program("echo {}"))
    with pytest.raises(ProcessingEnvironmentError, match=r"cannot write a minidump .*nowhere"):
        walker.check({}, tmp_path / "nowhere")


def test_the_real_one_reads_the_sound_dump(tmp_path: Path) -> None:
    (tmp_path / "sound.dmp").write_bytes(sound_minidump())
    walker = Stackwalker(command_line("{command_pathname} --json {dump_file_pathname}"), program=str(stackwalker()))
    assert json.loads(walker.walk({"dump_file_pathname": [str(tmp_path / "sound.dmp")]}).output)["status"] == "OK"
    walker.check()


# Walks that are killed


@pytest.mark.parametrize("sandbox", ["", *SANDBOXES, "sh -c '{command_pathname}; exit $?'"])
@pytest.mark.parametrize("signal", ["TERM", "INT", "HUP", "KILL"])
def test_a_walk_that_another_process_killed_is_not_the_crashs_fault(
    program: Program, sandbox: str, signal: str
) -> None:
    path = program(f"trap - INT; echo half; kill -{signal} $$; sleep 1")
    walker = Stackwalker(
        command_line("{command_pathname}"), program=path, sandbox=command_line(sandbox), environment=ENVIRONMENT
    )
    with pytest.raises(ProcessingEnvironmentError, match="killed by another, exit code"):
        walker.walk({})


def test_a_crash_that_is_the_only_one_whose_walks_are_killed_goes_on_in_the_end(program: Program) -> None:
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname}"), program=program("[ $1 = good ] || kill -KILL $$")
    )

    def walk(dump: str, crash_id: str) -> int:
        return walker.walk({"dump_file_pathname": [dump]}, crash_id).return_code

    for _ in range(2):
        with pytest.raises(ProcessingEnvironmentError):
            walk("hostile", "one")
    for number in range(20):
        assert walk("good", f"other {number}") == 0
    assert walk("hostile", "one") == -9
    with pytest.raises(ProcessingEnvironmentError):
        walk("hostile", "another")


def test_a_walk_that_ignores_the_end_of_its_cpu_time_is_the_dumps_fault(program: Program) -> None:
    walker = Stackwalker(
        command_line("{command_pathname}"),
        program=program("trap '' XCPU; while :; do :; done"),
        limits=Limits(cpu=1, timeout=30),
    )
    outcome = walker.walk({})
    assert outcome.return_code == -9
    assert not outcome.timed_out


def test_a_walk_that_takes_all_the_memory_it_may_have_is_the_dumps_fault(program: Program) -> None:
    path = program("try: bytearray(1 << 30)\nexcept MemoryError: __import__('os').abort()", interpreter=PYTHON)
    walker = Stackwalker(command_line("{command_pathname}"), program=path, limits=Limits(memory=512 << 20))
    outcome = walker.walk({})
    # On a busy machine it may have allocated its memory before the limit was set; then we kill it.
    assert outcome.return_code == (-9 if outcome.memory_too_large else -6)


# Sandboxes


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_sandbox_runs_the_stackwalker(program: Program, sandbox: str, tmp_path: Path) -> None:
    dump = tmp_path / "a dump"
    dump.write_text("contents")
    walker = Stackwalker(
        command_line("{command_pathname} {dump_file_pathname}"),
        program=program('cat "$1"; exit 3'),
        sandbox=command_line(sandbox),
        environment=ENVIRONMENT,
    )
    outcome = walker.walk({"dump_file_pathname": [str(dump)]})
    assert outcome.output == b"contents"
    assert outcome.return_code == 3


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_stackwalker_that_hangs_in_a_sandbox_is_killed(program: Program, sandbox: str) -> None:
    walker = Stackwalker(
        command_line("{command_pathname}"),
        program=program("sleep 60 & wait"),
        sandbox=command_line(sandbox),
        limits=Limits(timeout=0.3),
        environment=ENVIRONMENT,
    )
    outcome = walker.walk({})
    assert outcome.timed_out
    assert outcome.wall_seconds < 5


def test_a_sandbox_may_use_the_fields(program: Program) -> None:
    walker = Stackwalker(
        command_line("{command_pathname}"),
        program=program('echo "$DUMP"'),
        sandbox=command_line("env DUMP={dump_file_pathname}"),
        environment=ENVIRONMENT,
    )
    assert walker.uses("dump_file_pathname")
    assert walker.walk({"dump_file_pathname": ["x y"]}).output == b"x y\n"


def test_a_sandbox_that_cannot_be_set_up_is_not_the_crashs_fault(program: Program) -> None:
    sandbox = program("echo no namespaces here >&2; exit 1", "sandbox")
    walker = Stackwalker(
        command_line("{command_pathname}"), program=program("echo walked"), sandbox=command_line(sandbox)
    )
    with pytest.raises(ProcessingEnvironmentError, match="the sandbox does not even run `true`: no namespaces here"):
        walker.walk({})


def test_a_walk_that_fails_in_a_good_sandbox_is_the_dumps_fault(program: Program) -> None:
    walker = Stackwalker(
        command_line("{command_pathname}"),
        program=program("exit 1"),
        sandbox=command_line("env"),
        environment=ENVIRONMENT,
    )
    assert walker.walk({}).return_code == 1
