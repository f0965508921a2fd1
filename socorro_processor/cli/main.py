"""The ``socorro`` command.

Exit codes: 0 done; 1 failed, or in part; 2 the command line or the configuration is wrong;
130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import socorro_processor
from socorro_processor.cli.command import Command
from socorro_processor.cli.commands import COMMANDS, load
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import (
    Configuration,
    EnvironmentSource,
    Namespace,
    Source,
    as_help,
    as_ini,
    read_ini,
    split_command_line,
)
from socorro_processor.errors import ConfigurationError, SocorroError, is_of_this_machine
from socorro_processor.machine.core_dumps import forbid_core_dumps
from socorro_processor.monitoring.line_writer import keep_output_from_blocking
from socorro_processor.untrusted import plain

_ADMIN = (
    ("admin.conf", "FILE: the configuration, an ini file"),
    ("admin.print_conf", "ini: print the configuration in force, secrets masked, and end"),
    ("admin.dump_conf", "FILE: write it to a file, and end"),
)

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""The errors that a write to standard output raises if it is a file."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run a command. Return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A crash may contain any character; the encoding of standard output may lack some.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run_words(list(sys.argv[1:] if arguments is None else arguments), environ)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except SocorroError as error:
        for line in str(error).split("\n"):
            say(line)
        # A service is not started again after 2. What the machine lacks now, it may have later.
        return 2 if isinstance(error, ConfigurationError) and not is_of_this_machine(error) else 1
    except BrokenPipeError:
        # The reader of the output, such as `head`, has seen enough.
        _discard_output()
        return 1
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
            raise
        say(f"cannot write the output: {error.strerror}")
        _discard_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _run_words(arguments: list[str], environ: Mapping[str, str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version", "version"):
        print(f"socorro-processor {socorro_processor.__version__}")
        return 0
    return _run(_command(arguments[0]), arguments[1:], environ)


def _discard_output() -> None:
    """Discard the rest of the output: writing it at the interpreter's end would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overview() -> str:
    rows = "\n".join(f"  {name:<12}{summary}" for name, summary in COMMANDS.items())
    return (
        "usage: socorro COMMAND [--admin.conf=FILE] ...\n\n"
        "The processor of a crash-reporting system.\n\n"
        f"{rows}\n\n"
        "`socorro COMMAND --help` shows more about each, with an example."
    )


def _command(name: str) -> Command:
    if name not in COMMANDS:
        raise ConfigurationError(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    return load(name)


def _run(command: Command, arguments: list[str], environ: Mapping[str, str]) -> int:
    command, arguments = _subcommand(command, arguments)
    if command.is_service:
        keep_output_from_blocking()
    command_line, own = split_command_line(arguments)
    if "-h" in own or "--help" in own:
        print(command.help())
        return 0
    if any(word.partition("=")[0] == "--help-config" for word in own):
        return _print_options(command, own, command_line, environ)
    parsed = command.parser().parse_intermixed_args(own)
    configuration, admin = _configuration(command_line, environ)
    if admin["print_conf"] or admin["dump_conf"]:
        _write_configuration(configuration, admin["print_conf"], admin["dump_conf"])
        _print_warnings(configuration)
        return 0
    return command.run(parsed, configuration)


def _subcommand(command: Command, arguments: list[str]) -> tuple[Command, list[str]]:
    """Return the subcommand that the arguments name, and its arguments; options may precede its name."""
    if not arguments or not command.subcommands:
        return command, arguments
    if command.takes_words:
        within = command.subcommands.get(arguments[0])
        return (within, arguments[1:]) if within else (command, arguments)
    if not arguments[0].startswith("-") and arguments[0] not in command.subcommands:
        names = ", ".join(command.subcommands)
        raise ConfigurationError(f"there is no command '{command.name} {plain(arguments[0])}'; there are {names}")
    for place, word in enumerate(arguments):
        if word in command.subcommands:
            return command.subcommands[word], arguments[:place] + arguments[place + 1 :]
    return command, arguments


def _print_options(command: Command, own: list[str], command_line: Source, environ: Mapping[str, str]) -> int:
    """Answer ``--help-config [SECTION] [--all]``."""
    parser = argparse.ArgumentParser(prog=f"socorro {command.name}", add_help=False, allow_abbrev=False)
    parser.add_argument("--help-config", nargs="?", metavar="SECTION")
    parser.add_argument("--all", action="store_true")
    asked = parser.parse_known_args(own)[0]
    configuration = _configuration(command_line, environ)[0]
    sections = asked.help_config or command.uses
    # A section may have only shared values.
    options = as_help(configuration, sections, everything=asked.all) or as_help(
        configuration, sections, everything=True
    )
    if not options:
        names = ", ".join(dict.fromkeys(key.partition(".")[0] for key, _ in configuration.options()))
        raise ConfigurationError(f"the configuration has no section '{plain(asked.help_config)}'; it has {names}")
    print("Configuration options (--SECTION.OPTION=VALUE, or in the ini file), with the values in force.")
    if not asked.all:
        print("A value that sections share is listed in resource or secrets; --all lists it everywhere.")
    print(f"\n{options}")
    _print_warnings(configuration)
    return 0


def _configuration(command_line: Source, environ: Mapping[str, str]) -> tuple[Configuration, dict[str, str]]:
    """Return the configuration, and the values of the ``admin`` options."""
    # Imported only here: a wrong command line is answered without loading any component.
    from socorro_processor.cli.all_options import all_options

    definitions = all_options()
    admin = Namespace()
    for key, doc in _ADMIN:
        admin.add_option(key.removeprefix("admin."), default="", doc=doc)
    environment = EnvironmentSource(environ)
    ini = command_line.get("admin.conf") or environment.get("admin.conf")
    sources = [read_ini(Path(ini))] if ini else []
    definitions.admin = admin
    configuration = Configuration(definitions, [*sources, environment, command_line])
    return configuration, dict(configuration.values.admin)


def _print_warnings(configuration: Configuration) -> None:
    """Print the warnings for a reader of the configuration; the daemon logs them, other commands ignore them."""
    for warning in configuration.warnings:
        say(warning)


def _write_configuration(configuration: Configuration, form: str, path: str) -> None:
    if form not in ("", "ini"):
        raise ConfigurationError(f"--admin.print_conf={form}: only ini is known")
    if form:
        print(as_ini(configuration), end="")
    if path:
        try:
            Path(path).write_text(as_ini(configuration), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def run() -> None:
    """Run the console script."""
    forbid_core_dumps()
    if sys.argv[1:2] in (["processor"], ["serve"]):
        # By default SIGHUP would end the process. Blocked, it waits until the service can handle it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    sys.exit(main())
