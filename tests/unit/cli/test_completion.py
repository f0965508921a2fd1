"""``socorro completion``, tried by the shells that read it."""

import os
import shutil
import subprocess

import pytest

from socorro_processor.cli.commands import COMMANDS, all_commands
from socorro_processor.cli.main import main
from tests.shared import require


def printed(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell], environ={}) == 0
    return capsys.readouterr().out


@pytest.fixture
def complete(capsys, tmp_path):
    """Return the words that bash completes a command line to, split as bash splits it."""
    script = tmp_path / "socorro"
    script.write_text(printed("bash", capsys))

    def run(*words: str) -> list[str]:
        commands = (
            'source "$1"; shift; COMP_WORDS=(socorro "$@"); COMP_CWORD=$#; _socorro; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", commands, "bash", script, *words], capture_output=True, text=True, timeout=60
        )
        assert done.stderr == ""
        return done.stdout.split()

    return run


def test_the_first_word_is_a_command(complete):
    assert complete("") == list(COMMANDS)
    assert complete("qu") == ["queue"]


def test_the_word_behind_a_command_is_one_of_its_subcommands_or_choices(complete):
    assert complete("queue", "") == ["status", "parked", "rejected", "requeue", "reject", "purge"]
    assert complete("queue", "purge", "p") == ["priority", "parked"]
    assert complete("symbols", "man") == ["manage"]


def test_the_options_of_a_command_of_symbols_are_its_own(complete):
    assert complete("symbols", "") == ["add", "missing", "fetch", "upload", "index", "status", "manage"]
    assert complete("symbols", "missing", "--") == [
        *("--help", "--help-config", "--since", "--json", "--csv"),
        *("--admin.", "--destination.", "--resource.", "--secrets."),
    ]
    assert complete("symbols", "index", "--a") == ["--all", "--admin."]


def test_sections_of_the_configuration_are_completed_for_their_help(complete):
    assert complete("show", "--help-config", "res") == ["resource"]


def test_dashes_are_completed_to_the_options_of_that_command_and_the_sections_that_it_uses(complete):
    assert complete("queue", "status", "--") == [
        *("--help", "--help-config", "--ids", "--watch", "--json"),
        *("--admin.", "--new_crash_source.", "--resource.", "--secrets."),
    ]
    assert complete("queue", "parked", "--re") == ["--reason", "--resource."]


def test_a_section_is_completed_to_its_keys(complete):
    assert complete("show", "--resource.files") == ["--resource.filesystem.root="]
    assert "--app.maximum_attempts=" in complete("processor", "--app.max")


def test_an_option_with_fixed_choices_is_completed_to_them_even_behind_an_equals_sign(complete):
    assert complete("queue", "parked", "--queue", "") == ["priority", "normal", "reprocessing"]
    assert complete("queue", "parked", "--queue", "=") == ["priority", "normal", "reprocessing"]
    assert complete("queue", "parked", "--queue", "=", "n") == ["normal"]


def test_an_unknown_word_is_completed_to_file_names(complete):
    assert (
        complete("show", "")
        == complete("nonsense", "")
        == complete("show", "--resource.filesystem.root", "=", "/")
        == []
    )


ZSH = """
compdef() {}; compset() { words[CURRENT]="${words[CURRENT]#*=}" }; _files() {}
compadd() { while [[ "$1" != -- ]]; do shift; done; shift; print -l -- ${(M)@:#$words[CURRENT]*} }
source "$1"; shift; words=(socorro "$@"); CURRENT=$#words; _socorro
"""
FISH = 'source $argv[1]; complete --do-complete "socorro $argv[2..]"'


@pytest.mark.parametrize(("shell", "arguments"), [("zsh", ["-f", "-c", ZSH, "zsh"]), ("fish", ["-N", "-c", FISH])])
def test_the_other_shells_complete_the_same(shell, arguments, capsys, tmp_path):
    require(shutil.which(shell), f"no {shell}: bin/services install")
    script = tmp_path / "socorro"
    script.write_text(printed(shell, capsys))

    def complete(*words: str) -> list[str]:
        done = subprocess.run(
            [shell, *arguments, script, *words],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        assert done.stderr == ""
        return sorted(done.stdout.split())

    assert complete("pro") == ["process", "processor"]
    assert complete("queue", "purge", "p") == ["parked", "priority"]
    assert complete("symbols", "man") == ["manage"]
    assert complete("queue", "parked", "--rea") == ["--reason"]
    assert complete("show", "--resource.files") == ["--resource.filesystem.root="]
    assert complete("queue", "requeue", "--queue", "n") == ["normal"]
    assert [word.removeprefix("--queue=") for word in complete("queue", "requeue", "--queue=n")] == ["normal"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_command_is_completed_in_each_shell_whose_syntax_it_is(shell, capsys, tmp_path):
    script = tmp_path / "socorro"
    script.write_text(printed(shell, capsys))
    for command in all_commands():
        assert command.name.split()[-1] in script.read_text()
    if program := shutil.which(shell):
        checked = subprocess.run([program, "-n", script], capture_output=True, text=True, timeout=60)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"], environ={})
    assert ended.value.code == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
