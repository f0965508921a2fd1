"""``socorro completion``: a script by which a shell completes commands, options and keys of the configuration.

The script is text and needs no Python at each tab. After ``--`` come the command's own options and the sections that it
uses, ``--resource.``; after a section's dot its keys, ``--resource.filesystem.root=``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from socorro_processor.cli.command import Command
from socorro_processor.cli.commands import COMMANDS, all_commands
from socorro_processor.configuration import Configuration


@dataclass(frozen=True)
class Words:
    """The words that may stand behind a command."""

    command: str
    plain: tuple[str, ...]
    """Its subcommands, or what its arguments may be."""
    options: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    """The words of each option that takes one of some."""


def words_of(command: Command, sections: Iterable[str]) -> Words:
    """Return the words of a command; ``sections`` are those of the whole configuration."""
    plain, options, values = list(command.subcommands), list[str](), dict[str, tuple[str, ...]]()
    sections = tuple(sections)
    for action in command.parser()._actions:
        if action.dest == "help_config":
            choices = sections
        elif action.help is argparse.SUPPRESS:
            continue
        else:
            choices = tuple(map(str, action.choices or ()))
        if action.option_strings:
            options += action.option_strings
            values |= dict.fromkeys(action.option_strings, choices) if choices else {}
        else:
            plain += choices
    options += (f"--{section}." for section in sections if command.uses(section))
    return Words(command.name, tuple(plain), tuple(options), values)


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(key for key, _ in configuration.options()):
        keys[key.partition(".")[0]].append(f"--{key}=")
    print(_SHELLS[arguments.shell]([words_of(command, keys) for command in all_commands()], keys), end="")
    return 0


def _bash(commands: list[Words], keys: Mapping[str, list[str]]) -> str:
    return f"""# bash completion of socorro, by `socorro completion bash`
_socorro() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" plain="" options=""
    local values="" words
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "{" ".join(COMMANDS)}" -- "$current"))
        return
    fi
    # An equals sign is a word of its own to bash.
    if [ "$current" = "=" ]; then current=""
    elif [ "$previous" = "=" ]; then previous="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
    case "${{COMP_WORDS[1]}}" in
{_cases(commands, '"', "        ")}
    esac
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{_cases([each for each in commands if " " in each.command], '"', "        ")}
    esac
    case " $values" in
        *" $previous:"*) words="${{values#*"$previous":}}"; words="${{words%%;*}}"; words="${{words//,/ }}" ;;
        *) case "$current" in
{_key_cases(keys, "--", 'words="', "            ")}
            -*) words="$options" ;;
            *) words="$plain" ;;
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    case "${{COMPREPLY[0]}}" in *=|*.) compopt -o nospace 2>/dev/null ;; esac
}}
complete -o default -F _socorro socorro
"""


def _zsh(commands: list[Words], keys: Mapping[str, list[str]]) -> str:
    return f"""#compdef socorro
# zsh completion of socorro, by `socorro completion zsh`
_socorro() {{
    local current="$words[CURRENT]" previous="$words[CURRENT-1]" plain="" options="" values="" found=""
    if (( CURRENT == 2 )); then
        compadd -- {" ".join(COMMANDS)}
        return
    fi
    case "$words[2]" in
{_cases(commands, '"', "        ")}
    esac
    case "$words[2] $words[3]" in
{_cases([each for each in commands if " " in each.command], '"', "        ")}
    esac
    case " $values" in
        *" $previous:"*) found="${{values#*"$previous":}}"; found="${{found%%;*}}"; found="${{found//,/ }}" ;;
        *) case "$current" in
            *=*) compset -P '*='; _files; return ;;
{_key_cases(keys, "--", 'found="', "            ")}
            -*) found="$options" ;;
            *) found="$plain" ;;
        esac ;;
    esac
    local -a each=(${{=found}})
    compadd -- ${{each:#*[.=]}}
    compadd -S '' -- ${{(M)each:#*[.=]}}
    [[ "$current" = -* ]] || _files
}}
# The first time zsh has only just loaded this file, and waits for words.
if [[ "$funcstack[1]" = _socorro ]]; then _socorro "$@"; else compdef _socorro socorro; fi
"""


def _fish(commands: list[Words], keys: Mapping[str, list[str]]) -> str:
    lines = ["# fish completion of socorro, by `socorro completion fish`"]
    lines += [f"complete -c socorro -n __fish_use_subcommand -f -a '{' '.join(COMMANDS)}'"]
    for each in commands:
        first, _, second = each.command.partition(" ")
        seen = f"__fish_seen_subcommand_from {first}" + (
            f"; and __fish_seen_subcommand_from {second}" if second else ""
        )
        if plain := " ".join(each.plain):
            unsaid = "" if second else f"; and not __fish_seen_subcommand_from {plain}"
            lines.append(f"complete -c socorro -n '{seen}{unsaid}' -a '{plain}'")
        offered = [*each.options, *(key for option in each.options for key in keys.get(option.strip("-."), ()))]
        lines.append(f"complete -c socorro -n '{seen}; and string match -q -- \"-*\" (commandline -ct)' -f -a '")
        lines[-1] += f"{' '.join(option for option in offered if not option.endswith('.'))}'"
        for option, choices in each.values.items():
            name = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            lines.append(f"complete -c socorro -n '{seen}' {name} -x -a '{' '.join(choices)}'")
    return "\n".join(lines) + "\n"


def _cases(commands: list[Words], quote: str, indent: str) -> str:
    """Return branches, one a command, that set ``plain``, ``options`` and ``values``, ``--queue:priority,normal;``."""

    def branch(words: Words) -> str:
        values = " ".join(f"{option}:{','.join(choices)};" for option, choices in words.values.items())
        lists = {"plain": " ".join(words.plain), "options": " ".join(words.options), "values": values}
        assigned = " ".join(f"{name}={quote}{text}{quote}" for name, text in lists.items())
        return f"{indent}{quote}{words.command}{quote}) {assigned} ;;"

    return "\n".join(map(branch, commands))


def _key_cases(keys: Mapping[str, list[str]], dashes: str, variable: str, indent: str) -> str:
    return "\n".join(f'{indent}{dashes}{name}.*) {variable}{" ".join(each)}" ;;' for name, each in keys.items())


_SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(_SHELLS), help="the shell that reads it")


COMMAND = Command(
    name="completion",
    summary="Print a script by which a shell completes commands, options and keys of the configuration.",
    description=(
        "The keys are those that the configuration in force knows.\n\n"
        "bash: into the file of the example, or source <(socorro completion bash). zsh: into a file _socorro on its "
        "fpath. fish: into ~/.config/fish/completions/socorro.fish."
    ),
    example="socorro completion bash > ~/.local/share/bash-completion/completions/socorro",
    run=run,
    add_arguments=add_arguments,
)
