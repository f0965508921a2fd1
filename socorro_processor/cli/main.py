"""The ``socorro`` command.

Exit codes: 0 done; 1 not done, or not all of it; 2 the command line or the configuration is wrong;
130 interrupted.
"""

from __future__ import annotations

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
from socorro_processor.cli.untrusted import plain
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
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.machine.core_dumps import forbid_core_dumps
from socorro_processor.monitoring.line_writer import keep_output_from_blocking

_ADMIN = (
    ("admin.conf", "FILE: the configuration, an ini file"),
    ("admin.print_conf", "ini: print the configuration that is in force, secrets masked, and end"),
    ("admin.dump_conf", "FILE: write it there, and end"),
)

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a file that standard output goes to may say to a write."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run a command. Returns its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A crash may hold any character, and standard output may be for less than that.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _answer(list(sys.argv[1:] if arguments is None else arguments), environ)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except ConfigurationError as error:
        for line in str(error).splitlines():
            print(f"socorro: {line}", file=sys.stderr)
        return 2
    except SocorroError as error:
        print(f"socorro: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of the output, `head` for one, has seen enough.
        _print_no_more()
        return 1
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
            raise
        print(f"socorro: cannot write the output: {error.strerror}", file=sys.stderr)
        _print_no_more()
        return 1
    except KeyboardInterrupt:
        return 130


def _answer(arguments: list[str], environ: Mapping[str, str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version", "version"):
        print(f"socorro-processor {socorro_processor.__version__}")
        return 0
    return _run(_command(arguments[0]), arguments[1:], environ)


def _print_no_more() -> None:
    """What is left in the buffer would fail again at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overview() -> str:
    rows = "\n".join(f"  {name:<12}{summary}" for name, summary in COMMANDS.items())
    return (
        "usage: socorro COMMAND [--admin.conf=FILE] ...\n\n"
        "The processor of a crash-reporting system.\n\n"
        f"{rows}\n\n"
        "`socorro COMMAND --help` says more of each, with an example."
    )


def _command(name: str) -> Command:
    if name not in COMMANDS:
        raise ConfigurationError(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    return load(name)


def _run(command: Command, arguments: list[str], environ: Mapping[str, str]) -> int:
    if arguments and arguments[0] in command.subcommands:
        command, arguments = command.subcommands[arguments[0]], arguments[1:]
    elif arguments and command.subcommands and not arguments[0].startswith("-"):
        there = ", ".join(command.subcommands)
        raise ConfigurationError(f"there is no command '{command.name} {plain(arguments[0])}'; there are {there}")
    if command.is_service:
        keep_output_from_blocking()
    command_line, own = split_command_line(arguments)
    parser = command.parser()
    if "-h" in own or "--help" in own:
        configuration = _configuration(command_line, environ)[0]
        parts = [
            f"{parser.format_help()}\nexample:\n  {command.example}",
            "\n".join(
                [
                    "configuration (--SECTION.OPTION=VALUE, or in the ini file), with the values in force:",
                    *(f"  --{key}\n      {doc}" for key, doc in _ADMIN),
                    as_help(configuration, command.sections),
                ]
            ),
        ]
        # The configuration may be hundreds of lines: what is seen of it all at a terminal is its end.
        print("\n\n".join(reversed(parts) if sys.stdout.isatty() else parts))
        _print_warnings(configuration)
        return 0
    parsed = parser.parse_intermixed_args(own)
    configuration, admin = _configuration(command_line, environ)
    if admin["print_conf"] or admin["dump_conf"]:
        _write_configuration(configuration, admin["print_conf"], admin["dump_conf"])
        _print_warnings(configuration)
        return 0
    return command.run(parsed, configuration)


def _configuration(command_line: Source, environ: Mapping[str, str]) -> tuple[Configuration, dict[str, str]]:
    """The configuration, and the values of the ``admin`` options."""
    # Not before now: a command line that is wrong is answered without loading any component.
    from socorro_processor.app.processor_app import ProcessorApp

    definitions = ProcessorApp.get_required_config()
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
    """To whoever looks at the configuration. The daemon logs them, the other commands do their work."""
    for warning in configuration.warnings:
        print(f"socorro: {warning}", file=sys.stderr)


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
    """The console script."""
    forbid_core_dumps()
    if sys.argv[1:2] == ["processor"]:
        # By default SIGHUP would end it. It waits until the processor can answer it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    sys.exit(main())
