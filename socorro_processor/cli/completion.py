"""``socorro completion`` prints a script by which a shell completes commands, options and keys of the configuration.

The script runs no Python at each tab. After ``--`` it offers the command's own options and the sections that it uses,
such as ``--resource.``; after a section's dot the section's keys, such as ``--resource.filesystem.root=``.
"""

from __future__ import annotations

import argparse
import textwrap
from collections import defaultdict
from collections.abc import Iterable

from socorro_processor.cli.command import Command
from socorro_processor.cli.commands import COMMANDS, all_commands
from socorro_processor.configuration import Configuration


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(key for key, _ in configuration.options()):
        keys[key.partition(".")[0]].append(f"--{key}=")
    cases = {
        "COMMANDS": [_case(each, keys) for each in all_commands() if " " not in each.name],
        "SUBCOMMANDS": [_case(each, keys) for each in all_commands() if " " in each.name],
        "KEYS": [f'--{section}.*) found="{" ".join(each)}" ;;' for section, each in keys.items()],
    }
    words = _WORDS.replace("FIRST", " ".join(COMMANDS))
    for name, lines in cases.items():
        words = words.replace(f"        {name}", textwrap.indent("\n".join(lines), " " * 8))
    print(_SHELLS[arguments.shell].replace("@WORDS@", words), end="")
    return 0


def _case(command: Command, sections: Iterable[str]) -> str:
    """Return the branch that sets ``plain`` and ``dashed``; and ``chosen``, after an option with fixed choices.

    ``sections`` are those of the whole configuration.
    """
    plain, options, branches = list(command.subcommands), list[str](), list[str]()
    for action in command.parser()._actions:
        if action.help is argparse.SUPPRESS and action.dest != "help_config":
            continue
        choices = list(sections if action.dest == "help_config" else map(str, action.choices or ()))
        options += action.option_strings
        if not action.option_strings:
            plain += choices
        elif choices:
            branches.append(f'{"|".join(action.option_strings)}) chosen="{" ".join(choices)}" ;;')
    options += (f"--{section}." for section in sections if command.uses(section))
    chosen = f' case "$previous" in {" ".join(branches)} esac' if branches else ""
    return f'"{command.name}") plain="{" ".join(plain)}" dashed="{" ".join(options)}";{chosen} ;;'


_WORDS = """\
# PREVIOUS CURRENT [WORD BEFORE THE CURSOR...]: print the possible words, one a line.
_socorro_words() (
    previous="$1" current="$2" plain="FIRST" dashed="" chosen="" found=""
    shift 2
    [ $# = 0 ] || plain=""
    case "$1" in
        COMMANDS
    esac
    case "$1 $2" in
        SUBCOMMANDS
    esac
    case "$current" in
        KEYS
        -*) found="$dashed" ;;
        *) found="$plain" ;;
    esac
    found="${chosen:-$found}"
    [ -z "$found" ] || echo "$found" | tr " " "\\n"
)"""
"""The part that all shells share; fish runs it in sh."""

_BASH = """\
# bash completion of socorro, by `socorro completion bash`
@WORDS@
_socorro() {
    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
    # bash treats an equals sign as a word.
    if [ "$current" = "=" ]; then current=""
    elif [ "$previous" = "=" ]; then previous="${COMP_WORDS[COMP_CWORD-2]}"; fi
    local words="$(_socorro_words "$previous" "$current" "${COMP_WORDS[@]:1:COMP_CWORD-1}")"
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    case "${COMPREPLY[0]}" in *=|*.) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _socorro socorro
"""

_ZSH = """\
#compdef socorro
# zsh completion of socorro, by `socorro completion zsh`
@WORDS@
_socorro() {
    local current="$words[CURRENT]" previous="$words[CURRENT-1]"
    if [[ "$current" = -*=* ]]; then
        compset -P "*="
        previous="${current%%=*}" current="${current#*=}"
    fi
    local -a each=($(_socorro_words "$previous" "$current" "${(@)words[2,CURRENT-1]}"))
    compadd -- ${each:#*[.=]}
    compadd -S "" -- ${(M)each:#*[.=]}
    [[ "$current" = -* ]] || _files
}
# The first time zsh has only just loaded this file, and waits for words.
if [[ "$funcstack[1]" = _socorro ]]; then _socorro "$@"; else compdef _socorro socorro; fi
"""

_FISH = """\
# fish completion of socorro, by `socorro completion fish`
function __socorro_words
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l option (string match -r -- "^-.*=" $current)
    set -q option[1]; and set -l previous (string trim -r -c = -- $option); or set -l previous $before[-1]
    for word in (sh -c '
@WORDS@
_socorro_words "$@"' sh "$previous" (string replace -- "$option" "" $current) $before[2..])
        echo "$option$word"
    end
end
complete -c socorro -n 'count (__socorro_words) > /dev/null' -f -a '(__socorro_words)'
"""

_SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(_SHELLS), help="the shell for which the script is")


COMMAND = Command(
    name="completion",
    summary="Print a script by which a shell completes commands, options and keys of the configuration.",
    description=(
        "The keys are those of the configuration in force.\n\n"
        "For bash, write it into the file of the example, or run: source <(socorro completion bash). For zsh, write it "
        "into a file _socorro on the fpath; for fish, into ~/.config/fish/completions/socorro.fish."
    ),
    example="socorro completion bash > ~/.local/share/bash-completion/completions/socorro",
    run=run,
    add_arguments=add_arguments,
)
