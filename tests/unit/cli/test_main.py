"""The ``socorro`` command itself: help, versions, exit codes."""

import resource
import subprocess
import sys

import pytest

import socorro_processor
from socorro_processor.cli.commands import COMMANDS
from socorro_processor.cli.main import main
from tests.shared import REPOSITORY


@pytest.fixture
def socorro(capsys):
    """Run a command in this process; return its exit code, output and error output."""

    def run(*arguments, environ=None):
        try:
            code = main(arguments, environ or {})
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_without_a_command_it_lists_them(socorro):
    code, out, _ = socorro()
    assert code == 2
    assert all(name in out for name in COMMANDS)


def test_help_lists_every_command_with_its_summary(socorro):
    code, out, _ = socorro("--help")
    assert code == 0
    assert all(f"  {name:<12}{summary}" in out for name, summary in COMMANDS.items())


def test_the_version_is_the_packages(socorro):
    assert socorro("--version") == (0, f"socorro-processor {socorro_processor.__version__}\n", "")


def test_an_unknown_command_is_an_error_that_names_the_known_ones(socorro):
    code, _, err = socorro("proces")
    assert code == 2
    assert "there is no command 'proces'; there are processor, process" in err


def test_the_configuration_in_force_can_be_printed_and_written(socorro, tmp_path):
    file = tmp_path / "written.ini"
    code, out, _ = socorro(
        "processor", "--admin.print_conf=ini", f"--admin.dump_conf={file}", "--health.port=8123", environ={}
    )
    assert code == 0
    assert "    port = 8123" in out
    assert file.read_text() == out
    again = socorro("processor", "--admin.print_conf=ini", environ={"SOCORRO__ADMIN__CONF": str(file)})
    assert again == (0, out, "")


def test_rule_sets_that_are_added_are_printed_as_they_were_written_beside_all_that_are_in_force(socorro, tmp_path):
    added = '+[\n    ["own", "", "", "apply_all_rules", "socorro_processor.rules.general.IdentifierRule"]\n]'
    file = tmp_path / "written.ini"
    algorithm = "socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"
    printing = ("processor", "--admin.print_conf=ini", f"--processor.processor_class={algorithm}")
    _, default, _ = socorro(*printing)
    code, out, _ = socorro(*printing, f"--admin.dump_conf={file}", environ={"SOCORRO__PROCESSOR__RULE_SETS": added})
    assert code == 0
    assert f"    rule_sets = '''{added}'''\n" in out
    assert [line for line in default.split() if line.startswith("[[") and line not in out.split()] == []
    assert [line for line in out.split() if line.startswith("[[") and line not in default.split()] == ["[[own]]"]
    assert socorro(*printing, environ={"SOCORRO__ADMIN__CONF": str(file)}) == (0, out, "")


def test_a_configuration_can_be_printed_in_no_other_form(socorro):
    code, _, err = socorro("processor", "--admin.print_conf=yaml")
    assert (code, err) == (2, "socorro: --admin.print_conf=yaml: only ini is known\n")


def test_a_configuration_that_cannot_be_written_is_an_error(socorro, tmp_path):
    code, _, err = socorro("processor", f"--admin.dump_conf={tmp_path}/absent/x.ini")
    assert code == 2
    assert "No such file" in err


def test_a_configuration_that_cannot_be_read_for_want_of_descriptors_is_not_wrong(socorro):
    command = ("processor", "--admin.print_conf=ini", f"--admin.conf={REPOSITORY}/config/processor.ini")
    assert socorro(*command)[0] == 0  # All is imported now.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        code, _, err = socorro(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "config/processor.ini: Too many open files" in err
    assert code == 1


def test_the_configuration_that_comes_with_the_project_is_the_default(socorro):
    _, default, _ = socorro("processor", "--admin.print_conf=ini")
    _, shipped, _ = socorro("processor", "--admin.print_conf=ini", f"--admin.conf={REPOSITORY}/config/processor.ini")
    assert shipped.replace("#", "").split() == default.replace("#", "").split()


@pytest.mark.parametrize(("option", "loaded"), [("", False), ("--resource.symbols.sources=https://x.example", True)])
def test_only_a_configuration_with_a_symbol_server_loads_a_client_of_http(option, loaded):
    program = (
        "import sys; from socorro_processor.cli.main import main; "
        "main(['processor', '--admin.print_conf=ini', *filter(None, sys.argv[1:])]); print('urllib3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(loaded)
