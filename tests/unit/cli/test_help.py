"""``socorro CMD --help`` and ``--help-config``."""

import re

import pytest

from socorro_processor.cli.commands import COMMANDS, all_commands
from socorro_processor.cli.main import main
from tests.shared import REPOSITORY

LONGEST = 60  # lines of a help, at 80 columns
NAMES = [command.name for command in all_commands()]
SYMBOLS = ("add", "missing", "fetch", "upload", "index", "status", "manage")


@pytest.fixture
def printed(capsys):
    """Run a command; return its output."""

    def run(*arguments, environ=None):
        assert main(arguments, environ or {}) == 0
        return capsys.readouterr().out

    return run


def options_in(out):
    return re.findall(r"^  --([\w.]+)=", out, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_fits_on_a_screen_and_has_all_its_parts(name, printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = printed(*name.split(), "--help").splitlines()
    assert len(lines) <= LONGEST
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"usage: socorro {name}")
    assert "options:" in lines
    assert lines[lines.index("example:") + 1].startswith(f"  socorro {name.split()[0]}")
    codes = lines.index("exit codes:") + 1
    assert {"0", "1", "2", "130"} <= {line.split()[0] for line in lines[codes:-2] if re.match(r"  \d", line)}
    assert [line for line in lines if "--help-config [SECTION]" in line] == lines[-1:]
    assert not any(re.match(r" +--(admin|resource)\.", line) for line in lines)


def test_a_family_lists_its_commands_with_their_summaries(printed):
    for family in (command for command in all_commands() if command.subcommands):
        out = printed(family.name, "--help")
        for name, command in family.subcommands.items():
            assert re.search(rf"^  {name} +{re.escape(command.summary[:20])}", out, re.MULTILINE)


def test_each_command_of_symbols_has_its_own_arguments(printed):
    assert [name for name in NAMES if name.startswith("symbols ")] == [f"symbols {name}" for name in SYMBOLS]
    own = {
        name: set(re.findall(r"^  (--[a-z]+)", printed("symbols", name, "--help"), re.MULTILINE)) for name in SYMBOLS
    }
    assert own == {
        "add": {"--json"},
        "missing": {"--since", "--json", "--csv"},
        "fetch": {"--json"},
        "upload": {"--json"},
        "index": {"--all"},
        "status": {"--json"},
        "manage": set(),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing", "--since=2016-11-23", "--csv"],
        ["--since", "2016-11-23", "missing"],
        ["--json", "missing"],
        ["missing", "--all", "of", "them"],
    ],
)
def test_the_former_single_command_symbols_still_works(arguments, printed, tmp_path):
    printed("symbols", *arguments, f"--resource.filesystem.root={tmp_path}")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_of_the_configuration_is_listed_once_below_its_section(name, printed):
    out = printed(*name.split(), "--help-config")
    sections = re.findall(r"^(\w+):$", out, re.MULTILINE)
    keys = options_in(out)
    assert sections[0] == "admin"
    assert sections == sorted(set(sections)) == sorted({key.partition(".")[0] for key in keys})
    assert len(keys) == len(set(keys))
    assert not any(key.endswith(".rule_class") for key in keys)
    shared = {key.rpartition(".")[2] for key in keys if key.startswith("resource.symbols.")}
    assert not any(key.rpartition(".")[2] in shared for key in keys if key.startswith("processor."))


def test_the_option_all_lists_shared_options_and_those_of_named_classes_everywhere(printed):
    assert "source.root" not in options_in(printed("processor", "--help-config"))
    keys = options_in(printed("processor", "--help-config", "--all"))
    written = printed("processor", "--admin.print_conf=ini")
    assert len(keys) - 3 == len(re.findall(r"^ *#?\w+ =", written, re.MULTILINE))
    assert {"source.root", "resource.filesystem.root", "processor.raw_transform.ProductRewrite.rule_class"} <= {*keys}


def test_a_value_that_is_not_the_shared_one_is_listed_where_it_is(printed):
    out = printed("show", "--source.root=elsewhere", "--help-config")
    assert "  --resource.filesystem.root=socorro-data/crashes\n" in out
    assert "  --source.root=elsewhere\n" in out
    assert "--destination.root=" not in out


def test_only_values_that_the_command_can_use_are_listed(printed):
    keys = options_in(printed("queue", "status", "--help-config"))
    assert {key.partition(".")[0] for key in keys} == {"admin", "new_crash_source"}


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        (["--help-config", "resource.symbols"], "resource.symbols."),
        (["--help-config=logging"], "logging."),
        (["CRASH_ID", "--help-config", "processor"], "processor."),
        (["--help-config", "processor.processed_transform.SystemRule"], "processor.processed_transform.System"),
    ],
)
def test_a_section_is_listed_alone(words, begin, printed):
    keys = options_in(printed("show", *words))
    assert len(keys) > 2
    assert all(key.startswith(begin) for key in keys)


def test_an_unknown_section_is_an_error_that_names_the_known_ones(capsys):
    assert main(["show", "--help-config", "sources\x1b[2J"], {}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("socorro: the configuration has no section 'sources\\x1b[2J'; it has admin, app, ")


def test_the_options_of_the_configuration_that_is_named_are_listed_with_its_values_and_warnings(tmp_path, capsys):
    (tmp_path / "of-2016.ini").write_text(
        "[companion_process]\n    symbol_cache_size = 7G\n[destination]\n    sometimes = 1\n"
    )
    assert main(["processor", f"--admin.conf={tmp_path}/of-2016.ini", "--help-config"], {}) == 2
    assert "there is no option destination.sometimes" in capsys.readouterr().err
    production = ["processor", f"--admin.conf={REPOSITORY}/config/processor-production.ini", "--help-config"]
    assert main(production, {"SOCORRO__SECRETS__POSTGRESQL__DATABASE_PASSWORD": "marker"}) == 0
    out = capsys.readouterr().out
    assert "PolyCrashStorage" in out
    assert "  --secrets.postgresql.database_password=****" in out
    assert "marker" not in out


def test_help_needs_no_configuration(printed):
    assert printed("processor", "--admin.conf=absent.ini", "--help").startswith("usage: socorro processor")
